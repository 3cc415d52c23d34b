package phases

import (
	"net"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	rt "github.com/moonphase/moonphase/runtime"
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
		r.terminate(500)
	case r.defective || r.HeadersSent:
		r.terminate(500)
		r.end()
	default:
		r.KeepAlive, r.defective = false, true
		r.Out.reset()
		r.answer(500)
	}
}

// end is finish with a guard.
func (r *Request) end() {
	defer r.guard()
	r.finish()
}

// guard, deferred, ends the connection whose goroutine panicked.
func (c *conn) guard(nc net.Conn) {
	if x := recover(); x != nil {
		c.owner.process.log(errlog.Alert, guard.New(x).Error())
		c.owner.process.untrack(c)
		_ = nc.Close()
	}
}

// logDefect writes a Defect that a script sees as an error: pcall may hide it.
func logDefect(th *rt.Thread, d *guard.Defect) { luaCtx(th).log(errlog.Alert, d.Error()) }
