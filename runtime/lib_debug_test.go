package runtime

import (
	"strings"
	"testing"
)

func TestDebug(t *testing.T) {
	r := newCaseRunner(t)
	proto := &Proto{Name: "m.f", Line: 5, LastLine: 9, Params: 2, Vararg: true, Chunk: &Chunk{Name: "@dbg.lua"}}
	r.th.State.Globals.SetStr("f", NewFunction(proto, func(*Thread, int, Value, Value, Value) (Value, int) { return Nil, 0 }))
	for _, tt := range []struct{ call, want string }{
		{`debug.getinfo(f)`, `{["currentline"]=-1, ["func"]=function, ["isvararg"]=true, ["lastlinedefined"]=9, ["linedefined"]=5, ["namewhat"]="", ["nparams"]=2, ["nups"]=0, ["short_src"]="dbg.lua", ["source"]="@dbg.lua", ["what"]="Lua"}`},
		{`debug.getinfo(print, "S")`, `{["lastlinedefined"]=-1, ["linedefined"]=-1, ["short_src"]="[C]", ["source"]="=[C]", ["what"]="C"}`},
		{`debug.getinfo(50)`, "nil"},
		{`debug.getinfo(-1)`, "nil"},
		{`debug.getinfo()`, `error "bad argument #1 to '?' (function or level expected)"`},
		{`debug.getinfo("x")`, `error "bad argument #1 to '?' (function or level expected)"`},
		{`debug.getinfo(1, "?")`, `error "bad argument #2 to '?' (invalid option)"`},
		{`debug.getinfo(1, ">")`, `error "bad argument #2 to '?' (invalid option)"`},
		{`debug.getinfo(f, "L")`, `error "debug.getinfo: compiled code does not keep a list of its lines"`},
		{`debug.getlocal(1, 1)`, `error "debug.getlocal: compiled code does not keep its variables by name"`},
		{`debug.getupvalue(print, 1)`, "nothing"},
		{`debug.getupvalue(5, 1)`, `error "bad argument #1 to '?' (function expected, got number)"`},
		{`debug.sethook()`, "nothing"},
		{`debug.sethook(print, "l")`, `error "debug.sethook: compiled code has no hooks"`},
		{`debug.gethook()`, `nil, "", 0`},
		{`debug.getmetatable(5)`, "nil"},
		{`debug.setmetatable(5, 6)`, `error "bad argument #2 to '?' (nil or table expected)"`},
		{`debug.setmetatable(5, {})`, "5"},
		{`debug.getmetatable(6)`, "{}"},
		{`debug.setmetatable(5, nil)`, "5"},
		{`debug.getmetatable(6)`, "nil"},
		{`debug.getfenv()`, `error "bad argument #1 to '?' (value expected)"`},
		{`debug.setfenv(5, {})`, `error "'setfenv' cannot change environment of given object"`},
		{`debug.traceback({})`, "{}"},
		{`debug.traceback(nil)`, "nil"},
		{`debug.traceback("x", "y")`, `error "bad argument #2 to '?' (number expected, got string)"`},
		{`debug.traceback("msg")`, `"msg\010stack traceback:"`},
		{`debug.traceback(5, 0)`, `"5\010stack traceback:\010\009[C]: ?"`},
		{`jit.status()`, "true"},
		{`jit.off()`, "nothing"},
		{`jit.status()`, "false"},
		{`jit.on()`, "nothing"},
		{`jit.on(f)`, "nothing"},
		{`jit.off(true, true)`, "nothing"},
		{`jit.on(5)`, `error "bad argument #1 to '?' (function expected, got number)"`},
		{`jit.flush()`, "nothing"},
		{`jit.opt.start("hotloop=10")`, "nothing"},
		{`jit.attach()`, `error "bad argument #1 to '?' (function expected, got no value)"`},
	} {
		if got := r.run(tt.call); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.call, got, tt.want)
		}
	}
	if v := r.lookup("jit.version").Str(); !strings.HasPrefix(v, "LuaJIT 2.1") {
		t.Errorf("jit.version is %q", v)
	}
}
