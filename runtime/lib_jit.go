package runtime

import "runtime"

// jitLib is the functions that steer LuaJIT's compiler. Here everything is compiled
// ahead of time; they check their arguments and remember on and off for jit.status.
var jitLib = []libFunc{
	{"attach", jitAttach},
	{"flush", jitFlush},
	{"off", jitOff},
	{"on", jitOn},
	{"prngstate", jitPRNGState},
	{"security", jitSecurity},
	{"status", jitStatus},
}

func openJIT(st *State) {
	t := newLib(jitLib)
	t.SetStr("version", String(st.engine.Version))
	t.SetStr("version_num", Int(st.engine.Number))
	t.SetStr("os", String(jitOS()))
	t.SetStr("arch", String(jitArch()))
	opt := newLib([]libFunc{{"start", jitOptStart}})
	t.SetStr("opt", TableValue(opt))
	st.addLib("jit", t)
	st.Loaded.SetStr("jit.opt", TableValue(opt))
}

// jitOS returns LuaJIT's name of the operating system.
func jitOS() string {
	switch runtime.GOOS {
	case "linux":
		return "Linux"
	case "darwin":
		return "OSX"
	case "windows":
		return "Windows"
	case "freebsd", "netbsd", "openbsd", "dragonfly":
		return "BSD"
	}
	return "POSIX"
}

// jitArch returns LuaJIT's name of the architecture.
func jitArch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x64"
	case "386":
		return "x86"
	}
	return runtime.GOARCH
}

func jitOn(th *Thread, args []Value) (Value, int)  { return th.jitMode(args, true) }
func jitOff(th *Thread, args []Value) (Value, int) { return th.jitMode(args, false) }

// jitMode sets the mode of the state, or of one function, which has no effect.
func (th *Thread) jitMode(args []Value, on bool) (Value, int) {
	if len(args) == 0 || args[0].IsNil() {
		th.State.jitDisabled = !on
		return Nil, 0
	}
	return th.jitFunction(args)
}

// jitFunction checks that argument 0 is a function, or true for the caller.
func (th *Thread) jitFunction(args []Value) (Value, int) {
	if !args[0].IsBool() {
		th.CheckFunction(args, 0)
	}
	return Nil, 0
}

// jitFlush takes a trace number too, of which there are none.
func jitFlush(th *Thread, args []Value) (Value, int) {
	if len(args) == 0 || args[0].IsNil() || args[0].IsNumber() {
		return Nil, 0
	}
	return th.jitFunction(args)
}

func jitStatus(th *Thread, _ []Value) (Value, int) { return Bool(!th.State.jitDisabled), 1 }

func jitAttach(th *Thread, args []Value) (Value, int) {
	th.CheckFunction(args, 0)
	th.Errorf("jit.attach: there is no just-in-time compiler to observe")
	return Nil, 0
}

func jitSecurity(th *Thread, args []Value) (Value, int) {
	switch name := th.CheckString(args, 0); name {
	case "prng", "strhash", "strid", "mcode":
		return Int(1), 1
	default:
		th.ArgError(0, "invalid option '"+name+"'")
	}
	return Nil, 0
}

func jitPRNGState(*Thread, []Value) (Value, int) { return Int(0), 1 }

func jitOptStart(*Thread, []Value) (Value, int) { return Nil, 0 }
