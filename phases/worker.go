package phases

import (
	"errors"
	"fmt"
	"strings"

	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// Worker is one Lua world: its state, and the baton that says who may run in
// it.
type Worker struct {
	ID    int
	Cycle *Cycle
	State *rt.State

	baton     *rt.Baton
	functions []rt.Value // by luaHandler.index
	files     map[string]rt.Value
	runs      []*luaRun // idle
	users     int       // of a private state (lua_code_cache off): its request and its timers

	running *luaRun // the first of the handlers of requests that run
}

// luaRun is an entry thread with what belongs to it. It is used again by the
// next handler when the run before left nothing behind.
type luaRun struct {
	thread *rt.Thread
	group  rt.ThreadGroup
	ctx    LuaCtx

	prev, next *luaRun // of those that run for requests
	spent      bool    // not to be used again: its stack was cut off, or somebody knows it
}

// call runs fn as the entry thread of the handler that run.ctx describes, with the
// light threads it leaves behind, and logs what went wrong. The caller holds the
// worker's baton.
func (run *luaRun) call(fn rt.Value, args ...rt.Value) (results []rt.Value, failure *rt.Error, abort rt.Abort) {
	run.thread.Host = &run.ctx
	run.group.Coroutines, run.group.Context = run.ctx.Phase.coroutines(), run.ctx.Phase.Directive()
	results, failure, abort = run.enter(fn, args)
	run.spent = failure != nil || abort != nil
	if failure != nil && abort == nil {
		run.ctx.logFailure(failure)
	}
	if d, ok := abort.(*guard.Defect); ok {
		run.ctx.log(LogAlert, d.Error())
	}
	return results, failure, abort
}

// logFailure logs an error that a handler did not catch. Those of the workers' own
// phases are told by who runs them.
func (c *LuaCtx) logFailure(e *rt.Error) {
	switch {
	case c.Phase == PhaseInit, c.Phase == PhaseInitWorker, c.Phase == PhaseExitWorker:
	case c.R != nil && !c.Phase.CanYield():
		c.logf(LogErr, "failed to run %s: %s\n%s", c.Phase.Directive(), errorText(e), e.Traceback)
	default:
		c.logf(LogErr, "lua entry thread aborted: runtime error: %s\n%s", errorText(e), entryTraceback(e))
	}
}

// enter is call for a group that is set up; it logs nothing.
func (run *luaRun) enter(fn rt.Value, args []rt.Value) (results []rt.Value, failure *rt.Error, abort rt.Abort) {
	abort = run.group.Run(run.thread, func() bool {
		results, failure = run.thread.PCall(fn, args...)
		return failure == nil
	})
	return results, failure, abort
}

// takeRun gets an entry thread, whose context the caller sets; it holds the baton until
// it calls end.
func (w *Worker) takeRun() *luaRun {
	if n := len(w.runs); n > 0 {
		run := w.runs[n-1]
		w.runs = w.runs[:n-1]
		if log := w.Cycle.Log; log != nil && log.Enabled(LogDebug) {
			log.Output(LogDebug, 0, fmt.Sprintf("lua reusing cached lua thread %v (ref 1)", rt.Address{Pointer: run.thread}))
		}
		return run
	}
	return &luaRun{thread: w.State.NewThread()}
}

// end closes what a handler without a request left open, and keeps the entry thread
// for the next one.
func (run *luaRun) end() {
	run.ctx.sockets.closeSockets()
	w := run.ctx.Worker
	if run.spent || len(w.runs) >= luaMain.of(w.Cycle).threadCacheMax.v {
		return
	}
	if run.ctx.logEnabled(LogDebug) {
		run.ctx.log(LogDebug, fmt.Sprintf("lua caching unused lua thread %v (ref 1)", rt.Address{Pointer: run.thread}))
	}
	run.ctx = LuaCtx{}
	w.runs = append(w.runs, run)
}

// takeWorker waits for a worker whose baton is free, trying the one of the
// hint first.
func takeWorker(c *Cycle, hint int) *Worker {
	m := luaMain.of(c)
	return m.workers[m.batons.Acquire(hint%len(m.workers)).ID]
}

// InitWorkers makes the Lua states and runs init_by_lua in each: where nginx
// forks workers from one state, every worker here has one of its own.
func initWorkers(c *Cycle) error {
	m := luaMain.of(c)
	n := max(c.Main.WorkerProcesses.v, 1)
	m.batons = rt.NewBatonPool(n)
	m.openState = OpenNgx
	var err error
	if m.dicts, err = openDicts(m.SharedDicts); err != nil {
		return err
	}
	for i := range n {
		m.workers = append(m.workers, newWorker(c, i, m.batons.Baton(i)))
	}
	for _, w := range m.workers {
		if err := w.open(); err != nil {
			if c.Log != nil {
				c.Log.Output(LogErr, 0, err.Error())
			}
			return err
		}
	}
	return nil
}

// newWorker makes a Lua state for a baton.
func newWorker(c *Cycle, id int, baton *rt.Baton) *Worker {
	m := luaMain.of(c)
	check := func(chunk *rt.Chunk) error { return checkModule(c, chunk) }
	return &Worker{
		ID:        id,
		Cycle:     c,
		State:     rt.NewState(rt.Options{Chunks: m.chunks, Baton: baton, CheckModule: check}),
		baton:     baton,
		functions: make([]rt.Value, len(m.handlers)),
		files:     map[string]rt.Value{},
	}
}

// open fills the worker's state and runs init_by_lua in it.
func (w *Worker) open() error {
	luaMain.of(w.Cycle).openState(w.State, w)
	setPackagePaths(w.Cycle, w.State)
	if h := luaMain.of(w.Cycle).init; h != nil {
		if err := w.runMain(h, PhaseInit); err != nil {
			return fmt.Errorf("%s error: %w", h.label(), err)
		}
	}
	return nil
}

// privateWorker makes a state that serves only r (lua_code_cache off) and
// takes its baton; nil when init_by_lua fails in it.
func privateWorker(r *Request) *Worker {
	w := newWorker(r.Cycle, 0, rt.NewBaton())
	w.users = 1
	if err := w.open(); err != nil {
		r.Log(LogErr, err.Error())
		return nil
	}
	r.onFree(func(main *Request) {
		w.baton.Acquire()
		w.drop(main.Log)
		w.baton.Release()
	})
	w.baton.Acquire()
	return w
}

// hold notes one more user of a private state; the caller holds the baton.
func (w *Worker) hold() {
	if w.users > 0 {
		w.users++
	}
}

// drop notes that a user of a private state has ended, and closes it after the
// last one; the caller holds the baton.
func (w *Worker) drop(log func(LogLevel, string)) {
	if w.users <= 0 {
		return
	}
	log(LogDebug, fmt.Sprintf("decrementing the reference count for Lua VM: %d", w.users))
	w.users--
	if w.users == 0 {
		log(LogDebug, fmt.Sprintf("lua close the global Lua VM %v", rt.Address{Pointer: w.State}))
		if api, ok := w.State.Host.(*ngxAPI); ok {
			api.pools.Shutdown()
		}
	}
}

// debianLuaPath comes before LuaJIT's own path in Debian's ngx_lua.
const debianLuaPath = "/usr/share/lua/5.1/?.lua;"

// DefaultLuaPath is package.path without lua_package_path, and what ";;" stands for
// in it. LUA_PATH in the environment changes it.
func DefaultLuaPath() string { return debianLuaPath + ";" + rt.DefaultPath() }

// luaPath is package.path under the configuration, as far as directives set it.
func luaPath(c *Cycle) string {
	path := strings.NewReplacer("${prefix}", c.Prefix, "$prefix", c.Prefix).Replace(luaMain.of(c).packagePath.v)
	if path == "" {
		return DefaultLuaPath()
	}
	return strings.ReplaceAll(path, ";;", ";"+DefaultLuaPath()+";")
}

// setPackagePaths applies lua_package_path and lua_package_cpath.
func setPackagePaths(c *Cycle, st *rt.State) {
	st.Loaded.GetStr("package").Table().SetStr("path", rt.String(luaPath(c)))
	st.SetPackagePath("", strings.NewReplacer("${prefix}", c.Prefix, "$prefix", c.Prefix).Replace(luaMain.of(c).packageCPath.v))
}

// StartWorkers runs init_worker_by_lua in every worker. An error is logged and
// does not keep the server from running.
func startWorkers(c *Cycle) { everyWorker(c, luaMain.of(c).initWorker, PhaseInitWorker) }

// StopWorkers runs exit_worker_by_lua in every worker.
func stopWorkers(c *Cycle) {
	everyWorker(c, luaMain.of(c).exitWorker, PhaseExitWorker)
}

func everyWorker(c *Cycle, h *luaHandler, p Phase) {
	if h == nil {
		return
	}
	for _, w := range luaMain.of(c).workers {
		if err := w.runMain(h, p); err != nil && c.Log != nil {
			c.Log.Output(LogErr, 0, fmt.Sprintf("%s error: %v", h.label(), err))
		}
	}
}

// label is how log lines name a handler without a request: blocks like the
// quoted form.
func (h *luaHandler) label() string { return strings.TrimSuffix(h.ref.Directive, "_block") }

// runMain runs a chunk that belongs to no request.
func (w *Worker) runMain(h *luaHandler, p Phase) error {
	w.baton.Acquire()
	defer w.baton.Release()
	if h.chunk == nil {
		return fmt.Errorf("cannot open %s", h.ref.Path)
	}
	fn := w.State.Load(h.chunk, h.ref.Name) // gives the chunk its name
	if text := w.State.ChunkError(h.chunk); text != "" {
		return errors.New(text)
	}
	run := &luaRun{thread: w.State.NewThread(), ctx: LuaCtx{Phase: p, Worker: w}} // those that are kept are for requests
	if p == PhaseInitWorker {
		run.ctx.number = connNumbers.Add(1) // it counts as a connection
	}
	_, failure, abort := run.call(fn)
	switch {
	case failure != nil:
		return fmt.Errorf("%s\n%s", errorText(failure), failure.Traceback)
	case abort != nil:
		return abort
	}
	return nil
}

// luaCut ends a Lua handler whose connection the server has closed.
type luaCut struct{}

// Error and LuaAbort implement rt.Abort.
func (luaCut) Error() string { return "connection closed by the server" }
func (luaCut) LuaAbort()     {}

// noteRun and forgetRun keep the handlers of requests that run on w. The caller holds
// the baton.
func (w *Worker) noteRun(run *luaRun) {
	run.next = w.running
	if run.next != nil {
		run.next.prev = run
	}
	w.running = run
}

func (w *Worker) forgetRun(run *luaRun) {
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
func (w *Worker) abortRuns() {
	w.baton.Acquire()
	var groups []*rt.ThreadGroup
	for run := w.running; run != nil; run = run.next {
		groups = append(groups, &run.group)
	}
	w.baton.Release()
	for _, g := range groups {
		g.Abort(luaCut{})
	}
}

// cutWorkers ends the handlers of requests.
func cutWorkers(c *Cycle) {
	for _, w := range luaMain.of(c).workers {
		w.abortRuns()
	}
}
