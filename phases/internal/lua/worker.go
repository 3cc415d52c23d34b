package lua

import (
	"os"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxWorker is the ngx.worker table. All workers live in one process.
var ngxWorker = lib.Functions{
	{"exiting", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Bool(apiOf(th).timers.exiting), 1
	}},
	{"pid", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return rt.Int(os.Getpid()), 1 }},
	{"pids", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		if p := ctxOf(th).Phase; p == caller.PhaseInit || p == caller.PhaseInitWorker {
			return lib.Fail(th, "API disabled in the current context")
		}
		return rt.NewArray(rt.Int(os.Getpid())), 1
	}},
	{"id", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		w := apiOf(th).worker
		if ctxOf(th).Phase == caller.PhaseInit && w.cycle.Main.MasterProcess.OrDefault(true) {
			return rt.Nil, 1 // nginx's master runs init_by_lua
		}
		return rt.Int(w.id), 1
	}},
	{"count", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Int(max(apiOf(th).worker.cycle.Main.WorkerProcesses.V, 1)), 1
	}},
}
