package lua

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxThread is the ngx.thread table: light threads of the running handler.
var ngxThread = lib.Functions{
	{"spawn", threadSpawn},
	{"wait", threadWait},
	{"kill", threadKill},
}

// threadSpawn is ngx.thread.spawn(f, ...): f runs at once, until it first waits.
func threadSpawn(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	c := ctxOf(th)
	if c.Phase == caller.PhaseInit {
		th.Errorf(caller.NoRequest)
	}
	checkLuaFunction(th, args, 0)
	gate(th, caller.Wait, caller.NoRequest)
	if th.Light().Group().Alive() >= maxLightThreads {
		th.Errorf("no memory: %d light threads of this handler have not ended", maxLightThreads)
	}
	th.Stop()
	lt := th.Spawn(args[0], args[1:], userThreadFailed)
	th.Go()
	return rt.ThreadValue(lt.Handle()), 1
}

// maxLightThreads is how many light threads a handler may have at a time. Each takes
// some 10 KB.
const maxLightThreads = 32768

// checkLuaFunction wants a function written in Lua.
func checkLuaFunction(th *rt.Thread, args []rt.Value, i int) {
	if v := rt.ArgAt(args, i); !v.IsFunction() || v.Func().Proto() == nil {
		th.ArgError(i, "Lua function expected")
	}
}

// userThreadFailed logs the error that ended a light thread. It does not end the
// handler.
func userThreadFailed(th *rt.Thread, err *rt.Error) {
	trace := entryTraceback(err)
	level := strings.Count(trace, "\ncoroutine ")
	for parent := th.Light().Parent(); parent != nil && len(trace) < errlog.LongLine; parent = parent.Light().Parent() {
		if levels := parent.StoppedTraceback(); levels != "" {
			trace += fmt.Sprintf("\ncoroutine %d:%s", level, levels)
			level++
		}
	}
	ctxOf(th).Logf(errlog.Err, "lua user thread aborted: runtime error: %s\n%s", errorText(err), trace)
}

// lightOf checks that an argument is a thread of the running handler. The result is
// nil for a plain coroutine.
func lightOf(th *rt.Thread, args []rt.Value, i int) *rt.LightThread {
	v := rt.ArgAt(args, i)
	if !v.IsThread() {
		th.ArgError(i, "lua thread expected")
	}
	lt := v.Coroutine().Light()
	if lt == nil || lt.Parent() == nil {
		return nil
	}
	if lt.Group() != th.Light().Group() {
		th.Errorf("no co ctx found")
	}
	return lt
}

// threadWait is ngx.thread.wait(thread, ...): true and the results, or false and the
// error, of the first thread that has ended.
func threadWait(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	gate(th, caller.Wait, caller.NoRequest)
	if len(args) == 0 {
		th.Errorf("at least one coroutine should be specified")
	}
	waited := make([]*rt.LightThread, 0, len(args))
	for i := range args {
		lt := lightOf(th, args, i)
		switch {
		case lt == nil:
			th.Errorf("attempt to wait on a coroutine that is not a user thread")
		case lt.Parent() != th:
			th.Errorf("only the parent coroutine can wait on the thread")
		case lt.IsZombie():
			return threadResults(th, lt)
		case !lt.IsDead():
			waited = append(waited, lt)
		case i == len(args)-1:
			return lib.Fail(th, "already waited or killed")
		}
	}
	th.Stop()
	defer th.Go()
	return threadResults(th, th.WaitAny(waited))
}

func threadResults(th *rt.Thread, lt *rt.LightThread) (rt.Value, int) {
	results, ok := lt.Reap()
	return th.ReturnList(append([]rt.Value{rt.Bool(ok)}, results...))
}

// threadKill is ngx.thread.kill(thread).
func threadKill(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	gate(th, caller.Wait, caller.NoRequest)
	lt := lightOf(th, args, 0)
	switch {
	case lt == nil:
		return lib.Fail(th, "not user thread")
	case lt.Parent() != th:
		return lib.Fail(th, "killer not parent")
	case lt.Subrequests > 0:
		return lib.Fail(th, "pending subrequests")
	case lt.IsZombie():
		lt.Reap()
		return lib.Fail(th, "already terminated")
	case lt.IsDead():
		return lib.Fail(th, "already waited or killed")
	}
	lt.Kill()
	return lib.One()
}
