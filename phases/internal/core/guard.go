package core

import (
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/guard"
)

// A panic of Go code is a fault of this program. It ends one request with a 500, one
// connection, one timer or one light thread, and leaves a line at level alert; the
// server goes on. Goroutines are started by guard.Go, which stops what gets past the
// guards here.

// guard, deferred, ends the request whose goroutine panicked. The client gets an
// error page, or an answer that is cut where one has begun or the page fails too. A
// panic after the phases leaves the rest of the end undone.
func (r *Request) guard() {
	x := recover()
	if x == nil {
		return
	}
	r.Log(errlog.Alert, guard.New(x).Error())
	switch {
	case r.finishing:
		r.Terminate(500)
	case r.defective || r.HeadersSent:
		r.Terminate(500)
		r.End()
	default:
		r.KeepAlive, r.defective = false, true
		r.Out.reset()
		r.answer(500)
	}
}

// End ends the request after its last phase: what it holds is given up, and it is logged.
func (r *Request) End() {
	defer r.guard()
	r.finish()
}
