package phases

import (
	"sync"
	"time"

	"github.com/moonphase/moonphase/runtime/guard"
)

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
