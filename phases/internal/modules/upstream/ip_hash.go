package upstream

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// IPHashModule is ngx_http_upstream_ip_hash_module.
var IPHashModule = &core.Module{
	Name: "upstream_ip_hash",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "ip_hash", In: core.InUpstream, Args: core.Take0, Set: func(c *core.Compiler, d *conf.Directive) error {
				setMethod(c, d, ipHash{}, false)
				return nil
			}},
		}
	},
}

// ipHash sends the clients of one network to the same peer.
type ipHash struct{}

func (ipHash) prepare(*Upstream) {}

func (ipHash) start(c *Choice) { c.key, c.hash = ipHashKey(c.r), 89 }

func (ipHash) get(c *Choice, set *peerSet, now int64) *Peer {
	for c.misses <= maxMisses && set == &c.up.primary {
		for i := 0; i < len(c.key); i++ {
			c.hash = (c.hash*113 + uint32(c.key[i])) % 6271
		}
		if p := set.at(int(c.hash) % set.weight); c.free(p, now) {
			return p
		}
		c.misses++
	}
	return c.weighted(set, now, nil)
}

// ipHashKey is what ip_hash looks at: the network of an IPv4 client, the address
// of another.
func ipHashKey(r *core.Request) string {
	addr, isUnix := r.ClientIP()
	switch b := addr.AsSlice(); {
	case isUnix || len(b) == 0:
		return "\x00\x00\x00"
	case len(b) == 4:
		return string(b[:3])
	default:
		return string(b)
	}
}
