package cosocket

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
	"github.com/moonphase/moonphase/runtime/sockio"
)

// Pools are the keepalive pools of one worker. Unlike the rest of the package they
// are also changed by goroutines that hold no baton: those that watch idle
// connections for the peer's close and for the end of their idle time.
type Pools struct {
	// Log writes a debug line; nil for none.
	Log func(string)
	// Slots bounds the connections; nil for no bound.
	Slots Slots

	mu      sync.Mutex
	byKey   map[string]*pool
	sweep   *time.Timer // starts watchers for fresh idle connections
	exiting bool
}

// A pool keeps idle connections of one key. It exists as long as it has connections,
// idle or in use.
type pool struct {
	key         string
	size        int
	backlog     int // connects that may queue; -1: connects are not limited
	connections int // idle, in use and queued
	idle        []*idleConn
	queue       []*queuedConnect
}

// idleConn is a connection in a pool. Nobody watches it for the first unwatched
// moments, so that busy pools do not pay for a goroutine each time.
type idleConn struct {
	conn    net.Conn
	reused  int
	since   time.Time
	timeout time.Duration // 0: no limit
	watcher chan struct{} // closed when the watcher has ended; nil without one
	taken   bool
	broken  bool // the watcher has seen the peer's close or data
}

// unwatched is how long an idle connection may go unwatched.
const unwatched = 10 * time.Millisecond

// queuedConnect is a connect that waits for a connection to be given back.
type queuedConnect struct{ parking *rt.Parking }

// NewPools returns empty pools.
func NewPools(log func(string)) *Pools { return &Pools{Log: log, byKey: map[string]*pool{}} }

// Shutdown closes idle connections and keeps none from now on, as a worker that
// exits does.
func (p *Pools) Shutdown() {
	p.mu.Lock()
	p.exiting = true
	var conns []*idleConn
	for _, pl := range p.byKey {
		p.logf("lua tcp socket keepalive: free connection pool %v for \"%s\"", rt.Address{Pointer: pl}, pl.key)
		conns = append(conns, pl.idle...)
		for _, ic := range pl.idle {
			ic.taken = true
		}
		pl.connections -= len(pl.idle)
		pl.idle = nil
	}
	p.mu.Unlock()
	for _, ic := range conns {
		ic.conn.Close()
	}
}

func (p *Pools) logf(format string, args ...any) {
	if p.Log != nil {
		p.Log(fmt.Sprintf(format, args...))
	}
}

// lookup finds the pool of a key, or makes it when size is positive.
func (p *Pools) lookup(key string, size, backlog int, debugf func(string, ...any)) *pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.byKey[key]
	if pl == nil && size > 0 {
		debugf("lua tcp socket connection pool size: %d, backlog: %d", size, backlog)
		debugf("lua tcp socket keepalive create connection pool for key \"%s\"", key)
		pl = &pool{key: key, size: size, backlog: backlog}
		p.byKey[key] = pl
	}
	return pl
}

// take removes the most recently used idle connection that still is good.
func (p *Pools) take(pl *pool) *idleConn {
	for {
		p.mu.Lock()
		n := len(pl.idle)
		if n == 0 {
			p.mu.Unlock()
			return nil
		}
		ic := pl.idle[n-1]
		pl.idle[n-1] = nil
		pl.idle = pl.idle[:n-1]
		ic.taken = true
		watcher := ic.watcher
		p.mu.Unlock()
		if watcher != nil {
			ic.conn.SetReadDeadline(time.Unix(1, 0))
			<-watcher
		}
		if !ic.broken && quiet(ic.conn) {
			return ic
		}
		ic.conn.Close()
		p.logf("lua tcp socket keepalive close handler: fd:%d", 0)
		p.closed(pl)
	}
}

// enter counts a connection that is about to be made. It reports whether the connect
// has to queue, or why it may not even do that.
func (p *Pools) enter(pl *pool, resuming bool) (q *queuedConnect, failure string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl.connections++
	if pl.backlog < 0 || resuming {
		return nil, ""
	}
	if pl.connections > pl.size+pl.backlog {
		pl.connections--
		return nil, "too many waiting connect operations"
	}
	if pl.connections > pl.size {
		return &queuedConnect{}, ""
	}
	return nil, ""
}

// wait queues until a connection of the pool is given back or closed. Its count is
// taken back either way.
func (p *Pools) wait(th *rt.Thread, pl *pool, q *queuedConnect, timeout time.Duration) bool {
	q.parking = th.Park()
	p.mu.Lock()
	pl.queue = append(pl.queue, q)
	p.mu.Unlock()
	resumed := false
	defer func() { // also when the light thread is killed
		p.mu.Lock()
		defer p.mu.Unlock()
		if resumed {
			pl.connections--
			return
		}
		for i, other := range pl.queue {
			if other == q {
				pl.queue = append(pl.queue[:i], pl.queue[i+1:]...)
				break
			}
		}
		p.logf("lua tcp socket abort queueing")
		p.closedLocked(pl)
	}()
	resumed = q.parking.Wait(timeout)
	return resumed
}

// resume lets the longest waiting connect go on. The caller holds the lock.
func (pl *pool) resume() {
	for len(pl.queue) > 0 {
		q := pl.queue[0]
		pl.queue = pl.queue[1:]
		if q.parking.Wake() {
			return
		}
	}
}

