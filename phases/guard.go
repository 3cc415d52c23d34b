package phases

import (
	"net"

	rt "github.com/moonphase/moonphase/runtime"
)

// A panic of Go code is a fault of this program. It ends one request with a 500, one
// connection, one timer or one light thread, and leaves a line at level alert; the
// server goes on. Goroutines are started by rt.Go, which stops what gets past the
// guards here.

// guard calls f and reports whether it returned; a panic is logged.
func (r *Request) guard(f func(*Request)) (sound bool) {
	defer func() {
		if x := recover(); x != nil {
			r.Log(LogAlert, rt.NewDefect(x).Error())
		}
	}()
	f(r)
	return true
}

// guardPhases is guard for what makes the answer: a panic becomes an error page, or
// cuts an answer that has begun.
func (r *Request) guardPhases(f func(*Request)) {
	if r.guard(f) {
		return
	}
	r.KeepAlive = false
	if !r.HeadersSent {
		r.Out.reset()
		if r.guard(func(r *Request) { r.run(r.finalize(500)) }) {
			return
		}
	}
	r.terminate(500)
}

// guardFinish is guard for the end of a request.
func (r *Request) guardFinish() {
	if !r.guard((*Request).finish) {
		r.terminate(500)
	}
}

// guard, deferred, ends the connection whose goroutine panicked.
func (c *conn) guard(nc net.Conn) {
	if x := recover(); x != nil {
		c.owner.process.log(LogAlert, rt.NewDefect(x).Error())
		c.owner.process.untrack(c)
		_ = nc.Close()
	}
}

// logDefect writes a Defect that a script sees as an error: pcall may hide it.
func logDefect(th *rt.Thread, d *rt.Defect) { luaCtx(th).log(LogAlert, d.Error()) }
