package serve

import (
	"errors"
	"net"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
)

// http2Stream is the Downstream of one request of a connection that speaks HTTP/2.
// What follows req belongs to the lock of the connection's writer, which is the
// streams' too.
type http2Stream struct {
	h       *http2Conn
	id      uint32
	number  int64 // of the request on its connection
	req     *core.Request
	refusal int // how the request ends that cannot be served
	status  int

	about http2About

	// The response.
	out       []byte // out[sent:] waits for the windows
	sent      int
	fin       bool   // nothing follows out
	trailers  []byte // coded, but for these
	window    int64
	chunk     int // most bytes of a DATA frame: http2_chunk_size
	rate      rateLimit
	queued    bool
	mark      int64 // what the connection has written when all frames so far are out
	wire      int64 // bytes of those frames
	moved     int64 // bytes of out that were framed
	outClosed bool

	// The request body.
	in         []byte
	taken      int // of in
	declared   int64
	received   int64
	recvWindow int64
	reading    bool
	inClosed   bool
	inErr      error
	skip       bool // nobody will read it

	ended    bool // the request is over
	lost     bool // the stream is, or the connection
	rstSent  bool
	timedOut bool
	gone     chan struct{} // closed when lost; nil: nobody asked
	read     http2Signal
	written  http2Signal
}

// http2About is what log lines say of a request, for those who must not touch it
// while its phases run.
type http2About struct {
	server              *core.Server
	line, host, referer string
	action              string // " while sending response to client"
}

// Values of refusal.
const (
	http2Refused = 1 + iota // answered with an error page
	http2Dropped            // logged only
)

// http2Signal wakes who waits for something to change. It is guarded by the lock.
type http2Signal struct{ c chan struct{} }

func (w *http2Signal) wait() <-chan struct{} {
	if w.c == nil {
		w.c = make(chan struct{})
	}
	return w.c
}

func (w *http2Signal) wake() {
	if w.c != nil {
		close(w.c)
		w.c = nil
	}
}

var (
	errStreamLost = errors.New("http2 stream is closed")
)

// run answers the stream's request, on a goroutine of its own.
func (s *http2Stream) run() {
	defer s.end()
	r := s.req
	switch {
	case s.refusal == http2Dropped:
		serveNothing(r, s.status)
	case s.refusal == http2Refused:
		r.ServeError(s.status)
	default:
		if status := ssl.Status(r); status != 0 {
			r.ServeError(status)
		} else {
			r.Serve()
		}
	}
	cycle := r.Cycle
	r.Release()
	cycle.End()
}

// end closes the stream (ngx_http_v2_close_stream).
func (s *http2Stream) end() {
	h := s.h
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	s.ended, s.in = true, nil
	if !s.rstSent && o.err == nil {
		switch {
		case !s.outClosed && s.timedOut:
			h.appendReset(s.id, http2ProtocolError)
		case !s.outClosed:
			h.appendReset(s.id, http2InternalError)
		case !s.inClosed:
			h.appendReset(s.id, http2NoError)
		}
	}
	h.closeOut(s)
	delete(h.streams, s.id)
	h.ready.remove(s)
	h.push()
	if h.running--; h.running > 0 {
		return
	}
	if h.drained != nil {
		close(h.drained)
		h.drained = nil
		return
	}
	if h.goaway {
		h.wakeReader(longAgo)
		return
	}
	h.c.wait.begin(clientKeeps)
	h.idleAt = time.Now().Add(h.limits.keepaliveTimeout)
	if h.armed.IsZero() || h.idleAt.Before(h.armed) {
		h.wakeReader(h.idleAt)
	}
}

// abandon tells the request that its client is gone. The caller holds the lock.
func (s *http2Stream) abandon() {
	if s.lost {
		return
	}
	s.lost = true
	if s.gone != nil {
		close(s.gone)
	}
	s.out, s.sent = nil, 0
	s.h.ready.remove(s)
	s.read.wake()
	s.written.wake()
}

// reset ends the stream for a mistake of the client's. The caller holds the lock.
func (s *http2Stream) reset(code http2Code) {
	if s.rstSent {
		return
	}
	s.rstSent = true
	s.h.appendReset(s.id, code)
	s.abandon()
}

// log writes a line of level info about the stream's request.
func (s *http2Stream) log(msg string) {
	log := s.h.bound.log()
	if s.about.server != nil && s.about.server.Loc.ErrorLog.V != nil {
		log = s.about.server.Loc.ErrorLog.V
	}
	if !log.Enabled(errlog.Info) {
		return
	}
	host, _ := core.SplitAddr(s.RemoteAddr().String())
	msg += s.about.action + ", client: " + host + ", server: "
	if s.about.server != nil {
		msg += s.about.server.Name
	}
	for _, part := range [...][2]string{{"request", s.about.line}, {"host", s.about.host}, {"referrer", s.about.referer}} {
		if part[1] != "" {
			msg += ", " + part[0] + ": \"" + part[1] + "\""
		}
	}
	log.Output(errlog.Info, s.h.c.number, msg)
}

// SSL implements Downstream.
func (s *http2Stream) SSL() *ssl.Connection { return s.h.c.ssl }

