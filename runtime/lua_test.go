package runtime

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The functions of this file are Lua by hand, in the form generated code has.

var (
	protoInner = &Proto{Name: "inner", Line: 1, LastLine: 3}
	protoOuter = &Proto{Name: "M.outer", Line: 5, LastLine: 9}
	protoAnon  = &Proto{Line: 20, LastLine: 29}
	protoDeep  = &Proto{Name: "deep", Line: 30, LastLine: 39}

	testChunk = &Chunk{
		Key: "t", Name: "@dir/t.lua", LineFile: "t.lua",
		Protos: []*Proto{protoInner, protoOuter, protoAnon, protoDeep},
		Main:   func(th *Thread, env *Env, args []Value) (Value, int) { return Nil, 0 },
	}
)

func newTestThread() *Thread {
	return NewState(Options{Chunks: ChunkSet{testChunk}}).NewThread()
}

// lua runs body as the Lua function of a proto.
func lua(p *Proto, body func(th *Thread, n int, a, b, c Value) (Value, int)) Value {
	return NewFunction(p, body)
}

func global(th *Thread, name string) Value { return th.State.Globals.GetStr(name) }

//line t.lua:1
func luaInner(th *Thread, n int, a, b, c Value) (Value, int) {
	return Index(th, a, String("x"), "local a"), 1
}

//line t.lua:5
func luaOuter(th *Thread, n int, a, b, c Value) (Value, int) {
	th.Enter(1)
	v, r := Call1(th, lua(protoInner, luaInner), "local inner", a)
	th.Leave(1)
	return v, r
}

//line t.lua:20
func luaRaise(th *Thread, n int, a, b, c Value) (Value, int) {
	th.Enter(1)
	Call2(th, global(th, "error"), "global error", a, b)
	th.Leave(1)
	return Nil, 0
}

//line t.lua:23
func luaTailRaise(th *Thread, n int, a, b, c Value) (Value, int) {
	return TailCall2(th, global(th, "error"), "global error", a, b)
}

//line t.lua:30
func luaDeep(th *Thread, n int, a, b, c Value) (Value, int) {
	th.Enter(1)
	v, r := Call1(th, lua(protoDeep, luaDeep), "upvalue deep", a)
	th.Leave(1)
	return First(v, r), 1
}

//line lua_test.go:77
func TestErrorPositions(t *testing.T) {
	th := newTestThread()
	pcall := global(th, "pcall")
	tests := []struct {
		name string
		f    Value
		args []Value
		want string
	}{
		{"index in callee", lua(protoOuter, luaOuter), []Value{Nil}, "dir/t.lua:2: attempt to index local 'a' (a nil value)"},
		{"error level 1", lua(protoAnon, luaRaise), []Value{String("m"), Nil}, "dir/t.lua:22: m"},
		{"error level 0", lua(protoAnon, luaRaise), []Value{String("m"), Int(0)}, "m"},
		{"error level 2 from C", lua(protoAnon, luaRaise), []Value{String("m"), Int(2)}, "m"},
		{"tail call loses its frame", lua(protoAnon, luaTailRaise), []Value{String("m"), Nil}, "m"},
		{"stack overflow", lua(protoDeep, luaDeep), nil, "dir/t.lua:32: stack overflow"},
		{"C function called by C", global(th, "setmetatable"), []Value{Int(1)}, "bad argument #1 to '?' (table expected, got number)"},
		{"call of nil", Nil, nil, "attempt to call a nil value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := th.Call(pcall, append([]Value{tt.f}, tt.args...)...)
			if len(got) != 2 || got[0] != False || !EqString(got[1], tt.want) {
				t.Errorf("got %s, want %q", describeAll(got), tt.want)
			}
			if th.depth != 0 {
				t.Errorf("depth is %d afterwards", th.depth)
			}
		})
	}
}

func describeAll(vs []Value) string {
	var parts []string
	for _, v := range vs {
		parts = append(parts, Describe(v))
	}
	return strings.Join(parts, ", ")
}

