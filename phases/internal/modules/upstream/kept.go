package upstream

import (
	"cmp"
	"math"
	"time"
)

// Keeping is how long a connection is kept that a balancer wants to be (enable_keepalive
// of ngx.balancer). Such connections have a pool of their own.
type Keeping struct {
	Idle     time.Duration // between two requests, 0 for any time
	Requests int64         // on one connection, 0 for any number
}

// forAges stands for no bound.
const forAges = math.MaxInt64

// defaultKept is how many connections a worker keeps for balancers when
// balancer_keepalive does not say it.
const defaultKept = 512

// sizeKept makes room for what balancers keep in all workers.
func (u *Upstream) sizeKept(workers int) {
	p := &u.Kept
	p.size = cmp.Or(u.KeptSize, defaultKept)
	p.limit = p.size * workers
	p.timeout.V, p.requests.V, p.life.V = forAges, forAges, forAges
}

// keep ends the use of a clean connection.
func (x *Exchange) keep(c *Conn) {
	k := x.State.Keep
	switch {
	case k == nil:
		x.up.Pool.Put(c, x.Conf)
	case k.Requests > 0 && c.requests >= k.Requests:
		c.Close()
	default:
		c.idleFor = cmp.Or(k.Idle, forAges)
		x.up.Kept.Put(c, x.Conf)
	}
}

// pool has the connections that this attempt may use again.
func (x *Exchange) pool() *IdlePool {
	if x.State.Keep != nil {
		return &x.up.Kept
	}
	return &x.up.Pool
}

// secure tells whether this attempt speaks TLS.
func (x *Exchange) secure() bool {
	if x.State.TLS != TLSOfLocation {
		return x.State.TLS == TLSOn
	}
	return x.target.TLS
}
