package serve

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/http1"
	"github.com/moonphase/moonphase/runtime/guard"
	"github.com/moonphase/moonphase/runtime/sockio"
)

// writer is what a connection has to send. Bytes are collected and sent by one
// write where the client takes them at once, which is nearly always; a client
// that does not gets a goroutine that waits for it.
//
// Light threads of one request may use it at the same time.
type writer struct {
	nc  net.Conn
	raw syscall.RawConn // for writes that do not wait; nil for TLS
	try func(fd uintptr) bool

	opened  time.Time     // when the connection came
	timeout time.Duration // send_timeout
	expiry  http1.Deadline

	mu    sync.Mutex
	buf   []byte        // not yet sent
	spare []byte        // the other buffer, for while one is being sent
	busy  chan struct{} // someone sends; closed when there is nothing left
	sent  int64
	rate  rateLimit
	err   error // of the last write: nothing more can be sent
}

// maxKeptBuffer is the size up to which a buffer is kept for the connection's
// next response.
const maxKeptBuffer = 64 << 10

// reset prepares o for a new connection; raw is nil where writes cannot be tried.
func (o *writer) reset(nc net.Conn, raw syscall.RawConn) {
	buf := o.buf
	if cap(buf) > maxKeptBuffer {
		buf = nil
	}
	*o = writer{nc: nc, raw: raw, opened: time.Now(), buf: buf[:0], expiry: http1.NewDeadline(nc.SetWriteDeadline)}
	o.try = o.writeOnce
}

// begin starts counting for a new request.
func (o *writer) begin() {
	o.sent, o.rate = 0, rateLimit{}
	if cap(o.buf) > maxKeptBuffer && len(o.buf) == 0 {
		o.buf, o.spare = nil, nil
	}
}

// Write appends p to what is to be sent.
func (o *writer) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	o.buf = append(o.buf, p...)
	return len(p), nil
}

// Interim implements Downstream.
func (o *writer) Interim(p []byte) error {
	o.mu.Lock()
	o.buf = append(append(make([]byte, 0, len(p)+len(o.buf)), p...), o.buf...)
	o.mu.Unlock()
	return o.Push()
}

// Opened implements Downstream.
func (o *writer) Opened() time.Time { return o.opened }

// Buffered is the number of bytes that wait to be sent.
func (o *writer) Buffered() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf)
}

// Blocked reports that the client has not taken all that was pushed.
func (o *writer) Blocked() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.busy != nil
}

// drop forgets what nobody has pushed.
func (o *writer) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = o.buf[:0]
}

// Sent is the number of bytes sent since begin.
func (o *writer) Sent() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent
}

// Push sends what the client takes at once; the rest follows by itself.
func (o *writer) Push() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy == nil && !o.sendNow() {
		o.busy = make(chan struct{})
		guard.Go(o.drain)
	}
	return o.err
}

// Flush sends everything and waits for that.
func (o *writer) Flush() error {
	o.mu.Lock()
	for len(o.buf) > 0 || o.busy != nil {
		if busy := o.busy; busy != nil {
			o.mu.Unlock()
			<-busy
			o.mu.Lock()
			continue
		}
		if o.sendNow() {
			break
		}
		o.busy = make(chan struct{})
		o.mu.Unlock()
		o.drain()
		o.mu.Lock()
	}
	err := o.err
	o.mu.Unlock()
	return err
}

// sendNow tries to send everything without waiting and tells whether nothing is
// left to do.
func (o *writer) sendNow() bool {
	if len(o.buf) == 0 || o.err != nil {
		return true
	}
	if o.raw == nil || o.rate.perSecond > 0 {
		return false
	}
	if err := o.raw.Write(o.try); err != nil {
		o.fail(err)
	}
	return len(o.buf) == 0
}

// writeOnce is called with the socket, which does not block.
func (o *writer) writeOnce(fd uintptr) bool {
	n := 0
	for n < len(o.buf) {
		m, err := sockio.Write(fd, o.buf[n:])
		if err == syscall.EAGAIN {
			break
		}
		if err != 0 {
			o.fail(err)
			return true
		}
		n += m
		o.sent += int64(m)
	}
	o.buf = append(o.buf[:0], o.buf[n:]...)
	return true
}

func (o *writer) fail(err error) {
	o.err = err
	o.buf = o.buf[:0]
}

// drain sends until nothing is left. The caller has set busy.
func (o *writer) drain() {
	o.mu.Lock()
	for len(o.buf) > 0 && o.err == nil {
		if o.rate.perSecond > 0 {
			o.sendPaced()
		} else {
			o.sendBuffered()
		}
	}
	close(o.busy)
	o.busy = nil
	o.mu.Unlock()
}

// sendBuffered sends what is collected now. The caller holds the lock, which is put
// down meanwhile, and has set busy.
func (o *writer) sendBuffered() {
	b := o.buf
	o.buf = o.spare[:0]
	o.mu.Unlock()
	n, err := o.writeOut(b)
	o.mu.Lock()
	o.spare = b[:0]
	o.sent += int64(n)
	if err != nil {
		o.fail(err)
	}
}

// sendPaced is sendBuffered for as much as the rate limit allows, or a wait for it.
func (o *writer) sendPaced() {
	now := time.Now()
	n, wait := o.rate.allow(o.sent, now)
	if wait > 0 {
		o.mu.Unlock()
		time.Sleep(wait)
		o.mu.Lock()
		return
	}
	n = min(n, int64(len(o.buf)))
	piece := append(o.spare[:0], o.buf[:n]...)
	o.buf = append(o.buf[:0], o.buf[n:]...)
	o.rate.note(o.sent, o.sent+n, now)
	o.mu.Unlock()
	sent, err := o.writeOut(piece)
	o.mu.Lock()
	o.spare = piece[:0]
	o.sent += int64(sent)
	if err != nil {
		o.fail(err)
	}
}

// maxRecord is the most that a TLS client must take within send_timeout.
const maxRecord = 16 << 10

// writeOut writes b. A client that goes on taking some of it has time: the timeout
// counts from the last bytes it took. A TLS connection is of no use after a write
// that timed out, so there each record has to go out in time.
func (o *writer) writeOut(b []byte) (n int, err error) {
	for n < len(b) {
		piece := b[n:]
		if o.raw == nil {
			piece = piece[:min(len(piece), maxRecord)]
		}
		o.expiry.Extend(o.timeout)
		m, err := o.nc.Write(piece)
		n += m
		if err != nil && (m == 0 || o.raw == nil || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return n, err
		}
	}
	return n, nil
}
