package runtime

// Func is the compiled form of a Lua function. n is the number of arguments; the
// first three are in a, b and c (nil when absent), further ones in th.extra. The
// results are the first value (nil when there is none) and the count, further ones in
// th.ret. A count of tailCount asks the caller to run th.tail instead.
type Func func(th *Thread, n int, a, b, c Value) (Value, int)

// GoFunc is a library function. args is valid until it returns.
type GoFunc func(th *Thread, args []Value) (Value, int)

// tailCount is the result count that marks a tail call.
const tailCount = -1

// Proto describes a Lua function to error messages and tracebacks.
type Proto struct {
	Name           string // as the source names it, "" for an anonymous function
	Line, LastLine int
	Params         int
	Vararg         bool
	Go             string // what Go calls it in stack traces, without the package
	Calls          string // its calls, "12lname;15mname": line, first letter of the kind of name, name
	Chunk          *Chunk // set when the chunk's set is given to a state
}

// Function is a Lua function: a closure, or a Go function of a library.
type Function struct {
	fn    Func
	proto *Proto     // nil for a Go function
	name  string     // of a Go function
	env   *Env       // of a chunk's main function
	wraps *Coroutine // of a function that coroutine.wrap made
}

// NewFunction returns the closure fn of proto p.
func NewFunction(p *Proto, fn Func) Value {
	return FunctionValue(&Function{fn: fn, proto: p})
}

// NewFunctionEnv is NewFunction in a chunk that mentions setfenv: each closure has an
// environment of its own, which begins as the table of the one around it.
//
//go:noinline
func NewFunctionEnv(p *Proto, env *Env, closure func(env *Env) Func) Value {
	own := &Env{Table: env.Table}
	run := closure(own)
	return FunctionValue(&Function{proto: p, env: own, fn: func(th *Thread, n int, a, b, c Value) (Value, int) {
		th.envFrames = append(th.envFrames, own)
		v, r := run(th, n, a, b, c)
		th.envFrames = th.envFrames[:len(th.envFrames)-1]
		return v, r
	}})
}

// NewBuiltin returns a library function that takes its arguments in registers;
// for hot ones.
func NewBuiltin(name string, fn Func) Value {
	registerNative(name, fn)
	return FunctionValue(&Function{fn: fn, name: name})
}

// nativeWeight is the depth a call of a Go function counts for: it bounds
// recursion that goes through Go functions only.
const nativeWeight = 8

// NewGoFunction returns a library function called name in messages.
func NewGoFunction(name string, f GoFunc) Value {
	registerNative(name, f)
	return FunctionValue(&Function{name: name, fn: func(th *Thread, n int, a, b, c Value) (Value, int) {
		th.Enter(nativeWeight)
		top := th.args.top
		args := th.args.take(n)
		switch n {
		case 0:
		case 1:
			args[0] = a
		case 2:
			args[0], args[1] = a, b
		case 3:
			args[0], args[1], args[2] = a, b, c
		default:
			args[0], args[1], args[2] = a, b, c
			copy(args[3:], th.extra)
		}
		v, r := f(th, args)
		th.args.top = top
		th.depth -= nativeWeight
		return v, r
	}})
}

// Proto returns the description of a Lua function, nil for a Go function.
func (f *Function) Proto() *Proto { return f.proto }

// Arg returns argument i, i >= 3, of the running function; at its entry only.
func (th *Thread) Arg(i int) Value { return th.extra[i-3] }

// setExtra passes the arguments after the third.
func (th *Thread) setExtra(more []Value) {
	if cap(th.extra) < len(more) {
		th.extra = make([]Value, len(more), 2*len(more)+8)
	}
	th.extra = th.extra[:len(more)]
	copy(th.extra, more)
}

// Varargs returns the arguments after the first nparams, at entry of a function.
func (th *Thread) Varargs(n int, a, b, c Value, nparams int) []Value {
	if n <= nparams {
		return nil
	}
	args := make([]Value, n-nparams)
	i := 0
	switch nparams {
	case 0:
		args[0] = a
		i = 1
		fallthrough
	case 1:
		if i < len(args) {
			args[i] = b
			i++
		}
		fallthrough
	case 2:
		if i < len(args) {
			args[i] = c
			i++
		}
		nparams = 3
	}
	if i < len(args) {
		copy(args[i:], th.extra[nparams-3:])
	}
	return args
}

// Result returns result i >= 1 of the call that just returned n results.
func (th *Thread) Result(n, i int) Value {
	if i >= n {
		return Value{}
	}
	return th.ret[i]
}

// First adapts the results of a call to its first value.
func First(v Value, _ int) Value { return v }

