package upstream

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// LeastConnModule is ngx_http_upstream_least_conn_module.
var LeastConnModule = &core.Module{
	Name: "upstream_least_conn",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "least_conn", In: core.InUpstream, Args: core.Take0, Set: func(c *core.Compiler, d *conf.Directive) error {
				setMethod(c, d, leastConn{}, true)
				return nil
			}},
		}
	},
}

// leastConn chooses the peer with the fewest connections for its weight; those with
// equally many take turns.
type leastConn struct{}

func (leastConn) prepare(*Upstream) {}
func (leastConn) start(*Choice)     {}

func (leastConn) get(c *Choice, set *peerSet, now int64) *Peer {
	return c.least(set, now, func(p *Peer) int { return p.conns })
}

// least chooses the free peer of which the least is to be waited for, as cost tells, for
// its weight; those that cost the same take turns.
func (c *Choice) least(set *peerSet, now int64, cost func(p *Peer) int) *Peer {
	var best *Peer
	var lowest int // of best
	many := false
	for _, p := range set.peers {
		if !c.free(p, now) {
			continue
		}
		switch n := cost(p); {
		case best == nil || n*best.weight < lowest*p.weight:
			best, lowest, many = p, n, false
		case n*best.weight == lowest*p.weight:
			many = true
		}
	}
	if !many {
		return best
	}
	return c.weighted(set, now, func(p *Peer) bool { return cost(p)*best.weight == lowest*p.weight })
}
