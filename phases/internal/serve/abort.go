package serve

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/http1"
	"github.com/moonphase/moonphase/runtime/guard"
	"github.com/moonphase/moonphase/runtime/sockio"
)

// abortWatch notices that the client has gone away while its request is being
// answered. It runs only for requests that ask (lua_check_client_abort), as one
// more goroutine that waits for the socket to become readable and looks without
// taking anything.
type abortWatch struct {
	raw    syscall.RawConn
	mu     sync.Mutex
	gone   chan struct{} // nil: nobody asked
	closed bool          // gone is closed
	halt   chan struct{} // ends the running watcher
	done   chan struct{} // closed when it has ended
}

// pendingPoll is how often the state of a connection is looked at on which
// unread bytes hide a client's end.
const pendingPoll = 20 * time.Millisecond

func (w *abortWatch) reset(raw syscall.RawConn) {
	w.raw = raw
	w.gone, w.halt, w.done, w.closed = nil, nil, nil, false
}

// start begins to watch and gives the channel that is closed at the client's
// end.
func (w *abortWatch) start() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone == nil {
		w.gone = make(chan struct{})
		w.run()
	}
	return w.gone
}

// run starts the watcher.
func (w *abortWatch) run() {
	if w.raw == nil || w.closed {
		return
	}
	w.halt, w.done = make(chan struct{}), make(chan struct{})
	raw, gone, halt, done := w.raw, w.gone, w.halt, w.done
	guard.Go(func() { w.wait(raw, gone, halt, done) })
}

// wait ends when the client does, or when halt is closed and the read deadline
// has passed.
func (w *abortWatch) wait(raw syscall.RawConn, gone, halt, done chan struct{}) {
	defer close(done)
	for {
		pending := false
		err := raw.Read(func(fd uintptr) bool {
			n, err := sockio.Peek(fd)
			if err == syscall.EAGAIN {
				return false
			}
			pending = n > 0 && !closeWait(fd)
			return true
		})
		select {
		case <-halt:
			return
		default:
		}
		if err == nil && pending {
			select {
			case <-halt:
				return
			case <-time.After(pendingPoll):
			}
			continue
		}
		if err == nil || errors.Is(err, net.ErrClosed) { // the latter: cut off by the server
			w.mu.Lock()
			w.closed = true
			w.mu.Unlock()
			close(gone)
		}
		return
	}
}

// pause ends the watcher so that the connection can be read.
func (w *abortWatch) pause(rd *http1.Reader) {
	w.mu.Lock()
	halt, done := w.halt, w.done
	w.halt, w.done = nil, nil
	w.mu.Unlock()
	if halt == nil {
		return
	}
	close(halt)
	rd.Interrupt()
	<-done
	rd.ForgetDeadline()
}

// resume goes on watching after pause, whose deadline would end it at once.
func (w *abortWatch) resume(rd *http1.Reader) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone != nil && w.halt == nil {
		rd.NoDeadline()
		w.run()
	}
}

// stop ends the watching for this request.
func (w *abortWatch) stop(rd *http1.Reader) {
	w.mu.Lock()
	asked := w.gone != nil
	w.mu.Unlock()
	if !asked {
		return
	}
	w.pause(rd)
	w.mu.Lock()
	w.gone, w.closed = nil, false
	w.mu.Unlock()
}
