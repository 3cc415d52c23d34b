package upstream

import (
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/http1"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/runtime/sockio"
)

// Conn is a connection to an upstream.
type Conn struct {
	net.Conn
	raw  syscall.RawConn // of the socket, below TLS; nil when there is none
	tls  *tls.Conn       // nil without TLS
	addr string
	kind any // the TLS settings it was made with: others must not use it

	place any // where it was used last

	requests  int64 // sent on it
	made      time.Time
	idleSince time.Time
	idleFor   time.Duration // at most, 0 for what the pool says

	reads, writes       http1.Deadline
	readWait, writeWait time.Duration
	wrote               atomic.Int64 // of the current request
	sending             atomic.Bool  // the request is still going out: the time to answer has not begun
	severed             atomic.Bool  // cut was called
}

// errCut ends the use of a connection whose client has gone.
var errCut = errors.New("the client has gone")

// Cut makes reads and writes fail from now on, also those that wait.
func (c *Conn) Cut() {
	c.severed.Store(true)
	_ = c.Conn.SetDeadline(time.Unix(1, 0))
}

// Abandon closes the connection, which may be in use.
func (c *Conn) Abandon() {
	c.severed.Store(true)
	c.Close()
}

// Begin prepares the connection for a request: each piece of it may take send, and
// each piece of the answer read.
func (c *Conn) Begin(read, send time.Duration) {
	c.requests++
	c.readWait, c.writeWait = read, send
	c.wrote.Store(0)
}

// BeginBody says that the body goes out while the answer is waited for: the time for
// that begins with EndBody.
func (c *Conn) BeginBody() {
	c.sending.Store(true)
	_ = c.setReadDeadline(time.Time{})
	c.reads.Forget()
}

// EndBody says that the body went out. Of an upstream that did not take it only what
// it has said so far is of interest.
func (c *Conn) EndBody(failed bool) {
	c.sending.Store(false)
	wait := c.readWait
	if failed {
		wait = 0
	}
	_ = c.setReadDeadline(time.Now().Add(wait))
	if c.severed.Load() {
		c.Cut()
	}
}

// Secure makes TLS what the connection speaks.
func (c *Conn) Secure(t *tls.Conn, kind any) { c.Conn, c.tls, c.kind = t, t, kind }

// Sent is how many bytes of the current request went out.
func (c *Conn) Sent() int64 { return c.wrote.Load() }

// NewConn makes a connection to addr one of an upstream.
func NewConn(nc net.Conn, addr string) *Conn {
	c := &Conn{Conn: nc, addr: addr, made: time.Now()}
	if sc, ok := nc.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn()
	}
	c.reads, c.writes = http1.NewDeadline(c.setReadDeadline), http1.NewDeadline(c.setWriteDeadline)
	return c
}

func (c *Conn) setReadDeadline(t time.Time) error  { return c.Conn.SetReadDeadline(t) }
func (c *Conn) setWriteDeadline(t time.Time) error { return c.Conn.SetWriteDeadline(t) }

// Read waits for at most read_timeout.
func (c *Conn) Read(p []byte) (int, error) {
	if !c.sending.Load() {
		c.reads.Extend(c.readWait)
	}
	if c.severed.Load() { // after the deadline was moved, so that no cut is lost
		return 0, errCut
	}
	return c.Conn.Read(p)
}

// writePiece is how much must go out within send_timeout.
const writePiece = 64 << 10

// Write sends p; each piece of it may take send_timeout.
func (c *Conn) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		c.writes.Extend(c.writeWait)
		if c.severed.Load() {
			return n, errCut
		}
		var sent int
		sent, err = c.Conn.Write(p[:min(len(p), writePiece)])
		c.wrote.Add(int64(sent))
		n, p = n+sent, p[sent:]
	}
	return n, err
}

// WriteBoth sends two short pieces at once.
func (c *Conn) WriteBoth(a, b []byte) error {
	c.writes.Extend(c.writeWait)
	if c.severed.Load() {
		return errCut
	}
	bufs := net.Buffers{a, b}
	n, err := bufs.WriteTo(c.Conn)
	c.wrote.Add(n)
	return err
}

// Rest prepares the connection for being idle: no deadline ends it.
func (c *Conn) Rest() {
	_ = c.Conn.SetDeadline(time.Time{})
	c.reads.Forget()
	c.writes.Forget()
}

// quiet reports whether nothing waits to be read on a connection that nobody
// reads: no bytes, no end, no error.
func (c *Conn) quiet() bool {
	if c.raw == nil {
		return false
	}
	quiet := false
	err := c.raw.Control(func(fd uintptr) {
		_, err := sockio.Peek(fd)
		quiet = err == syscall.EAGAIN
	})
	return err == nil && quiet && (c.tls == nil || c.emptyTLS())
}

// emptyTLS reports whether TLS has not read ahead: a read that may not wait finds
// nothing.
func (c *Conn) emptyTLS() bool {
	var b [1]byte
	c.reads.Forget()
	_ = c.tls.SetReadDeadline(time.Unix(1, 0))
	n, err := c.tls.Read(b[:])
	return n == 0 && core.IsTimeout(err)
}

// pipePause is how long an upstream that has sent a full buffer is given to send
// more before that is passed on.
const pipePause = time.Millisecond

// Readable tells whether more has come on the connection, or comes in a moment.
func (c *Conn) Readable() bool {
	if c == nil || c.raw == nil {
		return false
	}
	look := func() (ready bool) {
		_ = c.raw.Control(func(fd uintptr) {
			_, err := sockio.Peek(fd)
			ready = err == 0
		})
		return ready
	}
	if look() {
		return true
	}
	time.Sleep(pipePause)
	return look()
}
