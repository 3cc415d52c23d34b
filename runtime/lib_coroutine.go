package runtime

// coroutineLib is the coroutine library, but for resume and yield.
var coroutineLib = []libFunc{
	{"create", coroutineCreate},
	{"status", coroutineStatusOf},
	{"running", coroutineRunning},
	{"wrap", coroutineWrap},
	{"isyieldable", coroutineIsYieldable},
}

func (th *Thread) checkCoroutine(args []Value, i int) *Coroutine {
	if i >= len(args) || args[i].n != tagThread {
		th.ArgError(i, "coroutine expected")
	}
	return args[i].Coroutine()
}

func coroutineCreate(th *Thread, args []Value) (Value, int) {
	return ThreadValue(th.NewCoroutine(th.checkBody(args))), 1
}

func coroutineResume(th *Thread, n int, a, b, c Value) (Value, int) {
	if a.n != tagThread {
		th.ArgError(0, "coroutine expected")
	}
	n, _, a2, b, c := th.shiftArgs(n, a, b, c)
	co := a.Coroutine()
	err := th.beginResume(co, n, a2, b, c)
	var v Value
	if err == nil {
		co.co.runner.enter()
		v, n, err = th.endResume(co)
	}
	if err != nil {
		return th.Return2(False, err.Value)
	}
	return th.prepend(True, v, n)
}

// prepend returns first followed by the n results v, ret[1:n].
func (th *Thread) prepend(first, v Value, n int) (Value, int) {
	if n == 0 {
		return first, 1
	}
	if n+1 > len(th.ret) {
		ret := make([]Value, 2*(n+1))
		copy(ret, th.ret)
		th.ret = ret
	}
	if n > 1 {
		copy(th.ret[2:n+1], th.ret[1:n])
	}
	th.ret[1].set(v)
	return first, n + 1
}

func coroutineStatusOf(th *Thread, args []Value) (Value, int) {
	c := th.checkCoroutine(args, 0)
	th.checkCoroutines()
	if th.rules() == HandlerCoroutines && c.co.th.control != th.control {
		return String(statusNames[dead]), 1
	}
	return String(c.Status()), 1
}

func coroutineRunning(th *Thread, args []Value) (Value, int) {
	if co := th.Running(); co != nil {
		return th.Return2(ThreadValue(co), False)
	}
	return th.Return2(ThreadValue(th.mainHandle()), Bool(th.isMain()))
}

// isMain reports whether th is the state's main thread to Lua: ngx_lua runs handlers
// that cannot wait on it.
func (th *Thread) isMain() bool {
	return th.coroutine == nil && th.rules() != HandlerCoroutines && (th.light == nil || th.light.parent == nil)
}

// mainHandle returns the handle that stands for an entry thread.
func (th *Thread) mainHandle() *Coroutine {
	root := th.root
	if root.handle == nil {
		root.handle = &Coroutine{co: &coroutine{th: root, status: running}}
	}
	return root.handle
}

func coroutineWrap(th *Thread, args []Value) (Value, int) {
	co := th.NewCoroutine(th.checkBody(args))
	f := NewBuiltin("wrap", func(th *Thread, n int, a, b, c Value) (Value, int) {
		err := th.beginResume(co, n, a, b, c)
		var v Value
		if err == nil {
			co.co.runner.enter()
			v, n, err = th.endResume(co)
		}
		if err != nil {
			return th.wrapFailed(co.co, err)
		}
		return v, n
	})
	f.Func().wraps = co
	return f, 1
}

func coroutineIsYieldable(th *Thread, args []Value) (Value, int) {
	return Bool(!th.isMain()), 1
}

func openCoroutine(st *State) {
	t := newLib(coroutineLib)
	t.SetStr("resume", NewBuiltin("resume", coroutineResume))
	t.SetStr("yield", FunctionValue(yieldFunction))
	st.addLib("coroutine", t)
}
