package upstream

import (
	"cmp"
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
	wait := func(f func(p *IdlePool) *core.Opt[time.Duration]) core.Setter {
		return core.SetMsec(func(c *core.Compiler) *core.Opt[time.Duration] { return f(&Server.At(c).Pool) })
	}
	return []core.Directive{
		{Name: "keepalive", In: core.InUpstream, Args: core.Take12, Set: setKeepalive},
		{Name: "keepalive_requests", In: core.InUpstream, Args: core.Take1, Set: core.SetNumber(func(c *core.Compiler) *core.Opt[int] { return &Server.At(c).Pool.requests })},
		{Name: "keepalive_time", In: core.InUpstream, Args: core.Take1, Set: wait(func(p *IdlePool) *core.Opt[time.Duration] { return &p.life })},
		{Name: "keepalive_timeout", In: core.InUpstream, Args: core.Take1, Set: wait(func(p *IdlePool) *core.Opt[time.Duration] { return &p.timeout })},
	}
}

// setKeepalive reads keepalive CONNECTIONS [local].
func setKeepalive(c *core.Compiler, d *conf.Directive) error {
	p := &Server.At(c).Pool
	byDefault := c.Cycle.Stack.Has(compat.KeptUpstreams)
	n, ok := ngxtext.ParseDecimal(d.Args[0])
	switch {
	case p.set:
		return core.ErrDuplicate
	case !byDefault && len(d.Args) == 2:
		return d.Errorf("invalid number of arguments in \"%s\" directive", d.Name)
	case !ok, n == 0 && !byDefault:
		return fmt.Errorf("invalid value \"%s\" in \"%s\" directive", d.Args[0], d.Name)
	case len(d.Args) == 2 && d.Args[1] != "local":
		return invalidParameter(d.Args[1])
	}
	p.set, p.wraps, p.size, p.local = true, !byDefault, int(n), len(d.Args) == 2
	return nil
}

// sizeIdlePools makes room for what all workers keep, as they share the pools here.
func sizeIdlePools(c *core.Compiler) error {
	for _, u := range main.At(c).list {
		p := &u.Pool
		p.timeout.Merge(core.Opt[time.Duration]{}, time.Minute)
		p.requests.Merge(core.Opt[int]{}, 1000)
		p.life.Merge(core.Opt[time.Duration]{}, time.Hour)
		switch {
		case p.off:
			p.size = 0
		case !p.set && c.Cycle.Stack.Has(compat.KeptUpstreams):
			p.size, p.local = defaultSize, true
		}
		workers := max(c.Cycle.Main.WorkerProcesses.V, 1)
		p.limit = p.size * workers
		u.sizeKept(workers)
	}
	return nil
}

// closeIdleUpstreams closes the connections that are kept for reuse.
func closeIdleUpstreams(c *core.Cycle) {
	for _, u := range main.Of(c).list {
		u.Pool.close()
		u.Kept.close()
	}
}

// IdlePool keeps connections of an upstream for later requests (keepalive and its
// kin). What is in it is clean: a connection on which something arrives, be it the
// peer's end, is closed and not used again.
type IdlePool struct {
	size     int                     // keepalive: connections a worker keeps, 0: none
	timeout  core.Opt[time.Duration] // keepalive_timeout
	requests core.Opt[int]           // keepalive_requests
	life     core.Opt[time.Duration] // keepalive_time
	local    bool                    // a connection is for the location that made it, and no other
	set      bool                    // there was a keepalive
	wraps    bool                    // it stands behind the method, and another method behind it would end it
	off      bool                    // such a one came
	limit    int                     // size for all workers

	mu     sync.Mutex
	conns  []*Conn     // the one that was used last is last
	timer  *time.Timer // looks after them while there are any
	closed bool        // the configuration is being left
}

// defaultSize is the number of connections that are kept when nobody says how many.
const defaultSize = 32

// idleCheck is how often idle connections are looked at. One that is taken is
// looked at in any case.
const idleCheck = 100 * time.Millisecond

// Take gets a kept connection of a kind to addr, nil when there is none. Kinds that differ
// share no connections, nor do places where the upstream keeps them apart.
func (p *IdlePool) Take(addr string, kind, place any) *Conn {
	if p.size == 0 {
		return nil
	}
	if !p.local {
		place = nil
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
		if c := p.conns[i]; c.addr == addr && c.kind == kind && (place == nil || c.place == place) {
			p.conns = append(p.conns[:i], p.conns[i+1:]...)
			return c
		}
	}
	return nil
}

// Put stores a clean connection that was used in a place, or closes it when it has served
// long enough. The one that was idle longest makes room.
func (p *IdlePool) Put(c *Conn, place any) {
	now := time.Now()
	if p.size == 0 || c.requests >= int64(p.requests.V) || now.Sub(c.made) > p.life.V || !c.quiet() {
		c.Close()
		return
	}
	c.Rest()
	c.idleSince, c.place = now, place
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
		if now.Sub(c.idleSince) > cmp.Or(c.idleFor, p.timeout.V) || !c.quiet() {
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
