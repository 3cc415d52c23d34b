package lua

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
)

// worker is one Lua world: its state, and the baton that says who may run in
// it.
type worker struct {
	id    int
	cycle *core.Cycle
	state *rt.State

	baton     *rt.Baton
	functions []rt.Value // by handler.index
	files     map[string]rt.Value
	runs      []*entryRun // idle
	users     int         // of a private state (lua_code_cache off): its request and its timers

	running *entryRun // the first of the handlers of requests that run
}

// takeWorker waits for a worker whose baton is free, trying the one of the
// hint first.
func takeWorker(c *core.Cycle, hint int) *worker {
	m := main.Of(c)
	return m.workers[m.batons.Acquire(hint%len(m.workers)).ID]
}

// newWorker makes a Lua state for a baton.
func newWorker(c *core.Cycle, id int, baton *rt.Baton) *worker {
	m := main.Of(c)
	check := func(chunk *rt.Chunk) error { return checkModule(c, chunk) }
	jit := &rt.Engine{Version: c.Stack.JIT, Number: c.Stack.JITNumber, Lua52: c.Stack.Lua52}
	return &worker{
		id:        id,
		cycle:     c,
		state:     rt.NewState(rt.Options{Chunks: m.Chunks, Baton: baton, Engine: jit, CheckModule: check}),
		baton:     baton,
		functions: make([]rt.Value, len(m.handlers)),
		files:     map[string]rt.Value{},
	}
}

// open fills the worker's state and runs init_by_lua in it.
func (w *worker) open() error {
	main.Of(w.cycle).openState(w.state, w)
	setPackagePaths(w.cycle, w.state)
	if h := main.Of(w.cycle).init; h != nil {
		if err := w.runMain(h, caller.PhaseInit); err != nil {
			return fmt.Errorf("%s error: %w", h.label(), err)
		}
	}
	return nil
}

// privateWorker makes a state that serves only r (lua_code_cache off) and
// takes its baton; nil when init_by_lua fails in it.
func privateWorker(r *core.Request) *worker {
	w := newWorker(r.Cycle, 0, rt.NewBaton())
	w.users = 1
	if err := w.open(); err != nil {
		r.Log(errlog.Err, err.Error())
		return nil
	}
	r.OnFree(func(main *core.Request) {
		w.baton.Acquire()
		w.drop(main.Log)
		w.baton.Release()
	})
	w.baton.Acquire()
	return w
}

// hold notes one more user of a private state; the caller holds the baton.
func (w *worker) hold() {
	if w.users > 0 {
		w.users++
	}
}

// drop notes that a user of a private state has ended, and closes it after the
// last one; the caller holds the baton.
func (w *worker) drop(log func(errlog.Level, string)) {
	if w.users <= 0 {
		return
	}
	log(errlog.Debug, fmt.Sprintf("decrementing the reference count for Lua VM: %d", w.users))
	w.users--
	if w.users == 0 {
		log(errlog.Debug, fmt.Sprintf("lua close the global Lua VM %v", rt.Address{Pointer: w.state}))
		if api, ok := w.state.Host.(*ngxAPI); ok {
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
func luaPath(c *core.Cycle) string {
	path := strings.NewReplacer("${prefix}", c.Prefix, "$prefix", c.Prefix).Replace(main.Of(c).packagePath.V)
	if path == "" {
		return DefaultLuaPath()
	}
	return strings.ReplaceAll(path, ";;", ";"+DefaultLuaPath()+";")
}

// setPackagePaths applies lua_package_path and lua_package_cpath.
func setPackagePaths(c *core.Cycle, st *rt.State) {
	st.Loaded.GetStr("package").Table().SetStr("path", rt.String(luaPath(c)))
	st.SetPackagePath("", strings.NewReplacer("${prefix}", c.Prefix, "$prefix", c.Prefix).Replace(main.Of(c).packageCPath.V))
}