// closed counts a connection of the pool less; the pool goes with its last one.
func (p *Pools) closed(pl *pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closedLocked(pl)
}

func (p *Pools) closedLocked(pl *pool) {
	pl.connections--
	if pl.connections > 0 {
		pl.resume()
		return
	}
	if p.byKey[pl.key] == pl {
		p.logf("lua tcp socket keepalive: free connection pool for \"%s\"", pl.key)
		delete(p.byKey, pl.key)
	}
}

// put keeps an idle connection. When the pool is full the least recently used one is
// closed for it. counted says that the connection is in the pool's count already.
func (p *Pools) put(pl *pool, ic *idleConn, counted bool) {
	p.mu.Lock()
	var evicted *idleConn
	if !counted {
		pl.connections++
	}
	if len(pl.idle) >= pl.size {
		evicted = pl.idle[0]
		evicted.taken = true
		pl.idle = append(pl.idle[:0], pl.idle[1:]...)
		pl.connections--
	}
	ic.since = time.Now()
	pl.idle = append(pl.idle, ic)
	if ic.timeout > 0 && ic.timeout <= unwatched {
		p.watch(pl, ic)
	} else if p.sweep == nil {
		p.sweep = time.AfterFunc(unwatched, p.watchAll)
	}
	pl.resume()
	p.mu.Unlock()
	if evicted != nil {
		evicted.conn.Close()
	}
}

// watchAll starts watchers for what has been idle for a while.
func (p *Pools) watchAll() {
	defer guard.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep = nil
	again := false
	for _, pl := range p.byKey {
		for _, ic := range pl.idle {
			if ic.watcher != nil {
				continue
			}
			if time.Since(ic.since) >= unwatched/2 {
				p.watch(pl, ic)
			} else {
				again = true
			}
		}
	}
	if again {
		p.sweep = time.AfterFunc(unwatched, p.watchAll)
	}
}

// watch starts a goroutine that closes ic when the peer does, when data comes that
// nobody asked for, or when its time is over. The caller holds the lock.
func (p *Pools) watch(pl *pool, ic *idleConn) {
	ic.watcher = make(chan struct{})
	var end time.Time
	if ic.timeout > 0 {
		end = ic.since.Add(ic.timeout)
	}
	ic.conn.SetReadDeadline(end)
	guard.Go(func() {
		defer close(ic.watcher)
		var one [1]byte
		n, err := ic.conn.Read(one[:])
		p.mu.Lock()
		defer p.mu.Unlock()
		expired := n == 0 && isTimeout(err)
		if ic.taken {
			ic.broken = !expired
			return
		}
		for i, other := range pl.idle {
			if other == ic {
				pl.idle = append(pl.idle[:i], pl.idle[i+1:]...)
				break
			}
		}
		if expired {
			p.logf("lua tcp socket keepalive max idle timeout")
		}
		p.logf("lua tcp socket keepalive close handler: fd:%d", descriptor(ic.conn))
		ic.conn.Close()
		p.closedLocked(pl)
	})
}

// quiet reports that a connection is open and that no data waits in it.
func quiet(conn net.Conn) bool { return stateOf(conn) == connQuiet }

// connState is what a connection that nobody reads looks like.
type connState uint8

const (
	connQuiet connState = iota // open, and nothing waits
	connData                   // something waits
	connEnded                  // the peer has closed its side, or the connection failed
)

// stateOf looks at a connection without taking anything from it.
func stateOf(conn net.Conn) connState {
	if conn.SetReadDeadline(time.Time{}) != nil {
		return connEnded
	}
	sc, ok := underlying(conn).(syscall.Conn)
	if !ok {
		return connQuiet
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return connEnded
	}
	_, isTLS := conn.(*tls.Conn)
	state := connEnded
	err = raw.Read(func(fd uintptr) bool {
		n, err := sockio.Peek(fd)
		switch {
		case err == syscall.EAGAIN:
			state = connQuiet
		case err == 0 && n > 0:
			state = connData
		}
		return true
	})
	switch {
	case err != nil:
		return connEnded
	case state == connData && isTLS:
		return readRecords(conn)
	}
	return state
}

// recordTime is how long readRecords waits for data that does not come.
const recordTime = 100 * time.Microsecond

// readRecords reads what waits in a TLS connection: often that is no data but a
// session ticket.
func readRecords(conn net.Conn) connState {
	conn.SetReadDeadline(time.Now().Add(recordTime))
	defer conn.SetReadDeadline(time.Time{})
	var one [1]byte
	switch n, err := conn.Read(one[:]); {
	case n > 0:
		return connData
	case isTimeout(err):
		return connQuiet
	}
	return connEnded
}

// underlying is the connection below TLS.
func underlying(conn net.Conn) net.Conn {
	for {
		c, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = c.NetConn()
	}
}

// dial opens a connection if there may be one more.
func (p *Pools) dial(open func() (net.Conn, error)) (net.Conn, error) {
	if p.Slots != nil {
		return p.Slots.Dial(open)
	}
	nc, err := open()
	if err != nil {
		return nil, err
	}
	return sockio.Wrap(nc), nil
}

// descriptor is a connection's file descriptor, for log lines; 0 when there is none.
func descriptor(conn net.Conn) (fd int) {
	if sc, ok := underlying(conn).(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(f uintptr) { fd = int(f) })
		}
	}
	return fd
}

func (p *Pools) isExiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exiting
}
