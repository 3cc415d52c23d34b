package lua

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// entryRun is an entry thread with what belongs to it. It is used again by the
// next handler when the run before left nothing behind.
type entryRun struct {
	thread *rt.Thread
	group  rt.ThreadGroup
	ctx    runCtx

	prev, next *entryRun // of those that run for requests
	spent      bool      // not to be used again: its stack was cut off, or somebody knows it
}

// takeRun gets an entry thread, whose empty context the caller fills; it holds the baton
// until it calls end.
func (w *worker) takeRun() *entryRun {
	if n := len(w.runs); n > 0 {
		run := w.runs[n-1]
		w.runs = w.runs[:n-1]
		if log := w.cycle.Log; log != nil && log.Enabled(errlog.Debug) {
			log.Output(errlog.Debug, 0, fmt.Sprintf("lua reusing cached lua thread %v (ref 1)", rt.Address{Pointer: run.thread}))
		}
		return run
	}
	return &entryRun{thread: w.state.NewThread()}
}

// call runs fn as the entry thread of the handler that run.ctx describes, with the
// light threads it leaves behind, and logs what went wrong. The caller holds the
// worker's baton.
func (run *entryRun) call(fn rt.Value, args ...rt.Value) (results []rt.Value, failure *rt.Error, abort rt.Abort) {
	run.thread.Host = &run.ctx
	run.group.Coroutines, run.group.Context = run.ctx.Phase.Coroutines(), run.ctx.Phase.Directive()
	results, failure, abort = run.enter(fn, args)
	run.spent = failure != nil || abort != nil
	if failure != nil && abort == nil {
		run.ctx.logFailure(failure)
	}
	if d, ok := abort.(*guard.Defect); ok {
		run.ctx.Log(errlog.Alert, d.Error())
	}
	return results, failure, abort
}

// enter is call for a group that is set up; it logs nothing.
func (run *entryRun) enter(fn rt.Value, args []rt.Value) (results []rt.Value, failure *rt.Error, abort rt.Abort) {
	abort = run.group.Run(run.thread, func() bool {
		results, failure = run.thread.PCall(fn, args...)
		return failure == nil
	})
	return results, failure, abort
}

// end closes what a handler without a request left open, and keeps the entry thread
// for the next one.
func (run *entryRun) end() {
	run.ctx.sockets.closeSockets()
	run.ctx.End()
	w := run.ctx.worker
	if run.spent || len(w.runs) >= main.Of(w.cycle).threadCacheMax.V {
		return
	}
	if run.ctx.LogEnabled(errlog.Debug) {
		run.ctx.Log(errlog.Debug, fmt.Sprintf("lua caching unused lua thread %v (ref 1)", rt.Address{Pointer: run.thread}))
	}
	run.ctx = runCtx{}
	w.runs = append(w.runs, run)
}

// logFailure logs an error that a handler did not catch. Those of the workers' own
// phases are told by who runs them.
func (c *runCtx) logFailure(e *rt.Error) {
	switch {
	case c.Phase == caller.PhaseInit, c.Phase == caller.PhaseInitWorker, c.Phase == caller.PhaseExitWorker:
	case c.Request != nil && !c.Phase.CanYield():
		c.Logf(errlog.Err, "failed to run %s: %s\n%s", c.Phase.Directive(), errorText(e), e.Traceback)
	default:
		c.Logf(errlog.Err, "lua entry thread aborted: runtime error: %s\n%s", errorText(e), entryTraceback(e))
	}
}

// errorText is an error's message as the log shows it.
func errorText(e *rt.Error) string {
	if e.Value.IsString() || e.Value.IsNumber() {
		return e.Error()
	}
	return "unknown reason"
}

// entryTraceback gives a traceback ngx_lua's form, which names the coroutine.
func entryTraceback(e *rt.Error) string {
	return strings.Replace(e.Traceback, "stack traceback:", "stack traceback:\ncoroutine 0:", 1)
}

