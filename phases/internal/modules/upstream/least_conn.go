package upstream

import (
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// LeastConnModule is ngx_http_upstream_least_conn_module.
var LeastConnModule = &core.Module{
	Name: "upstream_least_conn",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "least_conn", In: core.InUpstream, Args: core.Take0, Set: func(c *core.Compiler, d *conf.Directive) error {
				setMethod(c, d, leastConn{})
				return nil
			}},
		}
	},
}

// leastConn chooses the peer with the fewest connections for its weight; those with
// equally many take turns.
type leastConn struct{}

func (leastConn) prepare(*Upstream) error      { return nil }
func (leastConn) start(*Choice, *core.Request) {}

func (leastConn) get(c *Choice, now time.Time) *Peer {
	set := &c.up.primary
	var best *Peer
	many := false
	for _, p := range set.peers {
		if !c.free(p, now) {
			continue
		}
		switch {
		case best == nil || p.conns*best.weight < best.conns*p.weight:
			best, many = p, false
		case p.conns*best.weight == best.conns*p.weight:
			many = true
		}
	}
	if !many {
		return best
	}
	return c.weighted(set, now, func(p *Peer) bool { return p.conns*best.weight == best.conns*p.weight })
}
