package phases

import (
	"fmt"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/runtime/guard"
)

// upstreamKeepaliveModule is ngx_http_upstream_keepalive_module.
var upstreamKeepaliveModule = &Module{
	name:       "upstream_keepalive",
	directives: upstreamKeepaliveDirectives,
	finish:     sizeIdlePools,
	drain:      closeIdleUpstreams,
}

func upstreamKeepaliveDirectives() []directive {
	pool := func(f func(p *idlePool) *time.Duration) setter {
		return func(c *compiler, d *conf.Directive) error {
			v, ok := parseTime(d.Args[0])
			if !ok {
				return errInvalidValue
			}
			*f(&upstreamServer.at(c).pool) = v
			return nil
		}
	}
	return []directive{
		{"keepalive", inUpstream, take1, setUpstreamKeepalive},
		{"keepalive_requests", inUpstream, take1, setUpstreamRequests},
		{"keepalive_time", inUpstream, take1, pool(func(p *idlePool) *time.Duration { return &p.life })},
		{"keepalive_timeout", inUpstream, take1, pool(func(p *idlePool) *time.Duration { return &p.timeout })},
	}
}

func setUpstreamKeepalive(c *compiler, d *conf.Directive) error {
	n, ok := parseDecimal(d.Args[0])
	if !ok || n == 0 {
		return fmt.Errorf("invalid value \"%s\" in \"keepalive\" directive", d.Args[0])
	}
	p := &upstreamServer.at(c).pool
	if p.size != 0 {
		return errDuplicate
	}
	p.size = int(n)
	return nil
}

func setUpstreamRequests(c *compiler, d *conf.Directive) error {
	n, ok := parseDecimal(d.Args[0])
	if !ok {
		return directiveError("invalid number")
	}
	upstreamServer.at(c).pool.requests = n
	return nil
}

// sizeIdlePools makes room for what all workers keep, as they share the pools here.
func sizeIdlePools(c *compiler) error {
	for _, u := range upstreamMain.at(c).byName {
		u.pool.limit = u.pool.size * max(c.cycle.Main.WorkerProcesses.v, 1)
	}
	return nil
}

// closeIdleUpstreams closes the connections that are kept for reuse.
func closeIdleUpstreams(c *Cycle) {
	for _, u := range upstreamMain.of(c).byName {
		u.pool.close()
	}
}

// idlePool keeps connections of an upstream for later requests (keepalive and its
// kin). What is in it is clean: a connection on which something arrives, be it the
// peer's end, is closed and not used again.
type idlePool struct {
	size     int           // keepalive: connections a worker keeps, 0: none
	timeout  time.Duration // keepalive_timeout
	requests int64         // keepalive_requests
	life     time.Duration // keepalive_time
	limit    int           // size for all workers

	mu     sync.Mutex
	conns  []*upstreamConn // the one that was used last is last
	timer  *time.Timer     // looks after them while there are any
	closed bool            // the configuration is being left
}

// defaults settles what the directives of the block may change.
func (p *idlePool) defaults() { p.timeout, p.requests, p.life = time.Minute, 1000, time.Hour }

// idleCheck is how often idle connections are looked at. One that is taken is
// looked at in any case.
const idleCheck = 100 * time.Millisecond

// take gets a kept connection of a kind to addr, nil when there is none.
func (p *idlePool) take(addr string, kind any) *upstreamConn {
	if p.size == 0 {
		return nil
	}
	for {
		c := p.remove(addr, kind)
		if c == nil || c.quiet() {
			return c
		}
		c.Close()
	}
}

func (p *idlePool) remove(addr string, kind any) *upstreamConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.conns) - 1; i >= 0; i-- {
		if c := p.conns[i]; c.addr == addr && c.kind == kind {
			p.conns = append(p.conns[:i], p.conns[i+1:]...)
			return c
		}
	}
	return nil
}

// put stores a clean connection, or closes it when it has served long enough. The
// one that was idle longest makes room.
func (p *idlePool) put(c *upstreamConn) {
	now := time.Now()
	if p.size == 0 || c.requests >= p.requests || now.Sub(c.made) > p.life || !c.quiet() {
		c.Close()
		return
	}
	c.rest()
	c.idleSince = now
	var drop *upstreamConn
	p.mu.Lock()
	switch {
	case p.closed:
		drop = c
	default:
		p.conns = append(p.conns, c)
		if len(p.conns) > p.limit {
			drop = p.conns[0]
			p.conns = append(p.conns[:0], p.conns[1:]...)
		}
		if p.timer == nil {
			p.timer = time.AfterFunc(idleCheck, func() {
				defer guard.Stop()
				p.check()
			})
		}
	}
	p.mu.Unlock()
	if drop != nil {
		drop.Close()
	}
}

// check closes the connections that were idle for too long, and those on which
// something has arrived.
func (p *idlePool) check() {
	var drop []*upstreamConn
	now := time.Now()
	p.mu.Lock()
	kept := p.conns[:0]
	for _, c := range p.conns {
		if now.Sub(c.idleSince) > p.timeout || !c.quiet() {
			drop = append(drop, c)
		} else {
			kept = append(kept, c)
		}
	}
	clear(p.conns[len(kept):])
	p.conns = kept
	if len(kept) > 0 {
		p.timer.Reset(idleCheck)
	} else {
		p.timer = nil
	}
	p.mu.Unlock()
	for _, c := range drop {
		c.Close()
	}
}

// close ends the pool: what is idle is closed, and so is what comes back.
func (p *idlePool) close() {
	p.mu.Lock()
	conns := p.conns
	p.conns, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}