// Return2 returns two values.
func (th *Thread) Return2(a, b Value) (Value, int) {
	th.ret[1].set(b)
	return a, 2
}

// Return3 returns three values.
func (th *Thread) Return3(a, b, c Value) (Value, int) {
	th.ret[1].set(b)
	th.ret[2].set(c)
	return a, 3
}

// ReturnN returns the values vs.
func (th *Thread) ReturnN(vs ...Value) (Value, int) { return th.ReturnList(vs) }

// ReturnList returns the values of list.
func (th *Thread) ReturnList(list []Value) (Value, int) {
	n := len(list)
	if n == 0 {
		return Value{}, 0
	}
	if n > len(th.ret) {
		th.ret = make([]Value, 2*n)
	}
	copy(th.ret[1:], list[1:])
	return list[0], n
}

// Return2 returns two values from generated code.
func Return2(th *Thread, a, b Value) (Value, int) { return th.Return2(a, b) }

// Return3 returns three values from generated code.
func Return3(th *Thread, a, b, c Value) (Value, int) { return th.Return3(a, b, c) }

// ReturnN returns the values vs from generated code.
func ReturnN(th *Thread, vs ...Value) (Value, int) { return th.ReturnList(vs) }

// ReturnList returns the values of list from generated code.
func ReturnList(th *Thread, list []Value) (Value, int) { return th.ReturnList(list) }

// List returns fixed followed by the n results of the call that just returned v.
func List(th *Thread, v Value, n int, fixed ...Value) []Value {
	list := make([]Value, len(fixed)+n)
	copy(list, fixed)
	if n > 0 {
		rest := list[len(fixed):]
		rest[0] = v
		copy(rest[1:], th.ret[1:n])
	}
	return list
}

// tailCall is a call that a function asked its caller to make. Arguments after
// the third are in Thread.extra.
type tailCall struct {
	f       *Function
	n       int
	a, b, c Value
}

// runTail makes the pending tail call, and those that it asks for.
func (th *Thread) runTail() (Value, int) {
	for {
		t := &th.tail
		v, n := t.f.fn(th, t.n, t.a, t.b, t.c)
		if n >= 0 {
			return v, n
		}
	}
}

// The callNMiss functions are their CallN for what is not a function; in tail position
// with the same arguments, so that the usual case keeps them in registers.

// Call0 calls f without arguments. where names f for messages.
func Call0(th *Thread, f Value, where string) (Value, int) {
	if f.n != tagFunction || th.depth >= maxDepth {
		return call0Miss(th, f, where)
	}
	th.depth++
	v, n := f.Func().fn(th, 0, Value{}, Value{}, Value{})
	if n < 0 {
		v, n = th.runTail()
	}
	th.depth--
	return v, n
}

//go:noinline
func call0Miss(th *Thread, f Value, where string) (Value, int) {
	return th.callValue(f, where, 0, Value{}, Value{}, Value{})
}

// Call1 calls f with one argument.
func Call1(th *Thread, f Value, where string, a Value) (Value, int) {
	if f.n != tagFunction || th.depth >= maxDepth {
		return call1Miss(th, f, where, a)
	}
	th.depth++
	v, n := f.Func().fn(th, 1, a, Value{}, Value{})
	if n < 0 {
		v, n = th.runTail()
	}
	th.depth--
	return v, n
}

//go:noinline
func call1Miss(th *Thread, f Value, where string, a Value) (Value, int) {
	return th.callValue(f, where, 1, a, Value{}, Value{})
}

// Call2 calls f with two arguments.
func Call2(th *Thread, f Value, where string, a, b Value) (Value, int) {
	if f.n != tagFunction || th.depth >= maxDepth {
		return call2Miss(th, f, where, a, b)
	}
	th.depth++
	v, n := f.Func().fn(th, 2, a, b, Value{})
	if n < 0 {
		v, n = th.runTail()
	}
	th.depth--
	return v, n
}

//go:noinline
func call2Miss(th *Thread, f Value, where string, a, b Value) (Value, int) {
	return th.callValue(f, where, 2, a, b, Value{})
}

// Call3 calls f with three arguments.
func Call3(th *Thread, f Value, where string, a, b, c Value) (Value, int) {
	if f.n != tagFunction || th.depth >= maxDepth {
		return call3Miss(th, f, where, a, b, c)
	}
	th.depth++
	v, n := f.Func().fn(th, 3, a, b, c)
	if n < 0 {
		v, n = th.runTail()
	}
	th.depth--
	return v, n
}

