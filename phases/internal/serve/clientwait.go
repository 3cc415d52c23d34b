package serve

import (
	"net"
	"sync/atomic"
	"time"
)

// clientWait is whether a connection waits for its client to ask for something. Who
// wants to end the wait must not end what follows it.
type clientWait struct {
	word atomic.Int64 // a state, and above it the wait's number among all waits
}

const (
	clientBusy    int64 = iota
	clientWaits         // for a first request
	clientKeeps         // for another
	clientCutting       // the wait is being ended
	clientCut
	clientStates = 7 // the bits of a state
)

// waits counts the waits of all connections.
var waits atomic.Int64

// state tells how the wait stands.
func (w *clientWait) state() int64 { return w.word.Load() & clientStates }

// begin begins a wait; false says that it has been ended already.
func (w *clientWait) begin(kind int64) bool {
	return w.word.CompareAndSwap(clientBusy, waits.Add(clientStates+1)|kind) || w.state() == kind
}

// end ends the wait, and tells whether somebody else has.
func (w *clientWait) end() (cut bool) {
	for {
		switch word := w.word.Load(); word & clientStates {
		case clientBusy:
			return false
		case clientCutting: // for as long as it takes to set a deadline
			time.Sleep(time.Microsecond)
		case clientCut:
			w.word.Store(clientBusy)
			return true
		default:
			if w.word.CompareAndSwap(word, clientBusy) {
				return false
			}
		}
	}
}

// cut ends a wait of this kind by ending the read; false says that there is none.
func (w *clientWait) cut(kind int64, nc net.Conn) bool {
	word := w.word.Load()
	if word&clientStates != kind || !w.word.CompareAndSwap(word, clientCutting) {
		return false
	}
	_ = nc.SetReadDeadline(longAgo)
	w.word.Store(clientCut)
	return true
}
