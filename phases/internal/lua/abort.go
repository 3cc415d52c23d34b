package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// clientWatch ends a handler, or runs its ngx.on_abort function, when the
// client goes away (lua_check_client_abort).
type clientWatch struct {
	r    *core.Request
	run  *entryRun
	done chan struct{}
	over bool // guarded by the baton: the handler has ended
}

// watchClient begins to watch on behalf of a handler; nil when that is not
// wanted. The caller holds the baton and sets over at the end.
func watchClient(r *core.Request, run *entryRun) *clientWatch {
	if !loc.Of(r.Loc).checkClientAbort.V || r != r.Main {
		return nil
	}
	gone := r.Conn.Aborted()
	if gone == nil {
		return nil
	}
	w := &clientWatch{r: r, run: run, done: make(chan struct{})}
	baton := run.ctx.worker.baton
	guard.Go(func() {
		select {
		case <-gone:
			w.clientGone(baton)
		case <-w.done:
		}
	})
	return w
}

// clientGone acts on the client's leaving.
func (w *clientWatch) clientGone(baton *rt.Baton) {
	baton.Acquire()
	if w.over {
		baton.Release()
		return
	}
	w.r.Log(errlog.Info, "client prematurely closed connection")
	callback := w.run.ctx.onAbort
	baton.Release()
	if !callback.IsFunction() {
		w.run.group.Abort(exitAbort{core.StatusClientClosed})
		return
	}
	w.run.group.Inject(callback, onAbortFailed)
}

// onAbortFailed logs an error in the function given to ngx.on_abort.
func onAbortFailed(th *rt.Thread, err *rt.Error) {
	ctxOf(th).Request.Logf(errlog.Err, "lua user thread aborted: runtime error: %s\n%s", errorText(err), entryTraceback(err))
}

// stop ends the watch; the caller holds the baton.
func (w *clientWatch) stop() {
	w.over = true
	close(w.done)
}

// ngxOnAbort is ngx.on_abort(callback).
func ngxOnAbort(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if c := ctxOf(th); c.Request != nil && !loc.Of(c.Request.Loc).checkClientAbort.V {
		th.CheckFunction(args, 0)
		return lib.Fail(th, "lua_check_client_abort is off")
	}
	c := gate(th, caller.Abort, caller.NoRequest)
	f := th.CheckFunction(args, 0)
	switch {
	case c.onAbort.IsFunction():
		return lib.Fail(th, "duplicate call")
	}
	c.onAbort = f
	return rt.Int(1), 1
}