func TestTraceback(t *testing.T) {
	th := newTestThread()
	_, err := th.PCall(lua(protoOuter, luaOuter), Nil)
	want := "stack traceback:\n\tdir/t.lua:2: in function 'inner'\n\tdir/t.lua:7: in function <dir/t.lua:5>"
	if err == nil || err.Traceback != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, err.Traceback, want)
	}
	handler := NewGoFunction("traceback", func(th *Thread, args []Value) (Value, int) {
		return String(th.Traceback(args[0].Str(), 1)), 1
	})
	got := th.Call(global(th, "xpcall"), lua(protoAnon, luaRaise), handler, String("boom"))
	want = "dir/t.lua:22: boom\nstack traceback:\n\t[C]: in function 'error'\n" +
		"\tdir/t.lua:22: in function <dir/t.lua:20>\n\t[C]: ?"
	if len(got) != 2 || !EqString(got[1], want) {
		t.Errorf("got %s\nwant %s", describeAll(got), want)
	}
}

func TestErrorInHandler(t *testing.T) {
	th := newTestThread()
	got := th.Call(global(th, "xpcall"), lua(protoAnon, luaRaise), lua(protoAnon, luaRaise), String("x"))
	if len(got) != 2 || !EqString(got[1], "error in error handling") {
		t.Errorf("got %s", describeAll(got))
	}
}

// A defect of the runtime is an error of the script, not the end of the process.
func TestInternalError(t *testing.T) {
	th := newTestThread()
	f := lua(protoAnon, func(th *Thread, n int, a, b, c Value) (Value, int) {
		var p *Table
		return Int(len(p.arr)), 1
	})
	_, err := th.PCall(f)
	if err == nil || !strings.HasPrefix(err.Error(), "internal error: ") || err.Defect == nil {
		t.Errorf("got %v", err)
	}
}

type exit struct{}

func (exit) Error() string { return "exit" }
func (exit) LuaAbort()     {}

// An Abort passes pcall, xpcall and coroutines.
func TestAbort(t *testing.T) {
	th := newTestThread()
	abort := lua(protoAnon, func(th *Thread, n int, a, b, c Value) (Value, int) { panic(exit{}) })
	handler := lua(protoAnon, func(th *Thread, n int, a, b, c Value) (Value, int) {
		t.Error("handler saw an abort")
		return Nil, 0
	})
	lib := th.State.Globals.GetStr("coroutine").Table()
	co := th.Call1(lib.GetStr("create"), abort)
	calls := map[string]func(){
		"pcall":  func() { th.Call(global(th, "pcall"), abort) },
		"xpcall": func() { th.Call(global(th, "xpcall"), abort, handler) },
		"resume": func() { th.Call(lib.GetStr("resume"), co) },
		"PCall":  func() { th.PCall(abort) },
	}
	for name, call := range calls {
		func() {
			defer func() {
				if x := recover(); !errors.Is(x.(error), exit{}) {
					t.Errorf("%s: recovered %v", name, x)
				}
			}()
			call()
			t.Errorf("%s caught the abort", name)
		}()
	}
}

// Two functions that tail-call each other run in bounded stack.
func TestMutualTailCalls(t *testing.T) {
	th := newTestThread()
	var ping, pong Value
	step := func(next *Value) Func {
		return func(th *Thread, n int, a, b, c Value) (Value, int) {
			if a.Num() == 0 {
				return String("done"), 1
			}
			return TailCall1(th, *next, "upvalue next", Number(a.Num()-1))
		}
	}
	ping, pong = lua(protoAnon, step(&pong)), lua(protoAnon, step(&ping))
	if v := th.Call1(ping, Int(10_000_000)); !EqString(v, "done") {
		t.Errorf("got %s", Describe(v))
	}
}

