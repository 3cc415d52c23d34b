package runtime

import "strings"

var debugLib = []libFunc{
	{"debug", debugUnsupported("debug", "there is no console")},
	{"getfenv", debugGetfenv},
	{"gethook", debugGethook},
	{"getinfo", debugGetinfo},
	{"getlocal", debugUnsupported("getlocal", noVariables)},
	{"getmetatable", debugGetMetatable},
	{"getregistry", debugGetRegistry},
	{"getupvalue", debugGetUpvalue},
	{"setfenv", debugSetfenv},
	{"sethook", debugSethook},
	{"setlocal", debugUnsupported("setlocal", noVariables)},
	{"setmetatable", debugSetMetatable},
	{"setupvalue", debugUnsupported("setupvalue", noVariables)},
	{"traceback", debugTraceback},
	{"upvalueid", debugUnsupported("upvalueid", noVariables)},
	{"upvaluejoin", debugUnsupported("upvaluejoin", noVariables)},
}

const noVariables = "compiled code does not keep its variables by name"

func openDebug(st *State) {
	st.registry = NewTable(0, 2)
	st.registry.SetStr("_LOADED", TableValue(st.Loaded))
	t := newLib(debugLib)
	if st.engine.Lua52 {
		for _, f := range []libFunc{{"getuservalue", debugGetUserValue}, {"setuservalue", debugSetUserValue}} {
			t.SetStr(f.name, NewGoFunction(f.name, f.fn))
		}
	}
	st.addLib("debug", t)
}

// debugGetUserValue is getuservalue(u): the table that goes with a userdata.
func debugGetUserValue(th *Thread, args []Value) (Value, int) {
	if v := th.CheckAny(args, 0); v.IsUserdata() {
		if t := v.Userdata().UserValue; t != nil {
			return TableValue(t), 1
		}
		return TableValue(th.State.Globals), 1
	}
	return Nil, 1
}

// debugSetUserValue is setuservalue(u, table).
func debugSetUserValue(th *Thread, args []Value) (Value, int) {
	v := th.CheckAny(args, 0)
	if !v.IsUserdata() {
		th.ArgTypeError(args, 0, "userdata")
	}
	v.Userdata().UserValue = th.CheckTable(args, 1)
	return v, 1
}

// debugUnsupported returns a function that says why it cannot work.
func debugUnsupported(name, why string) GoFunc {
	return func(th *Thread, _ []Value) (Value, int) {
		th.Errorf("debug.%s: %s", name, why)
		return Nil, 0
	}
}

// threadArg takes an optional coroutine off the arguments; offset is 1 when there was one.
func threadArg(args []Value) (co *Coroutine, rest []Value, offset int) {
	if len(args) > 0 && args[0].IsThread() {
		return args[0].Coroutine(), args[1:], 1
	}
	return nil, args, 0
}

func debugTraceback(th *Thread, args []Value) (Value, int) {
	co, rest, offset := threadArg(args)
	message := ""
	if len(rest) > 0 {
		text, ok := toString(rest[0])
		if !ok {
			return rest[0], 1
		}
		message = text
	}
	if co != nil && co != th.Running() {
		if message != "" {
			message += "\n"
		}
		level := 0
		if !isAbsent(rest, 1) {
			level = floatInt32(th.CheckNumber(args, 1+offset))
		}
		return String(message + co.Traceback(level)), 1
	}
	level := 1
	if !isAbsent(rest, 1) {
		level = floatInt32(th.CheckNumber(args, 1+offset))
	}
	return String(th.Traceback(message, level)), 1
}

// infoFields are the letters that debug.getinfo knows.
const infoFields = "flnSuL"

func debugGetinfo(th *Thread, args []Value) (Value, int) {
	co, rest, offset := threadArg(args)
	what := "flnSu"
	if !isAbsent(rest, 1) {
		what = th.CheckString(args, 1+offset)
		if strings.Trim(what, infoFields) != "" {
			th.ArgError(1+offset, "invalid option")
		}
	}
	t := NewTable(0, 16)
	switch v := ArgAt(rest, 0); {
	case v.IsFunction():
		th.functionInfo(t, v.Func(), what)
	case v.IsNumber():
		if co != nil && co != th.Running() {
			return Nil, 1 // the stack of a suspended coroutine cannot be seen
		}
		l, ok := th.Level(floatInt32(v.Num()))
		if !ok {
			return Nil, 1
		}
		if strings.Contains(what, "f") && !isAbsent(rest, 1) {
			th.Errorf("debug.getinfo: the stack of compiled code does not keep its functions")
		}
		th.levelInfo(t, &l, what)
	default:
		th.ArgError(offset, "function or level expected")
	}
	if strings.Contains(what, "L") {
		th.Errorf("debug.getinfo: compiled code does not keep a list of its lines")
	}
	return TableValue(t), 1
}

