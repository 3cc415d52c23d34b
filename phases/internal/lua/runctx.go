package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
)

// runCtx says on whose behalf Lua code runs: one handler of a request, a timer,
// or one of the chunks of a worker's own life. It is the Host of the handler's
// threads.
type runCtx struct {
	caller.Context
	worker *worker

	setArgs []string // set_by_lua: the values of the directive's arguments

	// Body filter: the piece of body, which ngx.arg reads and replaces.
	chunk []byte
	eof   bool

	// ngx.exit in a filter or the balancer, where it does not end the code.
	exited bool
	exit   int

	table   *rt.Table   // ngx.ctx of a context without a request
	sockets *socketHost // of a context without a request

	subrequests int      // captures that some light thread of the handler waits for
	onAbort     rt.Value // the function given to ngx.on_abort
}

// ctxOf is the context of the running code.
func ctxOf(th *rt.Thread) *runCtx { return th.Host.(*runCtx) }

// begin says who runs: a request, or nil, in a phase.
func (c *runCtx) begin(w *worker, r *core.Request, p caller.Phase) {
	c.worker, c.Cycle, c.Request, c.Phase = w, w.cycle, r, p
}

// newCtx is the context of code that runs for no request.
func newCtx(w *worker, p caller.Phase) runCtx {
	return runCtx{worker: w, Context: caller.Context{Cycle: w.cycle, Phase: p}}
}

// What unwinds a handler. They pass through pcall; who runs the handler acts on
// them.
type (
	// exitAbort is ngx.exit and ngx.redirect.
	exitAbort struct{ code int }
	// execAbort is ngx.exec: an internal redirect, to a named location when uri
	// begins with '@'.
	execAbort struct {
		uri, args string
		hasArgs   bool // the URI had a "?": args may be empty, yet not absent
	}
	// jumpAbort is ngx.req.set_uri(uri, true): the request has the new URI and
	// looks for its location again.
	jumpAbort struct{}
)

func (exitAbort) LuaAbort() {}
func (execAbort) LuaAbort() {}
func (jumpAbort) LuaAbort() {}

func (exitAbort) Error() string { return "the handler called ngx.exit" }
func (execAbort) Error() string { return "the handler called ngx.exec" }
func (jumpAbort) Error() string { return "the handler called ngx.req.set_uri" }
