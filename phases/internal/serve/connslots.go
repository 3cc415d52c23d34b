package serve

import (
	"cmp"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// connSlots counts what takes one of nginx's worker_connections: clients, connections
// to upstreams, cosockets, and in each worker the listening sockets and the channel
// to the master. The workers share the process, so they share the slots as well.
type connSlots struct {
	each   atomic.Int64 // worker_connections
	all    atomic.Int64 // those of all workers
	limit  atomic.Int64 // all without what the workers need for themselves
	used   atomic.Int64
	warned atomic.Int64 // when reuse was last logged, Unix seconds
	// spare is called when slots run short: it closes some of the clients that wait,
	// gives their slots back and returns how many there were to choose from.
	spare func(warn func()) int
}

// configure takes over the numbers of a configuration.
func (s *connSlots) configure(c *core.Cycle) {
	taken := len(c.Listens)
	if c.Main.MasterProcess.OrDefault(true) {
		taken++
	}
	each := int64(c.Main.Connections.V)
	workers := int64(max(c.Main.WorkerProcesses.V, 1))
	s.each.Store(each)
	s.all.Store(each * workers)
	s.limit.Store(max(each-int64(taken), 0) * workers)
}

// take takes a slot (ngx_get_connection).
func (s *connSlots) take(log func(errlog.Level, string)) error {
	limit := s.limit.Load()
	if limit-s.used.Load() <= s.all.Load()/16 && s.spare != nil {
		s.spare(func() {
			if now := time.Now().Unix(); s.warned.Swap(now) != now {
				log(errlog.Warn, (&core.ConnLimitError{Each: s.each.Load()}).Error()+", reusing connections")
			}
		})
	}
	if s.used.Add(1) > limit {
		s.used.Add(-1)
		return &core.ConnLimitError{Each: s.each.Load()}
	}
	return nil
}

func (s *connSlots) give() { s.used.Add(-1) }

// Dial implements ConnLimit.
func (s *connSlots) Dial(dial func() (net.Conn, error)) (net.Conn, error) {
	if err := s.take(func(errlog.Level, string) {}); err != nil {
		return nil, err
	}
	core.ConnNumbers.Add(1) // connections of ours have numbers too
	nc, err := dial()
	if err != nil {
		s.give()
		return nil, err
	}
	return &slotConn{Conn: nc, slots: s}, nil
}

// slotConn is a connection that holds a slot.
type slotConn struct {
	net.Conn
	slots *connSlots
	given atomic.Bool
}

// Close implements net.Conn.
func (c *slotConn) Close() error {
	if !c.given.Swap(true) {
		c.slots.give()
	}
	return c.Conn.Close()
}

// NetConn is the connection itself.
func (c *slotConn) NetConn() net.Conn { return c.Conn }

// SyscallConn implements syscall.Conn.
func (c *slotConn) SyscallConn() (syscall.RawConn, error) {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, syscall.EINVAL
	}
	return sc.SyscallConn()
}

// maxReused is how many connections are closed at a time for others to come.
const maxReused = 32

// reuseConns closes connections that wait for a request, those first that have
// waited longest (ngx_drain_connections).
func (p *Process) reuseConns(warn func()) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	type idleConn struct {
		*conn
		since int64
	}
	var idle []idleConn
	for c := range p.conns {
		if word := c.wait.word.Load(); word&clientStates == clientWaits || word&clientStates == clientKeeps {
			idle = append(idle, idleConn{c, word})
		}
	}
	if len(idle) == 0 {
		return 0
	}
	warn()
	slices.SortFunc(idle, func(a, b idleConn) int { return cmp.Compare(a.since, b.since) })
	for _, c := range idle[:max(min(maxReused, len(idle)/8), 1)] {
		if c.wait.cut(clientKeeps, c.socket) || c.wait.cut(clientWaits, c.socket) {
			c.slotGiven.Store(true)
			p.slots.give()
		}
	}
	return len(idle)
}