// functionInfo describes a function that need not be running.
func (th *Thread) functionInfo(t *Table, f *Function, what string) {
	if strings.Contains(what, "f") {
		t.SetStr("func", FunctionValue(f))
	}
	l := Level{Native: true, Source: "=[C]", Line: -1}
	if p := f.proto; p != nil {
		l = Level{Line: -1, Proto: p, Main: p.Line == 0}
		if p.Chunk != nil {
			l.Source = th.State.chunks.name(p.Chunk)
		}
	}
	th.levelInfo(t, &l, what)
}

// levelInfo describes a level of the stack. The names of the fields are LuaJIT's.
func (th *Thread) levelInfo(t *Table, l *Level, what string) {
	first, last, params, vararg := -1, -1, 0, true
	kind := "C"
	if !l.Native {
		kind, first = "main", 0
		if p := l.Proto; p != nil {
			first, last, params, vararg = p.Line, p.LastLine, p.Params, p.Vararg
			if p.Line > 0 {
				kind = "Lua"
			}
		}
	}
	for _, c := range what {
		switch c {
		case 'S':
			t.SetStr("source", String(l.Source))
			t.SetStr("short_src", String(ShortSource(l.Source)))
			t.SetStr("what", String(kind))
			t.SetStr("linedefined", Int(first))
			t.SetStr("lastlinedefined", Int(last))
		case 'l':
			t.SetStr("currentline", Int(l.Line))
		case 'n':
			if l.Name != "" {
				t.SetStr("name", String(l.Name))
			}
			t.SetStr("namewhat", String(l.Kind))
		case 'u':
			t.SetStr("nups", Int(0))
			t.SetStr("nparams", Int(params))
			t.SetStr("isvararg", Bool(vararg))
		}
	}
}

func debugGethook(th *Thread, _ []Value) (Value, int) { return th.Return3(Nil, String(""), Int(0)) }

// debugSethook removes a hook, of which there is none.
func debugSethook(th *Thread, args []Value) (Value, int) {
	if _, rest, _ := threadArg(args); !isAbsent(rest, 0) {
		th.Errorf("debug.sethook: compiled code has no hooks")
	}
	return Nil, 0
}

func debugGetMetatable(th *Thread, args []Value) (Value, int) {
	if m := th.metatable(th.CheckAny(args, 0)); m != nil {
		return TableValue(m), 1
	}
	return Nil, 1
}

func debugSetMetatable(th *Thread, args []Value) (Value, int) {
	v, m := ArgAt(args, 0), ArgAt(args, 1)
	if len(args) < 2 || !m.IsNil() && !m.IsTable() {
		th.ArgError(1, "nil or table expected")
	}
	switch {
	case v.IsTable():
		v.Table().SetMeta(m.Table())
	case v.IsUserdata():
		v.Userdata().Meta = m.Table()
	default:
		th.State.SetTypeMeta(v.Type(), m.Table())
	}
	return v, 1
}

func debugGetRegistry(th *Thread, _ []Value) (Value, int) {
	return TableValue(th.State.registry), 1
}

func debugGetfenv(th *Thread, args []Value) (Value, int) {
	if v := th.CheckAny(args, 0); v.IsFunction() {
		return TableValue(th.functionEnv(v.Func()).Table), 1
	}
	return Nil, 1
}

func debugSetfenv(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 1)
	if !args[0].IsFunction() || args[0].Func().proto == nil {
		th.Errorf("'setfenv' cannot change environment of given object")
	}
	th.functionEnv(args[0].Func()).Table = t
	return args[0], 1
}

// debugGetUpvalue knows that functions of libraries have none that Lua could see.
func debugGetUpvalue(th *Thread, args []Value) (Value, int) {
	f := th.CheckFunction(args, 0)
	th.CheckNumber(args, 1)
	if f.Func().proto != nil {
		th.Errorf("debug.getupvalue: %s", noVariables)
	}
	return Nil, 0
}
