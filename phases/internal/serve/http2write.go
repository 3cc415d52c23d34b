package serve

import (
	"encoding/binary"
	"runtime"
	"time"

	"github.com/moonphase/moonphase/phases/internal/modules/http2"
	"github.com/moonphase/moonphase/runtime/guard"
)

// All functions here are called with the lock of the connection's writer held.

// http2Queue lists streams that have something to send and a window for it.
type http2Queue struct {
	first *http2Stream
	rest  []*http2Stream
}

func (q *http2Queue) add(s *http2Stream) {
	switch {
	case s.queued:
		return
	case q.first == nil:
		q.first = s
	default:
		q.rest = append(q.rest, s)
	}
	s.queued = true
}

func (q *http2Queue) remove(s *http2Stream) {
	if !s.queued {
		return
	}
	s.queued = false
	if q.first == s {
		q.first = nil
		if len(q.rest) > 0 {
			q.first = q.rest[0]
			q.rest = append(q.rest[:0], q.rest[1:]...)
		}
		return
	}
	for i, other := range q.rest {
		if other == s {
			q.rest = append(q.rest[:i], q.rest[i+1:]...)
			return
		}
	}
}

// enqueue notes that s may have something to send.
func (h *http2Conn) enqueue(s *http2Stream) {
	left := len(s.out) - s.sent
	if s.lost || s.outClosed || left == 0 && !s.fin || left > 0 && s.window <= 0 {
		return
	}
	h.ready.add(s)
}

// enqueueLater is enqueue for a stream that the limit of its rate holds back.
func (h *http2Conn) enqueueLater(s *http2Stream, wait time.Duration) {
	o := &h.c.writer
	time.AfterFunc(wait, func() {
		defer guard.Stop()
		o.mu.Lock()
		defer o.mu.Unlock()
		if !s.ended && o.err == nil {
			h.enqueue(s)
			h.push()
		}
	})
}

// http2Batch is about how much is written at once: what is framed cannot be taken
// back when a stream ends, and one that is more urgent has to wait for it.
const http2Batch = 64 << 10

// frameData moves bytes of the streams into the writer, a frame of each in turn, as
// far as windows and http2Batch allow.
func (h *http2Conn) frameData() {
	o := &h.c.writer
	if len(o.buf) == 0 {
		h.control = 0
	}
	for len(o.buf) < http2Batch {
		s := h.ready.first
		if s == nil {
			return
		}
		left := len(s.out) - s.sent
		if left > 0 && h.window <= 0 {
			return
		}
		h.ready.remove(s)
		n := int(min(int64(left), int64(min(s.chunk, h.frameSize)), max(s.window, 0), h.window))
		if left > 0 && n <= 0 {
			continue
		}
		if s.rate.perSecond > 0 && n > 0 {
			allowed, wait := s.rate.take(s.moved, n, n == left, time.Now())
			if wait > 0 {
				h.enqueueLater(s, wait)
				continue
			}
			n = allowed
		}
		last := n == left && s.fin
		h.appendData(s, n, last && s.trailers == nil)
		if last && s.trailers != nil {
			h.appendBlock(s, s.trailers, true)
		}
		if s.sent == len(s.out) {
			s.out, s.sent = s.out[:0], 0
			if cap(s.out) > maxKeptBuffer {
				s.out = nil
			}
		}
		h.enqueue(s)
	}
}

// appendData appends a DATA frame with the next n bytes of s; fin says that they are
// the last.
func (h *http2Conn) appendData(s *http2Stream, n int, fin bool) {
	o := &h.c.writer
	flags := byte(0)
	if fin {
		flags = http2EndStream
	}
	if n > 0 || fin {
		o.buf = appendHTTP2Frame(o.buf, n, http2Data, flags, s.id)
		o.buf = append(o.buf, s.out[s.sent:s.sent+n]...)
		h.noteFrame(s, n)
	}
	s.sent += n
	s.moved += int64(n)
	s.window -= int64(n)
	h.window -= int64(n)
	if fin {
		h.closeOut(s)
	}
}

// noteFrame accounts for a frame of s with n bytes.
func (h *http2Conn) noteFrame(s *http2Stream, n int) {
	h.appended += int64(http2FrameHead + n)
	h.total += int64(http2FrameHead + n)
	h.payload += int64(n)
	s.wire += int64(http2FrameHead + n)
	s.mark = h.appended
}

// closeOut notes that the stream's response has ended.
func (h *http2Conn) closeOut(s *http2Stream) {
	if !s.outClosed {
		s.outClosed = true
		h.open--
	}
}

// push sends what the client takes at once; the rest follows by itself.
func (h *http2Conn) push() {
	o := &h.c.writer
	if o.busy == nil && !h.sendNow() {
		o.busy = make(chan struct{})
		guard.Go(h.drainRest)
	}
}

// drainRest sends what others have left. It takes the lock.
func (h *http2Conn) drainRest() {
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	h.drain(nil)
}

// write sends on behalf of s until all it has is out.
func (h *http2Conn) write(s *http2Stream) {
	if h.sendNow() {
		return
	}
	h.c.writer.busy = make(chan struct{})
	h.drain(s)
}

