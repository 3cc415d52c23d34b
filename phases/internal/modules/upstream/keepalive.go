package upstream

import (
	"fmt"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/guard"
)

// KeepaliveModule is ngx_http_upstream_keepalive_module.
var KeepaliveModule = &core.Module{
	Name:       "upstream_keepalive",
	Directives: keepaliveDirectives,
	Finish:     sizeIdlePools,
	Drain:      closeIdleUpstreams,
}

func keepaliveDirectives() []core.Directive {
	pool := func(f func(p *IdlePool) *time.Duration) core.Setter {
		return func(c *core.Compiler, d *conf.Directive) error {
			v, ok := ngxtext.ParseTime(d.Args[0])
			if !ok {
				return core.ErrInvalidValue
			}
			*f(&Server.At(c).Pool) = v
			return nil
		}
	}
	return []core.Directive{
		{Name: "keepalive", In: core.InUpstream, Args: core.Take12, Set: setKeepalive},
		{Name: "keepalive_requests", In: core.InUpstream, Args: core.Take1, Set: setRequests},
		{Name: "keepalive_time", In: core.InUpstream, Args: core.Take1, Set: pool(func(p *IdlePool) *time.Duration { return &p.life })},
		{Name: "keepalive_timeout", In: core.InUpstream, Args: core.Take1, Set: pool(func(p *IdlePool) *time.Duration { return &p.timeout })},
	}
}

// setKeepalive reads keepalive CONNECTIONS [local]. With an OpenResty whose upstreams
// keep connections anyway, 0 is how to say that they shall not.
func setKeepalive(c *core.Compiler, d *conf.Directive) error {
	byDefault := c.Cycle.Stack.Has(compat.KeptUpstreams)
	p := &Server.At(c).Pool
	if p.written {
		return core.ErrDuplicate
	}
	if len(d.Args) > 1 && !byDefault {
		return d.Errorf("invalid number of arguments in \"keepalive\" directive")
	}
	n, ok := ngxtext.ParseDecimal(d.Args[0])
	if !ok || n == 0 && !byDefault {
		return fmt.Errorf("invalid value \"%s\" in \"keepalive\" directive", d.Args[0])
	}
	if len(d.Args) > 1 && d.Args[1] != "local" {
		return fmt.Errorf("invalid parameter \"%s\"", d.Args[1])
	}
	p.size, p.local, p.written = int(n), len(d.Args) > 1, true
	return nil
}

func setRequests(c *core.Compiler, d *conf.Directive) error {
	n, ok := ngxtext.ParseDecimal(d.Args[0])
	if !ok {
		return core.DirectiveError("invalid number")
	}
	Server.At(c).Pool.requests = n
	return nil
}

// sizeIdlePools makes room for what all workers keep, as they share the pools here.
func sizeIdlePools(c *core.Compiler) error {
	for _, u := range main.At(c).byName {
		u.Pool.limit = u.Pool.size * max(c.Cycle.Main.WorkerProcesses.V, 1)
	}
	return nil
}

// closeIdleUpstreams closes the connections that are kept for reuse.
func closeIdleUpstreams(c *core.Cycle) {
	for _, u := range main.Of(c).byName {
		u.Pool.close()
	}
}

// IdlePool keeps connections of an upstream for later requests (keepalive and its
// kin). What is in it is clean: a connection on which something arrives, be it the
// peer's end, is closed and not used again.
type IdlePool struct {
	size     int           // keepalive: connections a worker keeps, 0: none
	local    bool          // they serve the location again that they were made for, no other
	written  bool          // keepalive is in the block
	timeout  time.Duration // keepalive_timeout
	requests int64         // keepalive_requests
	life     time.Duration // keepalive_time
	limit    int           // size for all workers

	mu     sync.Mutex
	conns  []*Conn     // the one that was used last is last
	timer  *time.Timer // looks after them while there are any
	closed bool        // the configuration is being left
}

// defaults settles what the directives of the block may change.
func (p *IdlePool) defaults(stack *compat.Stack) {
	p.timeout, p.requests, p.life = time.Minute, 1000, time.Hour
	if stack.Has(compat.KeptUpstreams) {
		p.size, p.local = 32, true
	}
}

// idleCheck is how often idle connections are looked at. One that is taken is
// looked at in any case.
const idleCheck = 100 * time.Millisecond

// Take gets a kept connection of a kind to addr, nil when there is none; place is the
// configuration of the location that asks.
func (p *IdlePool) Take(addr string, kind, place any) *Conn {
	if p.size == 0 {
		return nil
	}
	for {
		c := p.remove(addr, kind, place)
		if c == nil || c.quiet() {
			return c
		}
		c.Close()
	}
}

func (p *IdlePool) remove(addr string, kind, place any) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.conns) - 1; i >= 0; i-- {
		if c := p.conns[i]; c.addr == addr && c.kind == kind && (!p.local || c.place == place) {
			p.conns = append(p.conns[:i], p.conns[i+1:]...)
			return c
		}
	}
	return nil
}

// Put stores a clean connection that place has used, or closes it when it has served
// long enough. The one that was idle longest makes room.
func (p *IdlePool) Put(c *Conn, place any) {
	now := time.Now()
	c.place = place
	if p.size == 0 || c.requests >= p.requests || now.Sub(c.made) > p.life || !c.quiet() {
		c.Close()
		return
	}
	c.Rest()
	c.idleSince = now
	var drop *Conn
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
func (p *IdlePool) check() {
	var drop []*Conn
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
func (p *IdlePool) close() {
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
