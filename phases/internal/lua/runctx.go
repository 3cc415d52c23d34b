package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	rt "github.com/moonphase/moonphase/runtime"
)

// runCtx says on whose behalf Lua code runs: one handler of a request, a timer,
// or one of the chunks of a worker's own life. It is the Host of the handler's
// threads.
type runCtx struct {
	r      *core.Request // nil in init, init_worker, exit_worker and timers
	phase  Phase
	worker *worker

	setArgs []string // set_by_lua: the values of the directive's arguments

	// Body filter: the piece of body, which ngx.arg reads and replaces.
	chunk []byte
	eof   bool

	// ngx.exit in a filter or the balancer, where it does not end the code.
	exited bool
	exit   int

	table *rt.Table // ngx.ctx of a context without a request

	handshake *ssl.Handshake // of the TLS phases

	loc     *core.Location // a timer's configuration: that of where it was made
	sockets *socketHost    // of a context without a request

	number      int64    // for log lines: the connection's, 0 for none
	peer        string   // timers: the client of the request that began it all, for log lines
	subrequests int      // captures that some light thread of the handler waits for
	onAbort     rt.Value // the function given to ngx.on_abort
}

// ctxOf is the context of the running code.
func ctxOf(th *rt.Thread) *runCtx { return th.Host.(*runCtx) }

// location is the configuration that applies to the running code.
func (c *runCtx) location() *core.Location {
	switch {
	case c.r != nil:
		return c.r.Loc
	case c.loc != nil:
		return c.loc
	}
	return c.worker.cycle.HTTP
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
