package phases

import (
	"errors"
	"fmt"
	"strings"

	rt "github.com/moonphase/moonphase/runtime"
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
}

// call runs fn as the entry thread of the handler that run.ctx describes, with the
// light threads it leaves behind.
func (run *luaRun) call(fn rt.Value, args ...rt.Value) (results []rt.Value, failure *rt.Error, abort rt.Abort) {
	run.thread.Host = &run.ctx
	run.group.Coroutines, run.group.Context = run.ctx.Phase.coroutines(), run.ctx.Phase.Directive()
	return run.enter(fn, args)
}

// enter is call for a group that is set up.
func (run *luaRun) enter(fn rt.Value, args []rt.Value) (results []rt.Value, failure *rt.Error, abort rt.Abort) {
	abort = run.group.Run(run.thread, func() bool {
		results, failure = run.thread.PCall(fn, args...)
		return failure == nil
	})
	return results, failure, abort
}

// maxIdleRuns bounds the entry threads a worker keeps for reuse, unless
// lua_thread_cache_max_entries does.
const maxIdleRuns = 1024

// takeRun gets an entry thread; the caller holds the baton.
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

// giveRun puts an entry thread back. After an error or an exit its stack was
// cut off in the middle, so it is thrown away.
func (w *Worker) giveRun(run *luaRun, clean bool) {
	if !clean || len(w.runs) >= w.Cycle.lua.threadCacheMax.orDefault(maxIdleRuns) {
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
func (c *Cycle) takeWorker(hint int) *Worker {
	return c.Workers[c.batons.Acquire(hint%len(c.Workers)).ID]
}

// InitWorkers makes the Lua states and runs init_by_lua in each: where nginx
// forks workers from one state, every worker here has one of its own.
func (c *Cycle) InitWorkers() error {
	n := max(c.Main.WorkerProcesses.v, 1)
	c.batons = rt.NewBatonPool(n)
	c.openState = OpenNgx
	var err error
	if c.dicts, err = openDicts(c.lua.SharedDicts); err != nil {
		return err
	}
	for i := range n {
		c.Workers = append(c.Workers, c.newWorker(i, c.batons.Baton(i)))
	}
	for _, w := range c.Workers {
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
func (c *Cycle) newWorker(id int, baton *rt.Baton) *Worker {
	return &Worker{
		ID:        id,
		Cycle:     c,
		State:     rt.NewState(rt.Options{Chunks: c.chunks, Baton: baton, CheckModule: c.checkModule}),
		baton:     baton,
		functions: make([]rt.Value, len(c.lua.handlers)),
		files:     map[string]rt.Value{},
	}
}

// open fills the worker's state and runs init_by_lua in it.
func (w *Worker) open() error {
	w.Cycle.openState(w.State, w)
	w.Cycle.setPackagePaths(w.State)
	if h := w.Cycle.lua.init; h != nil {
		if err := w.runMain(h, PhaseInit); err != nil {
			return fmt.Errorf("%s error: %w", h.label(), err)
		}
	}
	return nil
}

// privateWorker makes a state that serves only r (lua_code_cache off) and
// takes its baton; nil when init_by_lua fails in it.
func (r *Request) privateWorker() *Worker {
	w := r.Cycle.newWorker(0, rt.NewBaton())
	w.users = 1
	if err := w.open(); err != nil {
		r.Log(LogErr, err.Error())
		return nil
	}
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
func (c *Cycle) luaPath() string {
	path := strings.NewReplacer("${prefix}", c.Prefix, "$prefix", c.Prefix).Replace(c.lua.packagePath.v)
	if path == "" {
		return DefaultLuaPath()
	}
	return strings.ReplaceAll(path, ";;", ";"+DefaultLuaPath()+";")
}

// setPackagePaths applies lua_package_path and lua_package_cpath.
func (c *Cycle) setPackagePaths(st *rt.State) {
	st.Loaded.GetStr("package").Table().SetStr("path", rt.String(c.luaPath()))
	st.SetPackagePath("", strings.NewReplacer("${prefix}", c.Prefix, "$prefix", c.Prefix).Replace(c.lua.packageCPath.v))
}

// StartWorkers runs init_worker_by_lua in every worker. An error is logged and
// does not keep the server from running.
func (c *Cycle) StartWorkers() { c.everyWorker(c.lua.initWorker, PhaseInitWorker) }

// StopWorkers runs exit_worker_by_lua in every worker.
func (c *Cycle) StopWorkers() {
	c.everyWorker(c.lua.exitWorker, PhaseExitWorker)
}

func (c *Cycle) everyWorker(h *luaHandler, p Phase) {
	if h == nil {
		return
	}
	for _, w := range c.Workers {
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
	run := &luaRun{thread: w.State.NewThread(), ctx: LuaCtx{Phase: p, Worker: w}}
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