// Arguments and results of every count arrive.
func TestCallCounts(t *testing.T) {
	th := newTestThread()
	echo := lua(protoAnon, func(th *Thread, n int, a, b, c Value) (Value, int) {
		return ReturnList(th, th.Varargs(n, a, b, c, 0))
	})
	rest := lua(protoAnon, func(th *Thread, n int, a, b, c Value) (Value, int) {
		return TailCallList(th, echo, "", th.Varargs(n, a, b, c, 2))
	})
	native := NewGoFunction("echo", func(th *Thread, args []Value) (Value, int) { return th.ReturnList(args) })
	pcall, wrap := global(th, "pcall"), th.State.Globals.GetStr("coroutine").Table().GetStr("wrap")
	callable := NewTable(0, 0)
	meta := NewTable(0, 0)
	meta.SetStr("__call", rest)
	callable.SetMeta(meta)
	for n := range 20 {
		var args []Value
		for i := range n {
			args = append(args, Int(i+1))
		}
		check := func(name string, got, want []Value) {
			t.Helper()
			if describeAll(got) != describeAll(want) {
				t.Errorf("%s of %d: got %s", name, n, describeAll(got))
			}
		}
		check("lua", th.Call(echo, args...), args)
		check("native", th.Call(native, args...), args)
		check("tail", th.Call(rest, args...), args[min(2, n):])
		check("pcall", th.Call(pcall, append([]Value{native}, args...)...), append([]Value{True}, args...))
		check("wrap", th.Call(th.Call1(wrap, echo), args...), args)
		check("__call", th.Call(TableValue(callable), args...), args[min(1, n):])
	}
}

func TestCoroutine(t *testing.T) {
	th := newTestThread()
	lib := th.State.Globals.GetStr("coroutine").Table()
	yield := lib.GetStr("yield")
	body := lua(protoAnon, func(th *Thread, n int, a, b, c Value) (Value, int) {
		for a.Num() < 3 {
			// yield inside pcall
			_, r := Call2(th, global(th, "pcall"), "", yield, a)
			a = th.Result(r, 1)
		}
		Call1(th, global(th, "error"), "", String("end"))
		return Nil, 0
	})
	co := th.Call1(lib.GetStr("create"), body)
	want := []string{"true, 0", "true, 1", "true, 2", "false, end", "false, cannot resume dead coroutine"}
	for i, w := range want {
		if got := describeAll(th.Call(lib.GetStr("resume"), co, Int(i))); got != w {
			t.Errorf("resume %d: got %s, want %s", i, got, w)
		}
	}
	if s := co.Coroutine().Status(); s != "dead" {
		t.Errorf("status %s", s)
	}
}

// Coroutines that nobody resumes any more must give their goroutines back: when
// the entry thread is closed, and when they become unreachable.
func TestCoroutineLeak(t *testing.T) {
	before := runtime.NumGoroutine() + maxIdleRunners + unwatched
	th := newTestThread()
	lib := th.State.Globals.GetStr("coroutine").Table()
	body := lua(protoAnon, func(th *Thread, n int, a, b, c Value) (Value, int) {
		Call0(th, lib.GetStr("yield"), "")
		t.Error("resumed")
		return Nil, 0
	})
	start := func(n int) (list []Value) {
		for range n {
			co := th.Call1(lib.GetStr("create"), body)
			th.Call(lib.GetStr("resume"), co)
			list = append(list, co)
		}
		return list
	}
	kept := start(500)
	th.Close()
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines after Close, %d before", n, before)
	}
	runtime.KeepAlive(kept)

	start(500)
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines although their coroutines are unreachable, %d before", runtime.NumGoroutine(), before)
		}
		runtime.GC()
		runtime.Gosched()
	}
}

func TestInterrupt(t *testing.T) {
	th := newTestThread()
	loop := lua(protoAnon, func(th *Thread, n int, a, b, c Value) (Value, int) {
		for {
			th.Poll()
		}
	})
	go th.Interrupt(&Error{Value: String("time limit")})
	<-th.Done()
	if _, err := th.PCall(loop); err == nil || !strings.HasSuffix(err.Error(), "time limit") {
		t.Errorf("got %v", err)
	}
}

// A pcall in tail position nests like any other call.
func TestDeepProtectedCalls(t *testing.T) {
	th := newTestThread()
	var f Value
	f = lua(protoAnon, func(th *Thread, n int, a, b, c Value) (Value, int) {
		return TailCall1(th, global(th, "pcall"), "", f)
	})
	if got, err := th.PCall(f); err != nil || len(got) < 2 {
		t.Errorf("got %s, %v", describeAll(got), err)
	}
}