// Write implements Downstream.
func (s *http2Stream) Write(p []byte) (int, error) {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.lost || o.err != nil {
		return 0, errStreamLost
	}
	if s.sent == len(s.out) {
		s.out, s.sent = s.out[:0], 0
	}
	s.out = append(s.out, p...)
	return len(p), nil
}

// WriteTrailers implements HeadWriter.
func (s *http2Stream) WriteTrailers(fields []core.Header) {
	b := appendHpackFields(nil, fields)
	o := &s.h.c.writer
	o.mu.Lock()
	s.trailers = b
	o.mu.Unlock()
}

// EndBody implements HeadWriter.
func (s *http2Stream) EndBody() {
	o := &s.h.c.writer
	o.mu.Lock()
	s.fin = true
	o.mu.Unlock()
}

// SetRate implements Downstream.
func (s *http2Stream) SetRate(perSecond, after int64, start time.Time) {
	o := &s.h.c.writer
	o.mu.Lock()
	s.rate.perSecond, s.rate.after, s.rate.start = perSecond, after, start.Unix()
	o.mu.Unlock()
}

// Opened implements Downstream.
func (s *http2Stream) Opened() time.Time { return s.h.c.Opened() }

// Push implements Downstream.
func (s *http2Stream) Push() error {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.lost || o.err != nil {
		return errStreamLost
	}
	s.h.enqueue(s)
	s.h.push()
	return nil
}

// Buffered implements Downstream.
func (s *http2Stream) Buffered() int {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(s.out) - s.sent + int(max(s.mark-o.sent, 0))
}

// Blocked implements Downstream.
func (s *http2Stream) Blocked() bool { return s.Buffered() > 0 }

// Sent implements Downstream.
func (s *http2Stream) Sent() int64 { return s.WireBytes() }

// WireBytes implements ByteCounter.
func (s *http2Stream) WireBytes() int64 {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	return s.wire
}

// BodyBytes implements ByteCounter: how much of the body is framed.
func (s *http2Stream) BodyBytes() int64 {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	return s.moved
}

// flushed tells whether all of the response so far is out. The caller holds the lock.
func (s *http2Stream) flushed() bool {
	return s.sent == len(s.out) && (!s.fin || s.outClosed) && s.mark <= s.h.c.writer.sent
}

// Flush implements Downstream. A client that takes nothing for send_timeout, be it
// that it opens no window, loses the stream.
func (s *http2Stream) Flush() error {
	h := s.h
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	h.enqueue(s)
	s.about.action = s.req.Action
	if h.running > 1 {
		o.letOthers()
	}
	var until time.Time
	for last := int64(-1); ; {
		if s.lost || o.err != nil {
			if last >= 0 {
				s.req.Log(errlog.Info, "client prematurely closed connection")
			}
			return errStreamLost
		}
		if s.flushed() {
			return nil
		}
		if o.busy == nil && (len(o.buf) > 0 || h.sendable()) {
			h.write(s)
			continue
		}
		if at := s.place(); at != last {
			last, until = at, time.Now().Add(s.req.Loc.SendTimeout.V)
		}
		if !h.awaitWrite(s, until) && s.place() == last {
			s.timedOut = true
			s.req.Log(errlog.Info, core.ClientTimedOut)
			return core.ErrSendTime
		}
	}
}

// place tells how far the response has come: what the windows let through and, when
// that is all, what the client has taken. The caller holds the lock.
func (s *http2Stream) place() int64 {
	if s.sent < len(s.out) {
		return s.moved
	}
	return s.moved + s.h.c.writer.sent
}

// await waits for a signal, at most for d; false tells that d has passed. The
// caller holds the lock.
func (s *http2Stream) await(w *http2Signal, d time.Duration) bool {
	o := &s.h.c.writer
	woken := w.wait()
	timer := time.NewTimer(d)
	defer timer.Stop()
	o.mu.Unlock()
	defer o.mu.Lock()
	select {
	case <-woken:
		return true
	case <-timer.C:
		return false
	}
}

// Aborted implements Downstream.
func (s *http2Stream) Aborted() <-chan struct{} {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.gone == nil {
		s.gone = make(chan struct{})
		if s.lost {
			close(s.gone)
		}
	}
	return s.gone
}

// Number implements Downstream.
func (s *http2Stream) Number() int64 { return s.h.c.number }

// Requests implements Downstream.
func (s *http2Stream) Requests() int64 { return s.number }

// RemoteAddr implements Downstream.
func (s *http2Stream) RemoteAddr() net.Addr { return s.h.c.RemoteAddr() }

// TCPInfo is what the system knows of the connection.
func (s *http2Stream) TCPInfo() (core.TCPInfo, bool) { return s.h.c.TCPInfo() }

// Claim implements ClaimedConn.
func (s *http2Stream) Claim() *core.ClientClaim { return &s.h.c.proxy }

// LocalAddr implements Downstream.
func (s *http2Stream) LocalAddr() net.Addr { return s.h.c.LocalAddr() }

// NetConn implements Downstream. A stream has no connection to hand out: it gives
// one that is closed.
func (s *http2Stream) NetConn() net.Conn { return closedConn() }

// TLS implements Downstream.
func (s *http2Stream) TLS() bool { return s.h.c.TLS() }
