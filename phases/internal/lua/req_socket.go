package lua

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/cosocket"
)

// ngxReqSocket is ngx.req.socket(raw): the client's side of the request as a socket.
func ngxReqSocket(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) > 1 {
		th.Errorf("expecting zero arguments, but got %d", len(args))
	}
	raw := rt.ArgAt(args, 0).Truthy()
	c := ctxOf(th)
	if r := c.Request; r != nil {
		switch {
		case r.IsSubrequest():
			th.Errorf("attempt to read the request body in a subrequest")
		case r.HTTPMajor >= 2:
			th.Errorf("http v2 not supported yet")
		case !raw && r.Chunked:
			return lib.Fail(th, "chunked request bodies not supported yet")
		}
	}
	gate(th, caller.Output, caller.NoRequest)
	h := socketHostOf(th)
	if raw {
		return h.rawSocket(th)
	}
	return h.bodySocket(th)
}

// rawSocket hands the client's connection over to the script, which writes the whole
// response from now on. What was said before and has not left the server is lost.
func (h *socketHost) rawSocket(th *rt.Thread) (rt.Value, int) {
	r := h.r
	switch {
	case r.Body.Reading, r.Body.Taken && bodyLeft(r) > 0:
		return lib.Fail(th, "pending request body reading in some other thread")
	case r.Conn.Blocked():
		return lib.Fail(th, "pending data to write")
	case note.Of(r).buffering:
		return lib.Fail(th, "http 1.0 buffering")
	}
	r.HeadersSent, r.Body.Taken = true, true
	if r.RawSocket {
		return lib.Fail(th, "duplicate call")
	}
	r.RawSocket, r.KeepAlive = true, false
	return h.api.sockets.Downstream(cosocket.NewDownstream(h, &rawConn{r.Conn.NetConn(), r}, true)), 1
}

// rawConn is the client's connection. A script that wants to know when the client
// leaves (lua_check_client_abort) is told so in words of their own.
type rawConn struct {
	net.Conn
	r *core.Request
}

// Read implements net.Conn.
func (c *rawConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF && loc.Of(c.r.Loc).checkClientAbort.V {
		err = clientAborted{}
	}
	return n, err
}

// NetConn is the connection itself, for socket options.
func (c *rawConn) NetConn() net.Conn { return c.Conn }

// bodySocket lets the script read the declared body itself.
func (h *socketHost) bodySocket(th *rt.Thread) (rt.Value, int) {
	r := h.r
	switch {
	case r.Body.Read || r.Body.Taken:
		return lib.Fail(th, "request body already exists")
	case r.Body.Discarded:
		return lib.Fail(th, "request body discarded")
	case r.ContentLength <= 0:
		return lib.Fail(th, "no body")
	}
	if !r.SendContinue() {
		return lib.Fail(th, "test expect failed")
	}
	r.Body.Taken = true
	c := &bodyConn{r: r, left: r.ContentLength}
	note.Of(r).bodyConn = c
	return h.api.sockets.Downstream(cosocket.NewDownstream(h, c, false)), 1
}

// discardArrived throws away what has come of a discarded body, and reports whether
// that was all of it.
func discardArrived(r *core.Request) bool {
	tb, ok := r.Conn.(timedBody)
	if !ok || r.ContentLength <= 0 {
		return true
	}
	buf := make([]byte, 4096)
	for {
		if _, err := tb.ReadBodyWithin(buf, time.Millisecond); err != nil {
			return err == io.EOF
		}
	}
}

// bodyLeft is how much of the body that a socket owns has not been read.
func bodyLeft(r *core.Request) int64 {
	if c := note.Of(r).bodyConn; c != nil {
		return c.left
	}
	return 0
}

// bodyConn reads the rest of a request's body. It has of a connection only what a
// socket that cannot write needs.
type bodyConn struct {
	net.Conn
	r        *core.Request
	left     int64
	deadline atomic.Int64 // in Unix nanoseconds; who interrupts a read sets it, too
}

// timedBody is a Downstream that can wait for the body for a given time. Others wait
// for client_body_timeout.
type timedBody interface {
	ReadBodyWithin(p []byte, d time.Duration) (int, error)
}

// Read implements net.Conn.
func (c *bodyConn) Read(p []byte) (n int, err error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	if tb, ok := c.r.Conn.(timedBody); ok {
		n, err = tb.ReadBodyWithin(p, time.Until(time.Unix(0, c.deadline.Load())))
	} else {
		n, err = c.r.Conn.ReadBody(p)
	}
	c.left -= int64(n)
	switch {
	case n > 0, err == nil:
		return n, nil
	case errors.Is(err, core.ErrBodyTimeout):
		return 0, os.ErrDeadlineExceeded
	case err == io.EOF && c.left == 0:
		return 0, io.EOF
	}
	return 0, clientAborted{}
}

// SetReadDeadline implements net.Conn.
func (c *bodyConn) SetReadDeadline(t time.Time) error {
	c.deadline.Store(t.UnixNano())
	if !t.IsZero() && time.Until(t) <= 0 { // somebody ends a wait for the body
		c.r.Conn.InterruptRead()
	}
	return nil
}

// SyscallConn implements syscall.Conn, for socket options.
func (c *bodyConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.r.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, syscall.ENOTSOCK
}

// SetDeadline implements net.Conn.
func (c *bodyConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// clientAborted is the end of a client that still owes bytes of its body.
type clientAborted struct{}

func (clientAborted) Error() string { return "client aborted" }

// SocketError is the text that the script sees.
func (clientAborted) SocketError() string { return "client aborted" }