// sendNow tries to send everything without waiting and tells whether nothing is
// left to do.
func (h *http2Conn) sendNow() bool {
	o := &h.c.writer
	for {
		h.frameData()
		done := o.sendNow()
		h.progress()
		if !done || o.err != nil || len(o.buf) == 0 && !h.sendable() {
			return done
		}
	}
}

// sendable tells whether frameData would find something.
func (h *http2Conn) sendable() bool {
	s := h.ready.first
	return s != nil && (h.window > 0 || s.sent == len(s.out))
}

// drain sends until nothing is left or, when it works for s, until all of s is
// out; somebody else goes on then. The caller has set busy.
func (h *http2Conn) drain(s *http2Stream) {
	o := &h.c.writer
	for o.err == nil {
		h.frameData()
		if len(o.buf) == 0 {
			break
		}
		if s != nil && (s.flushed() || s.lost) {
			guard.Go(h.drainRest)
			return
		}
		o.sendBuffered()
		h.progress()
	}
	close(o.busy)
	o.busy = nil
	for _, s := range h.flushing {
		s.written.wake()
	}
}

// awaitWrite waits for the stream's output to move until the given time; false
// tells that it has passed.
func (h *http2Conn) awaitWrite(s *http2Stream, until time.Time) bool {
	h.flushing = append(h.flushing, s)
	woken := s.await(&s.written, time.Until(until))
	for i, other := range h.flushing {
		if other == s {
			h.flushing = append(h.flushing[:i], h.flushing[i+1:]...)
			break
		}
	}
	return woken
}

// progress wakes those whose response has gone out, and everybody when nothing more
// can.
func (h *http2Conn) progress() {
	o := &h.c.writer
	if o.err != nil && len(h.streams) > 0 {
		for _, s := range h.streams {
			s.abandon()
		}
		h.wakeReader(longAgo)
		return
	}
	for _, s := range h.flushing {
		if s.flushed() {
			s.written.wake()
		}
	}
}

// letOthers lets the other goroutines run first, with the lock put down: what they
// have to send goes out with ours.
func (o *writer) letOthers() {
	o.mu.Unlock()
	runtime.Gosched()
	o.mu.Lock()
}

// appendControl appends a control frame.
func (h *http2Conn) appendControl(kind http2Type, flags byte, id uint32, payload []byte) {
	o := &h.c.writer
	if o.err != nil {
		return
	}
	o.buf = appendHTTP2Frame(o.buf, len(payload), kind, flags, id)
	o.buf = append(o.buf, payload...)
	h.appended += int64(http2FrameHead + len(payload))
	h.total += int64(http2FrameHead + len(payload))
	h.control++
}

// maxHTTP2Control is how many control frames may wait for a client that does not
// read.
const maxHTTP2Control = 10000

// flooded is the error for a client that makes us send more than it takes.
func (h *http2Conn) flooded() error {
	if h.control <= maxHTTP2Control {
		return nil
	}
	h.c.writer.fail(errHTTP2Flood)
	return errHTTP2Flood
}

var errHTTP2Flood = &http2Error{http2NoError, "http2 flood detected"}

func (h *http2Conn) appendNumber(kind http2Type, id, n uint32) {
	h.appendControl(kind, 0, id, binary.BigEndian.AppendUint32(make([]byte, 0, 4), n))
}

func (h *http2Conn) appendReset(id uint32, code http2Code) {
	h.appendNumber(http2Reset, id, uint32(code))
}

func (h *http2Conn) sendWindowUpdate(id uint32, more int64) {
	h.appendNumber(http2WindowUpdate, id, uint32(more))
}

// sendGoAway says that no further request will be answered.
func (h *http2Conn) sendGoAway(code http2Code) {
	h.goaway = true
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 8), h.lastID)
	h.appendControl(http2GoAway, 0, 0, binary.BigEndian.AppendUint32(b, uint32(code)))
}

// sendSettings begins the connection. It takes the lock.
func (h *http2Conn) sendSettings() {
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	var b []byte
	for _, setting := range [...]struct {
		id    uint16
		value int64
	}{
		{http2SettingMaxStreams, int64(h.limits.maxStreams)},
		{http2SettingWindow, h.limits.preread},
		{http2SettingMaxFrame, http2.MaxFrame},
	} {
		b = binary.BigEndian.AppendUint16(b, setting.id)
		b = binary.BigEndian.AppendUint32(b, uint32(setting.value))
	}
	h.appendControl(http2Settings, 0, 0, b)
	h.sendWindowUpdate(0, http2.MaxWindow-http2DefaultWindow)
}

// adjustWindows gives the streams a new initial window.
func (h *http2Conn) adjustWindows(window int64) {
	delta := window - h.initWindow
	h.initWindow = window
	if delta == 0 {
		return
	}
	for _, s := range h.streams {
		if s.window += delta; s.window > http2.MaxWindow {
			s.reset(http2FlowControlError)
			continue
		}
		h.enqueue(s)
	}
}
