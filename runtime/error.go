package runtime

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/runtime/guard"
)

// Error is a Lua error on its way to a pcall: generated code and libraries panic
// with an *Error.
type Error struct {
	Value     Value
	Traceback string        // set where an error leaves Lua (Thread.PCall)
	Defect    *guard.Defect // the panic of Go code that it stands for, nil normally

	// Args is what error or assert was called with, where Value is a message
	// made of it. ngx.thread.wait gives it too: ngx_lua hands over all that is on
	// the stack of a dead thread.
	Args []Value

	// operation tells that an operation of Lua code failed, not a library. The
	// traceback of the dead thread then has no line for its first level, as LuaJIT
	// did not save its program counter.
	operation bool

	// refused tells that a coroutine could not be resumed.
	refused bool

	// coroutines has the levels of the coroutines that the error has ended in a handler, from
	// the innermost out: see wrapFailed.
	coroutines []string
}

// Error returns the error's message as the host would log it.
func (e *Error) Error() string {
	switch {
	case e.Value.IsString():
		return e.Value.Str()
	case e.Value.IsNumber():
		return NumberString(e.Value.Num())
	}
	return "(error object is a " + TypeName(e.Value) + " value)"
}

// ErrorText returns what the commands lua and luajit print of an uncaught error: a string,
// a number, or what __tostring makes of an object. The latter may have no text.
func (th *Thread) ErrorText(e *Error) (text string, ok bool) {
	if h := th.metamethod(e.Value, evToString); h.n != tagNil && !e.Value.IsString() {
		results, err := th.PCall(h, e.Value)
		if err != nil || len(results) == 0 {
			return "", false
		}
		return toString(results[0])
	}
	return toString(e.Value)
}

// Abort is a panic value that unwinds Lua code without being an error of it:
// ngx.exit, a killed thread. pcall, xpcall and coroutines pass it on.
type Abort interface {
	error
	LuaAbort()
}

// Throw raises v as an error.
func (th *Thread) Throw(v Value) { panic(&Error{Value: v}) }

// Errorf raises a message as libraries do: with the position of the Lua code that called
// the running Go function.
func (th *Thread) Errorf(format string, args ...any) {
	panic(&Error{Value: String(th.Where(1) + sprintf(format, args))})
}

// runtimeError raises the message of an operation that failed, with its position.
func (th *Thread) runtimeError(format string, args ...any) {
	panic(th.newError(sprintf(format, args)))
}

// newError returns the error for an operation that failed in the running function.
func (th *Thread) newError(message string) *Error {
	position := th.Where(0)
	return &Error{Value: String(position + message), operation: position != ""}
}