// runEntry runs the handler's code as an entry thread with its light threads.
func runEntry(r *core.Request, w *worker, h *handler, p caller.Phase) int {
	run := w.takeRun()
	run.ctx.begin(w, r, p)
	fn, rc := run.ctx.code(h)
	if rc != core.OK {
		run.end()
		return rc
	}
	if r.LogEnabled(errlog.Debug) {
		r.Logf(errlog.Debug, "lua %s handler, uri:\"%s\" c:1", p.String(), r.URI)
	}
	watch := watchClient(r, run)
	w.noteRun(run)
	_, failure, abort := run.call(fn)
	if watch != nil {
		watch.stop()
		run.spent = true // the watch may still look at it
	}
	w.forgetRun(run)
	run.end()
	switch {
	case abort != nil:
		return aborted(r, abort, p)
	case failure != nil:
		return failed(r)
	}
	return ended(r, p)
}

// runFilter runs a handler that may not wait, on a thread of its own. exit is
// what the code gave to ngx.exit; rc is a status when it did not run to its
// end. use, when not nil, is called before and after with the context.
func runFilter(r *core.Request, h *handler, p caller.Phase, use func(ctx *runCtx)) (results []rt.Value, exit, rc int) {
	w := enter(r)
	defer leave(r)
	run := w.takeRun()
	defer run.end()
	run.ctx.begin(w, r, p)
	fn, rc := run.ctx.code(h)
	if rc != core.OK {
		return nil, core.OK, rc
	}
	if use != nil {
		use(&run.ctx)
	}
	results, failure, abort := run.call(fn)
	if failure != nil && abort == nil {
		rc = 500
	}
	if use != nil {
		use(&run.ctx)
	}
	if run.ctx.exited {
		exit = run.ctx.exit
	} else if a, ok := abort.(exitAbort); ok {
		exit = a.code
	}
	return results, exit, rc
}

// enter gets the baton of the request's worker, choosing the worker first
// when this is its first Lua handler.
func enter(r *core.Request) *worker {
	l := note.Of(r)
	l.depth++
	w := l.worker
	if l.depth > 1 || r.Baton != nil {
		return w
	}
	if w != nil {
		w.baton.Acquire()
		return w
	}
	if !loc.Of(r.Loc).codeCache.V {
		w = privateWorker(r)
	}
	if w == nil {
		w = connCtxOf(r).take(r.Cycle)
	}
	if w == nil {
		w = takeWorker(r.Cycle, int(r.Conn.Number()))
	}
	l.worker = w
	return w
}

// leave undoes enter.
func leave(r *core.Request) {
	l := note.Of(r)
	l.depth--
	if l.depth == 0 && r.Baton == nil {
		l.worker.baton.Release()
	}
}

// cutAbort ends a Lua handler whose connection the server has closed.
type cutAbort struct{}

// Error and LuaAbort implement rt.Abort.
func (cutAbort) Error() string { return "connection closed by the server" }
func (cutAbort) LuaAbort()     {}

// noteRun and forgetRun keep the handlers of requests that run on w. The caller holds
// the baton.
func (w *worker) noteRun(run *entryRun) {
	run.next = w.running
	if run.next != nil {
		run.next.prev = run
	}
	w.running = run
}

func (w *worker) forgetRun(run *entryRun) {
	if run.prev != nil {
		run.prev.next = run.next
	} else {
		w.running = run.next
	}
	if run.next != nil {
		run.next.prev = run.prev
	}
	run.prev, run.next = nil, nil
}

// abortRuns ends the handlers of requests that run on w.
func (w *worker) abortRuns() {
	w.baton.Acquire()
	var groups []*rt.ThreadGroup
	for run := w.running; run != nil; run = run.next {
		groups = append(groups, &run.group)
	}
	w.baton.Release()
	for _, g := range groups {
		g.Abort(cutAbort{})
	}
}

// cutWorkers ends the handlers of requests.
func cutWorkers(c *core.Cycle) {
	for _, w := range main.Of(c).workers {
		w.abortRuns()
	}
}
