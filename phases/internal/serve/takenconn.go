package serve

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// takenConn is the client's connection in the hands of a script. While the script does
// not read, the client's leaving is watched for as before (lua_check_client_abort).
type takenConn struct {
	net.Conn
	owner    *conn
	ahead    []byte       // read before the script asked
	deadline atomic.Int64 // of reads, in Unix nanoseconds; 0 for none
}

// Read implements net.Conn.
func (c *takenConn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	o := c.owner
	o.watch.pause(&o.rd)
	c.applyDeadline()
	n, err := c.Conn.Read(p)
	if err != io.EOF { // else the script knows that the client has left
		o.watch.resume(&o.rd)
	}
	return n, err
}

func (c *takenConn) applyDeadline() {
	var t time.Time
	if ns := c.deadline.Load(); ns != 0 {
		t = time.Unix(0, ns)
	}
	_ = c.Conn.SetReadDeadline(t)
}

// SetReadDeadline implements net.Conn. It reaches a read that is under way, and does
// not disturb the watch otherwise.
func (c *takenConn) SetReadDeadline(t time.Time) error {
	ns := int64(0)
	if !t.IsZero() {
		ns = t.UnixNano()
	}
	c.deadline.Store(ns)
	if ns != 0 && time.Until(t) <= 0 {
		c.owner.rd.Interrupt()
	}
	return nil
}

// SetDeadline implements net.Conn.
func (c *takenConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.Conn.SetWriteDeadline(t)
}

// SyscallConn implements syscall.Conn, for socket options.
func (c *takenConn) SyscallConn() (syscall.RawConn, error) { return c.owner.SyscallConn() }

// Close leaves the connection to the server, whose it is.
func (c *takenConn) Close() error { return nil }
