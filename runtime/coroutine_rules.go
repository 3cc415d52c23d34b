package runtime

import (
	"fmt"
	"strings"
)

// CoroutineRules says whose coroutine library a handler sees.
type CoroutineRules uint8

const (
	PlainCoroutines   CoroutineRules = iota // LuaJIT's own: scripts, init_by_lua, the filters
	HandlerCoroutines                       // ngx_lua's, in handlers that can wait
	NoCoroutines                            // every function of it raises an error
)

// rules returns the rules of the handler that th runs in.
func (th *Thread) rules() CoroutineRules {
	if th.light == nil {
		return PlainCoroutines
	}
	return th.light.group.Coroutines
}

// checkCoroutines raises the error of a handler without coroutines.
func (th *Thread) checkCoroutines() {
	if th.rules() == NoCoroutines {
		th.Errorf("API disabled in the context of %s", th.light.group.Context)
	}
}

// checkBody checks the function that a coroutine shall run.
func (th *Thread) checkBody(args []Value) Value {
	if th.rules() != PlainCoroutines {
		if v := ArgAt(args, 0); v.n != tagFunction || v.Func().proto == nil {
			th.ArgError(0, "Lua function expected")
		}
		th.checkCoroutines()
	}
	return th.CheckFunction(args, 0)
}

// checkOwn raises an error for the coroutine of another request, which ngx_lua does
// not know in this one.
func (th *Thread) checkOwn(co *coroutine) {
	th.checkCoroutines()
	if th.rules() == HandlerCoroutines {
		th.Errorf("no co ctx found")
	}
}

// cannotResume is the error of resuming a coroutine that is not suspended.
func (th *Thread) cannotResume(co *coroutine) *Error {
	th.checkCoroutines()
	what := statusNames[co.status]
	if co.status == normal && th.rules() == PlainCoroutines {
		what = statusNames[running]
	}
	return &Error{Value: String("cannot resume " + what + " coroutine"), refused: true}
}

// wrapError is an error that the function of coroutine.wrap raises in a handler. It is no
// pcall's business: it ends each coroutine that waits for another one through wrap, up
// to one that coroutine.resume waits for, or a light thread.
type wrapError struct{ err *Error }

func (w wrapError) Error() string { return w.err.Error() }

// LuaAbort makes wrapError an Abort.
func (wrapError) LuaAbort() {}

// endedBy is caught for who called a coroutine or light thread that x has ended.
func (th *Thread) endedBy(x any) *Error {
	if w, ok := x.(wrapError); ok {
		return w.err
	}
	return th.caught(x)
}

// wrapFailed gives the results of a function of coroutine.wrap whose coroutine co ended with err
// or could not be resumed.
func (th *Thread) wrapFailed(co *coroutine, err *Error) (Value, int) {
	if th.rules() != HandlerCoroutines {
		if err.Value.IsString() { // LuaJIT adds where the function was called
			err.Value = String(th.Where(1) + err.Value.Str())
		}
		panic(&Error{Value: err.Value})
	}
	if err.refused {
		return th.Return2(False, err.Value)
	}
	if len(err.coroutines) == 0 {
		err.coroutines = []string{levelsOf(co.trace)}
	}
	err.coroutines = append(err.coroutines, levelsOf(th.Traceback("", 0)))
	panic(wrapError{err})
}

// iterFailed is wrapFailed for a generic for, and the function that is called to tracebacks.
//
//go:noinline
func (th *Thread) iterFailed(co *coroutine, err *Error) (Value, int) { return th.wrapFailed(co, err) }

func init() { registerNative("wrap", (*Thread).iterFailed) }

const tracebackTitle = "stack traceback:"

func levelsOf(traceback string) string { return strings.TrimPrefix(traceback, tracebackTitle) }

// coroutineTraceback joins the levels of coroutines as ngx_lua does, but for the title of
// the first, which the log line adds.
func coroutineTraceback(levels []string) string {
	var b strings.Builder
	b.WriteString(tracebackTitle + levels[0])
	for i, l := range levels[1:] {
		fmt.Fprintf(&b, "\ncoroutine %d:%s", i+1, l)
	}
	return b.String()
}

// Traceback returns the traceback of where the coroutine stands, from a level on.
func (c *Coroutine) Traceback(level int) string {
	co := c.co
	if co.trace != "" {
		return co.trace
	}
	text := tracebackTitle
	if co.status == suspended && co.runner != nil {
		c.visit(func() { text = co.th.Traceback("", level) })
	}
	return text
}
