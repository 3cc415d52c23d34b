package phases

import (
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// upstreamLeastConnModule is ngx_http_upstream_least_conn_module.
var upstreamLeastConnModule = &Module{
	name: "upstream_least_conn",
	directives: func() []directive {
		return []directive{
			{"least_conn", inUpstream, take0, func(c *compiler, d *conf.Directive) error {
				setUpstreamMethod(c, d, leastConn{})
				return nil
			}},
		}
	},
}

// leastConn chooses the peer with the fewest connections for its weight; those with
// equally many take turns.
type leastConn struct{}

func (leastConn) prepare(*Upstream) error     { return nil }
func (leastConn) start(*peerChoice, *Request) {}

func (leastConn) get(c *peerChoice, now time.Time) *upstreamPeer {
	set := &c.up.primary
	var best *upstreamPeer
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
	return c.weighted(set, now, func(p *upstreamPeer) bool { return p.conns*best.weight == best.conns*p.weight })
}
