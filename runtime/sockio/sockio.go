// Package sockio reads and writes sockets by one try of the system call that the
// scheduler does not hear of, and waits in the runtime's poller only where that finds
// nothing to do. An ordinary call through the scheduler wakes the runtime's monitor,
// which looks every 20 µs whether the call has come back and hands its processor over
// where it has not: with few requests that is half of what a request costs.
//
// It is for sockets in non-blocking mode, as package net makes them, and for nothing
// that may block.
package sockio

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// maxTry is the most that one call may write, in bytes: the collector waits for it.
const maxTry = 64 << 10

// Conn is a connection of package net. Deadlines and Close are that one's, and so are
// the kinds of its errors.
type Conn struct {
	net.Conn
	raw     syscall.RawConn
	in, out transfer
}

// transfer is one direction of a connection. Package net has one transfer at a time in
// each too; mu holds back who comes meanwhile.
type transfer struct {
	mu  sync.Mutex
	try func(fd uintptr) (done bool)
	p   []byte // what is read into, or is to be written
	n   int
	err syscall.Errno
}

// Wrap makes reads and writes of a TCP or Unix stream connection cheap. Any other
// connection comes back as it is.
func Wrap(nc net.Conn) net.Conn {
	if network := nc.LocalAddr().Network(); network != "tcp" && network != "unix" {
		return nc
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nc
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nc
	}
	c := &Conn{Conn: nc, raw: raw}
	c.in.try, c.out.try = c.in.read, c.out.write
	return c
}

// NetConn is the connection below.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// SyscallConn implements syscall.Conn.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// CloseWrite shuts the writing side down.
func (c *Conn) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.in.run(c, "read", c.raw.Read, p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) { return c.out.run(c, "write", c.raw.Write, p) }

// run transfers p; wait calls try, and again when the socket is ready, until it is done.
func (t *transfer) run(c *Conn, op string, wait func(func(uintptr) bool) error, p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p, t.n, t.err = p, 0, 0
	err := wait(t.try)
	t.p = nil
	if err == nil && t.err == 0 {
		return t.n, nil
	}
	if err == nil {
		err = os.NewSyscallError(op, t.err)
	} else if inner, ok := err.(*net.OpError); ok {
		err = inner.Err
	}
	return t.n, &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// read is one try.
func (t *transfer) read(fd uintptr) bool {
	t.n, t.err = Read(fd, t.p)
	if t.err == syscall.EAGAIN {
		t.err = 0
		return false
	}
	return true
}

// write goes on until all is written or the peer takes no more.
func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.p) {
		var n int
		n, t.err = Write(fd, t.p[t.n:])
		switch t.err {
		case 0:
			t.n += n
		case syscall.EAGAIN:
			t.err = 0
			return false
		default:
			return true
		}
	}
	return true
}