//go:noinline
func call3Miss(th *Thread, f Value, where string, a, b, c Value) (Value, int) {
	return th.callValue(f, where, 3, a, b, c)
}

// CallN calls f with args.
func CallN(th *Thread, f Value, where string, args ...Value) (Value, int) {
	return CallList(th, f, where, args)
}

// CallList calls f with the values of args.
func CallList(th *Thread, f Value, where string, args []Value) (Value, int) {
	n, a, b, c := th.spread(args)
	if f.n != tagFunction || th.depth >= maxDepth {
		return th.callValue(f, where, n, a, b, c)
	}
	th.depth++
	v, r := f.Func().fn(th, n, a, b, c)
	if r < 0 {
		v, r = th.runTail()
	}
	th.depth--
	return v, r
}

// spread puts an argument list in the places of the calling convention.
func (th *Thread) spread(args []Value) (n int, a, b, c Value) {
	switch n = len(args); n {
	case 0:
	case 1:
		a = args[0]
	case 2:
		a, b = args[0], args[1]
	default:
		a, b, c = args[0], args[1], args[2]
		if n > 3 {
			th.setExtra(args[3:])
		}
	}
	return
}

// callValue calls what is not a function, through its __call metamethod, or at
// the limit of depth, where Enter raises the error.
//
//go:noinline
func (th *Thread) callValue(f Value, where string, n int, a, b, c Value) (Value, int) {
	th.Enter(1)
	fn, n, a, b, c := th.callable(f, where, n, a, b, c)
	v, r := fn.fn(th, n, a, b, c)
	if r < 0 {
		v, r = th.runTail()
	}
	th.depth--
	return v, r
}

// callable finds the function that a call of f runs, and its arguments.
func (th *Thread) callable(f Value, where string, n int, a, b, c Value) (*Function, int, Value, Value, Value) {
	if f.n == tagFunction {
		return f.Func(), n, a, b, c
	}
	h := th.metamethod(f, evCall)
	if h.n != tagFunction {
		th.typeError("call", f, where)
	}
	if n >= 3 {
		rest := make([]Value, 0, n-2)
		rest = append(rest, c)
		if n > 3 {
			rest = append(rest, th.extra[:n-3]...)
		}
		th.setExtra(rest)
	}
	return h.Func(), n + 1, f, a, b
}

// Call calls f and returns all results; errors are raised.
func (th *Thread) Call(f Value, args ...Value) []Value {
	v, n := CallList(th, f, "", args)
	return List(th, v, n)
}

// Call1 calls f and returns its first result; errors are raised.
func (th *Thread) Call1(f Value, args ...Value) Value {
	v, _ := CallList(th, f, "", args)
	return v
}

// TailCall0 asks the caller to call f; the result of a `return f()`.
func TailCall0(th *Thread, f Value, where string) (Value, int) {
	return th.tailCall(f, where, 0, Value{}, Value{}, Value{})
}

// TailCall1 is `return f(a)`.
func TailCall1(th *Thread, f Value, where string, a Value) (Value, int) {
	return th.tailCall(f, where, 1, a, Value{}, Value{})
}

// TailCall2 is `return f(a, b)`.
func TailCall2(th *Thread, f Value, where string, a, b Value) (Value, int) {
	return th.tailCall(f, where, 2, a, b, Value{})
}

// TailCall3 is `return f(a, b, c)`.
func TailCall3(th *Thread, f Value, where string, a, b, c Value) (Value, int) {
	return th.tailCall(f, where, 3, a, b, c)
}

// TailCallN is `return f(args...)`.
func TailCallN(th *Thread, f Value, where string, args ...Value) (Value, int) {
	return TailCallList(th, f, where, args)
}

// TailCallList is `return f(...)` for a list of arguments.
func TailCallList(th *Thread, f Value, where string, args []Value) (Value, int) {
	n, a, b, c := th.spread(args)
	return th.tailCall(f, where, n, a, b, c)
}

// tailCall leaves the call to the caller, or makes it here when it is of a Go
// function, which needs no stack of Lua's. error is the exception: the position it adds is
// that of the caller, the tail-calling frame being gone.
func (th *Thread) tailCall(f Value, where string, n int, a, b, c Value) (Value, int) {
	t := &th.tail
	fn := f.Func()
	if f.n != tagFunction {
		fn, n, a, b, c = th.callable(f, where, n, a, b, c)
	}
	if fn.proto == nil && fn != errorFunction {
		return fn.fn(th, n, a, b, c)
	}
	t.f, t.n = fn, n
	t.a.set(a)
	t.b.set(b)
	t.c.set(c)
	return Value{}, tailCount
}
