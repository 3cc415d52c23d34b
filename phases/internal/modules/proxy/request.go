package proxy

import (
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/guard"
)

// outgoing is the body that goes to an upstream: in memory, in a file, or still on
// its way from the client (proxy_request_buffering off).
type outgoing struct {
	data    []byte
	file    string
	live    bool // from the client as it comes
	chunked bool // in chunks, as its length is not known
}

// streams reports whether the body passes through and cannot be sent again.
func (o *outgoing) streams() bool { return o.live }

// takeBody reads the client's body, or leaves it to be passed on as it comes.
func (x *exchange) takeBody() int {
	r, p := x.r, x.conf
	own := r.OwnBody != nil || r != r.Main || r.Body.Read || r.Body.Discarded || r.Body.Taken
	if !p.requestBuffering.V && !own && !p.setBody.Set && p.passBody.V &&
		(r.ContentLength > 0 || r.Chunked && p.httpVersion.V == http11 && !bodyAhead(r.Conn)) {
		x.body = outgoing{live: true, chunked: r.Chunked}
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
	case p.setBody.Set:
		x.body.data = []byte(p.setBody.V.Eval(r))
	case !p.passBody.V:
	case b.File != "" && r.ContentLength <= smallBody:
		var err error
		if x.body.data, err = b.Bytes(); err != nil {
			r.Log(errlog.Crit, err.Error())
			return 500
		}
	case b.File != "":
		x.body.file = b.File
	default:
		x.body.data = b.Data
	}
	return core.OK
}

// bodyAhead reports whether the whole body has come with the head, or cannot be read.
func bodyAhead(conn core.Downstream) bool {
	c, ok := conn.(interface{ BodyAhead() bool })
	return ok && c.BodyAhead()
}

// defaultHeaders are the lines of the client's head that are not passed on: the
// proxy writes its own or none.
var defaultHeaders = map[string]bool{
	"host": true, "connection": true, "content-length": true, "transfer-encoding": true,
	"te": true, "keep-alive": true, "expect": true, "upgrade": true,
}

// build makes the head of the request that goes to the upstream
// (ngx_http_proxy_create_request).
func (x *exchange) build() int {
	r, p := x.r, x.conf
	method := r.Method
	if m := p.method.V.Eval(r); m != "" {
		method = m
	}
	x.isHead = ngxtext.EqualFold(method, "HEAD")
	x.st.URI = uriOf(r, x.t)
	if x.st.URI == "" {
		r.Log(errlog.Err, "zero length URI to proxy")
		return 500
	}
	b := make([]byte, 0, 512)
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, x.st.URI...)
	if p.httpVersion.V == http11 {
		b = append(b, " HTTP/1.1\r\n"...)
	} else {
		b = append(b, " HTTP/1.0\r\n"...)
	}
	for i := range p.setHeaders {
		h := &p.setHeaders[i]
		if v := h.value.Eval(r); v != "" {
			b = core.AppendHeader(b, h.name, v)
		}
	}
	if !p.setsHeader("host") {
		b = core.AppendHeader(b, "Host", x.t.host)
	}
	if p.closes && !p.setsHeader("connection") {
		b = append(b, "Connection: close\r\n"...)
	}
	if n := x.bodyLength(); n >= 0 && !p.setsHeader("content-length") {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, n, 10)
		b = append(b, '\r', '\n')
	}
	if x.body.chunked && !p.setsHeader("transfer-encoding") {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if p.passHeaders.V {
		for i := range r.In {
			name := ngxtext.Lower(r.In[i].Name)
			if !defaultHeaders[name] && !p.setsHeader(name) {
				b = core.AppendHeader(b, r.In[i].Name, r.In[i].Value)
			}
		}
	}
	x.head = append(b, '\r', '\n')
	return core.OK
}

// bodyLength is the Content-Length that the upstream is told, -1 for none. It is
// that of the client's body, also when this is not passed on.
func (x *exchange) bodyLength() int64 {
	switch r := x.r; {
	case x.conf.setBody.Set:
		return int64(len(x.body.data))
	case x.body.chunked:
		return -1
	default:
		return r.ContentLength
	}
}

// setsHeader reports whether proxy_set_header names a header, in lower case.
func (p *config) setsHeader(name string) bool {
	for i := range p.setHeaders {
		if p.setHeaders[i].lower == name {
			return true
		}
	}
	return false
}

// smallBody is what goes out in one piece with the head. More than that is sent by
// a goroutine of its own, as the upstream may answer before it has read it.
const smallBody = 64 << 10

// send sends the request, or begins to.
func (x *exchange) send() error {
	c := x.conn
	x.sender = nil
	if x.body.file == "" && !x.body.live && len(x.body.data) <= smallBody {
		if len(x.body.data) == 0 {
			_, err := c.Write(x.head)
			return err
		}
		return c.WriteBoth(x.head, x.body.data)
	}
	if _, err := c.Write(x.head); err != nil {
		return err
	}
	s := &bodySender{done: make(chan struct{})}
	if x.body.live {
		s.client = x.r.Conn
	}
	c.BeginBody()
	x.sender = s
	guard.Go(func() { s.run(x.r, x.body, c) })
	return nil
}

// bodySender sends a body while the response may already be coming.
type bodySender struct {
	client core.Downstream // whose body is passed on, nil for one that was read
	done   chan struct{}
	err    error // valid when done is closed
}

func (s *bodySender) run(r *core.Request, body outgoing, c *upstream.Conn) {
	defer close(s.done)
	switch {
	case body.live:
		s.err = s.stream(r, body.chunked, c)
	case body.file != "":
		s.err = sendFile(body.file, c)
	default:
		_, s.err = c.Write(body.data)
	}
	c.EndBody(s.err != nil)
}

// sendFile sends a body that was kept in a file.
func sendFile(path string, c *upstream.Conn) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{f})
	return err
}

// stream passes the client's body on as it comes.
func (s *bodySender) stream(r *core.Request, chunked bool, c *upstream.Conn) error {
	limit := r.Loc.MaxBodySize.V
	var total int64
	buf := make([]byte, 16<<10)
	for {
		n, err := s.client.ReadBody(buf)
		if n > 0 {
			total += int64(n)
			if chunked && limit > 0 && total > limit {
				r.Logf(errlog.Err, "client intended to send too large chunked body: %d bytes", total)
				return errBodyTooLarge
			}
			piece := buf[:n]
			if chunked {
				piece = append(append(strconv.AppendInt(nil, int64(n), 16), "\r\n"...), piece...)
				piece = append(piece, '\r', '\n')
			}
			if _, err := c.Write(piece); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && chunked:
			_, err = c.Write(core.LastChunk)
			return err
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