func sprintf(format string, args []any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// splitWhere splits the operand names "local x, field y" at the first comma.
func splitWhere(where string) (first, rest string) {
	first, rest, _ = strings.Cut(where, ", ")
	return first, rest
}

// typeError raises "attempt to <op> local 'x' (a nil value)".
func (th *Thread) typeError(op string, v Value, where string) {
	kind, name, named := strings.Cut(where, " ")
	if named {
		th.runtimeError("attempt to %s %s '%s' (a %s value)", op, kind, name, TypeName(v))
	}
	th.runtimeError("attempt to %s a %s value", op, TypeName(v))
}

// indexError raises the error of an access to a field of v.
func (th *Thread) indexError(v Value, where string, key Value) {
	if v.n == tagCData {
		name, _ := toString(key)
		th.runtimeError("'%s' has no member named '%s'", v.CData().TypeName(), name)
	}
	th.typeError("index", v, where)
}

// protection is what a protected call puts back when it caught an error.
type protection struct {
	depth int
	top   int
	envs  int
}

func (th *Thread) protection() protection {
	return protection{th.depth, th.args.top, len(th.envFrames)}
}

func (th *Thread) restore(p protection) {
	th.depth, th.args.top, th.envFrames = p.depth, p.top, th.envFrames[:p.envs]
}

// caught turns a recovered panic value into an error; an Abort goes on unwinding. A
// panic of Go itself is a defect of this program: it is reported and becomes a Lua
// error that says so.
func (th *Thread) caught(x any) *Error {
	switch x := x.(type) {
	case *Error:
		return x
	case *guard.Defect: // also an Abort, for handlers
	case Abort:
		panic(x)
	}
	d := guard.New(x)
	if f := th.State.Defect; f != nil {
		f(th, d)
	} else {
		d.Report()
	}
	return &Error{Value: String(fmt.Sprintf("internal error: %v", d.Value)), Defect: d}
}

// PCall calls f for the host and returns all results or the error, with its
// traceback. An Abort is not caught.
func (th *Thread) PCall(f Value, args ...Value) (results []Value, err *Error) {
	p := th.protection()
	defer func() {
		if x := recover(); x != nil {
			err = th.endedBy(x)
			th.restore(p)
			switch {
			case len(err.coroutines) > 0:
				err.Traceback = coroutineTraceback(err.coroutines)
			case err.Traceback == "":
				err.Traceback = th.deadTraceback(err)
			}
			results = nil
		}
	}()
	v, n := CallList(th, f, "", args)
	if n == 0 {
		return nil, nil
	}
	return List(th, v, n), nil
}

// protectedCall calls f and catches errors. handler, when not nil, maps the error's
// value while the stack of the error is still there.
func (th *Thread) protectedCall(handler Value, f Value, n int, a, b, c Value) (v Value, r int, err *Error) {
	p := th.protection()
	defer func() {
		if x := recover(); x != nil {
			err = th.caught(x)
			th.restore(p)
			if handler.n != tagNil {
				err = th.handled(handler, err)
			}
		}
	}()
	th.Enter(2) // pcall in tail position counts neither itself nor the tail call
	if f.n == tagFunction {
		if v, r = f.Func().fn(th, n, a, b, c); r < 0 {
			v, r = th.runTail()
		}
	} else {
		v, r = th.callValue(f, "", n, a, b, c)
	}
	th.Leave(2)
	return v, r, nil
}

// handled runs xpcall's handler.
func (th *Thread) handled(handler Value, err *Error) *Error {
	v, _, again := th.protectedCall(Nil, handler, 1, err.Value, Nil, Nil)
	if again != nil {
		return &Error{Value: String("error in error handling")}
	}
	return &Error{Value: v, Defect: err.Defect}
}

// Where returns the position "file:line: " of a level of the call stack, "" when
// it is not a Lua function: level 0 is the running function, 1 its caller. When
// generated code runs, it is level 0 and also, for operations that raise errors of libraries,
// stands in for level 1 of a Go function that the compiler replaced.
func (th *Thread) Where(level int) string {
	frames := th.frames(level + 1)
	if level == 1 && len(frames) > 0 && frames[0].chunk != nil {
		level = 0
	}
	if level >= len(frames) {
		return ""
	}
	return th.position(&frames[level])
}

// position returns "file:line: " of a frame of a Lua function.
func (th *Thread) position(f *frame) string {
	if f.chunk == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", ShortSource(th.State.chunks.name(f.chunk)), f.line)
}

// idSize is LUA_IDSIZE, the room for a chunk name in messages.
const idSize = 60

// ShortSource returns a chunk name as messages show it.
func ShortSource(name string) string {
	switch {
	case name == "":
		return `[string ""]`
	case name[0] == '=':
		return name[1:min(len(name), idSize)]
	case name[0] == '@':
		if name = name[1:]; len(name) > idSize-1 {
			return "..." + name[len(name)-(idSize-4):]
		}
		return name
	}
	line, _, cut := strings.Cut(name, "\n")
	if i := strings.IndexByte(line, '\r'); i >= 0 {
		line, cut = line[:i], true
	}
	if room := idSize - len(`[string ""]`) - 4; len(line) > room || cut {
		return `[string "` + line[:min(len(line), room)] + `..."]`
	}
	return `[string "` + line + `"]`
}
