package serve

import (
	"io"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// accept checks a DATA frame of the given size, padding included. The caller holds
// the lock.
func (s *http2Stream) accept(size int) bool {
	if int64(size) > s.recvWindow {
		s.h.log(errlog.Info, "client violated flow control for stream "+ngxtext.Itoa(int64(s.id))+": received DATA frame length "+
			ngxtext.Itoa(int64(size))+", available window "+ngxtext.Itoa(s.recvWindow))
		s.reset(http2FlowControlError)
		return false
	}
	s.recvWindow -= int64(size)
	if s.inClosed {
		s.h.log(errlog.Info, "client sent DATA frame for half-closed stream "+ngxtext.Itoa(int64(s.id)))
		s.reset(http2StreamClosed)
		return false
	}
	return true
}

// deliver appends a piece of the body; true says that no more is wanted.
func (s *http2Stream) deliver(b []byte) bool {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.ended || s.lost || s.skip || s.inErr != nil {
		return true
	}
	s.h.payload += int64(len(b))
	s.received += int64(len(b))
	if s.declared >= 0 && s.received > s.declared {
		s.inErr = &core.BodyRefusal{Status: 400, Msg: "client intended to send body data larger than declared"}
	} else {
		if s.taken == len(s.in) {
			s.in, s.taken = s.in[:0], 0
		}
		s.in = append(s.in, b...)
	}
	s.read.wake()
	return false
}

// deliverEnd ends the body.
func (s *http2Stream) deliverEnd() {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	s.inClosed = true
	if s.inErr == nil && s.declared >= 0 && s.received < s.declared {
		s.inErr = &core.BodyRefusal{Status: 400, Msg: "client prematurely closed stream: only " + ngxtext.Itoa(s.received) + " out of " +
			ngxtext.Itoa(s.declared) + " bytes of request body received"}
	}
	s.read.wake()
}

// ReadBody implements Downstream.
func (s *http2Stream) ReadBody(p []byte) (int, error) {
	return s.ReadBodyWithin(p, s.req.Loc.BodyTimeout.V)
}

// http2BodyWindow is how much of a body that is being read may be on its way.
const http2BodyWindow = 256 << 10

// ReadBodyWithin implements timedBody.
func (s *http2Stream) ReadBodyWithin(p []byte, d time.Duration) (int, error) {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	s.reading = true
	for {
		if n := copy(p, s.in[s.taken:]); n > 0 {
			s.taken += n
			s.req.BodyReceived += int64(n)
			s.widen()
			return n, nil
		}
		switch {
		case s.inErr != nil:
			s.req.BodyReceived = s.received
			return 0, s.inErr
		case s.inClosed && !s.lost:
			return 0, io.EOF
		case s.lost || o.err != nil:
			return 0, &core.BodyRefusal{Status: core.StatusClientClosed, Msg: "client prematurely closed stream"}
		case len(p) == 0:
			return 0, nil
		case !s.reading:
			return 0, core.ErrBodyTimeout
		}
		s.widen()
		got := s.received
		if !s.await(&s.read, d) && got == s.received && !s.inClosed && !s.lost {
			s.timedOut = true
			return 0, core.ErrBodyTimeout
		}
	}
}

// widen lets the client send more when half of what it may has come. The caller
// holds the lock.
func (s *http2Stream) widen() {
	free := http2BodyWindow - int64(len(s.in)-s.taken)
	if s.inClosed || s.lost || s.recvWindow >= free/2 || s.declared >= 0 && s.declared-s.received <= s.recvWindow {
		return
	}
	s.h.sendWindowUpdate(s.id, free-s.recvWindow)
	s.recvWindow = free
	s.h.push()
}

// InterruptRead implements Downstream.
func (s *http2Stream) InterruptRead() {
	o := &s.h.c.writer
	o.mu.Lock()
	s.reading = false
	s.read.wake()
	o.mu.Unlock()
}

// SkipBody implements Downstream: what comes of the body is dropped.
func (s *http2Stream) SkipBody() error {
	o := &s.h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	s.skip, s.in, s.taken = true, nil, 0
	return nil
}

// Interim implements Downstream. nginx has no interim responses on HTTP/2.
func (s *http2Stream) Interim([]byte) error { return nil }
