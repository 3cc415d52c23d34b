package phases

import (
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// upstreamIPHashModule is ngx_http_upstream_ip_hash_module.
var upstreamIPHashModule = &Module{
	name: "upstream_ip_hash",
	directives: func() []directive {
		return []directive{
			{"ip_hash", inUpstream, take0, func(c *compiler, d *conf.Directive) error {
				setUpstreamMethod(c, d, ipHash{})
				return nil
			}},
		}
	},
}

// ipHash sends the clients of one network to the same peer.
type ipHash struct{}

func (ipHash) prepare(u *Upstream) error { return u.noBackups() }

func (ipHash) start(c *peerChoice, r *Request) { c.key, c.hash = ipHashKey(r), 89 }

func (ipHash) get(c *peerChoice, now time.Time) *upstreamPeer {
	set := &c.up.primary
	for ; c.rehash < hashTries; c.rehash++ {
		for i := 0; i < len(c.key); i++ {
			c.hash = (c.hash*113 + uint32(c.key[i])) % 6271
		}
		if p := set.at(int(c.hash) % set.weight); c.free(p, now) {
			return p
		}
	}
	return c.weighted(set, now, nil)
}

// ipHashKey is what ip_hash looks at: the network of an IPv4 client, the address
// of another.
func ipHashKey(r *Request) string {
	addr, isUnix := clientAddr(r.Main.Conn)
	switch b := addr.AsSlice(); {
	case isUnix || len(b) == 0:
		return "\x00\x00\x00"
	case len(b) == 4:
		return string(b[:3])
	default:
		return string(b)
	}
}
