package upstream

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/guard"
)

// Body goes to an upstream behind the head: it is in memory, in a file, or still on its
// way from the client (request_buffering off).
type Body struct {
	Data []byte
	// Frame, when not nil, appends a piece of the body to b as the protocol frames it, and
	// what ends the body for an empty one. It must not keep the piece.
	Frame func(b, piece []byte) []byte

	file string
	live bool // from the client as it comes; it cannot be sent again
}

// Live reports whether the body comes from the client while it is sent.
func (b *Body) Live() bool { return b.live }

// TakeBody reads the client's body, or leaves it to be passed on as it comes when
// request_buffering says so and canStream, that the protocol can. It returns core.OK or
// what ends the request.
func (x *Exchange) TakeBody(canStream bool) int {
	r, p := x.R, x.Conf
	own := r.OwnBody != nil || r != r.Main || r.Body.Read || r.Body.Discarded || r.Body.Taken
	if !p.requestBuffering.V && !own && p.PassBody.V && canStream &&
		(r.ContentLength > 0 || r.Chunked && !bodyAhead(r.Conn)) {
		x.Body.live = true
		r.Body.Read = true
		if !r.SendContinue() {
			return 500
		}
		return core.OK
	}
	if rc := r.ReadBody(nil); rc != core.OK {
		return rc
	}
	switch b := r.RequestBody(); {
	case !p.PassBody.V:
	case b.File != "" && r.ContentLength <= smallBody:
		var err error
		if x.Body.Data, err = b.Bytes(); err != nil {
			r.Log(errlog.Crit, err.Error())
			return 500
		}
	case b.File != "":
		x.Body.file = b.File
	default:
		x.Body.Data = b.Data
	}
	return core.OK
}

// bodyAhead reports whether the whole body has come with the head, or cannot be read.
func bodyAhead(conn core.Downstream) bool {
	c, ok := conn.(interface{ BodyAhead() bool })
	return ok && c.BodyAhead()
}

// smallBody is what goes out in one piece with the head. More than that is sent by
// a goroutine of its own, as the upstream may answer before it has read it.
const smallBody = 64 << 10

// send sends the request, or begins to.
func (x *Exchange) send() error {
	c, body := x.conn, &x.Body
	x.sender = nil
	if body.file == "" && !body.live && len(body.Data) <= smallBody {
		switch {
		case body.Frame != nil:
			var framed []byte
			if len(body.Data) > 0 {
				framed = body.Frame(nil, body.Data)
			}
			return c.WriteBoth(x.Head, body.Frame(framed, nil))
		case len(body.Data) == 0:
			_, err := c.Write(x.Head)
			return err
		}
		return c.WriteBoth(x.Head, body.Data)
	}
	if _, err := c.Write(x.Head); err != nil {
		return err
	}
	s := &bodySender{done: make(chan struct{})}
	if body.live {
		s.client = x.R.Conn
	}
	c.BeginBody()
	x.sender = s
	guard.Go(func() { s.run(x.R, body, c) })
	return nil
}

// bodySender sends a body while the response may already be coming.
type bodySender struct {
	client core.Downstream // whose body is passed on, nil for one that was read
	done   chan struct{}
	err    error // valid when done is closed
}

func (s *bodySender) run(r *core.Request, body *Body, c *Conn) {
	defer close(s.done)
	to := framer{c: c, frame: body.Frame}
	switch {
	case body.live:
		s.err = s.stream(r, &to)
	case body.file != "":
		s.err = sendFile(body.file, &to)
	default:
		_, s.err = to.Write(body.Data)
	}
	if s.err == nil {
		s.err = to.end()
	}
	c.EndBody(s.err != nil)
}

// framer sends pieces of a body as the protocol frames them.
type framer struct {
	c     *Conn
	frame func(b, piece []byte) []byte // nil for pieces that go as they are
	buf   []byte
}

func (f *framer) Write(p []byte) (int, error) {
	if f.frame == nil || len(p) == 0 {
		return f.c.Write(p)
	}
	f.buf = f.frame(f.buf[:0], p)
	if _, err := f.c.Write(f.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// end sends what stands behind the last piece.
func (f *framer) end() error {
	if f.frame == nil {
		return nil
	}
	_, err := f.c.Write(f.frame(f.buf[:0], nil))
	return err
}

// sendFile sends a body that was kept in a file.
func sendFile(path string, to *framer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, struct{ io.Reader }{f})
	return err
}

// stream passes the client's body on as it comes.
func (s *bodySender) stream(r *core.Request, to *framer) error {
	limit := r.Loc.MaxBodySize.V
	var total int64
	buf := make([]byte, 16<<10)
	for {
		n, err := s.client.ReadBody(buf)
		if n > 0 {
			total += int64(n)
			if r.Chunked && limit > 0 && total > limit {
				r.Logf(errlog.Err, "client intended to send too large chunked body: %d bytes", total)
				return errBodyTooLarge
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return &clientError{err}
		}
	}
}

// errBodyTooLarge ends a body that is longer than client_max_body_size.
var errBodyTooLarge = &clientError{errors.New("client intended to send too large body")}

// clientError is a failure on the client's side of a body that is passed on.
type clientError struct{ err error }

func (e *clientError) Error() string { return e.err.Error() }

// status is how nginx answers it.
func (e *clientError) status() int {
	switch {
	case e == errBodyTooLarge:
		return 413
	case errors.Is(e.err, core.ErrBodyTimeout):
		return core.StatusRequestTimeout
	}
	return 400
}

// finished reports whether the whole body went out.
func (s *bodySender) finished() bool {
	if s == nil {
		return true
	}
	select {
	case <-s.done:
		return s.err == nil
	default:
		return false
	}
}

// settle lets a sender end whose last byte has just gone out.
func (s *bodySender) settle() {
	if s == nil {
		return
	}
	select {
	case <-s.done:
	case <-time.After(settleTime):
	}
}

// settleTime is how long a response that is complete waits for its request.
const settleTime = 10 * time.Millisecond

// failure is why the body could not be sent, nil when it was or still is.
func (s *bodySender) failure() error {
	if s == nil {
		return nil
	}
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// wait waits for the end of a sender whose connection was closed.
func (s *bodySender) wait(r *core.Request) {
	if s == nil {
		return
	}
	for {
		select {
		case <-s.done:
			return
		case <-time.After(interruptPause):
		}
		if s.client != nil {
			// The rest of the body stays with the client. A read that begins just
			// now sets its own deadline, so one interrupt may not do.
			r.KeepAlive = false
			s.client.InterruptRead()
		}
	}
}

// interruptPause is the time between interrupts of a client's read.
const interruptPause = time.Millisecond
