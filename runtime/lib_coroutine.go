package runtime

// coroutineLib is the coroutine library.
var coroutineLib = []libFunc{
	{"create", coroutineCreate},
	{"resume", coroutineResume},
	{"yield", coroutineYield},
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
	return ThreadValue(th.NewCoroutine(th.CheckFunction(args, 0))), 1
}

func coroutineResume(th *Thread, args []Value) (Value, int) {
	co := th.checkCoroutine(args, 0)
	v, n, err := th.Resume(co, args[1:])
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

func coroutineYield(th *Thread, args []Value) (Value, int) {
	if th.coroutine == nil && th.light != nil {
		th.YieldTurn()
		return Nil, 0
	}
	return th.Yield(args)
}

func coroutineStatusOf(th *Thread, args []Value) (Value, int) {
	return String(th.checkCoroutine(args, 0).Status()), 1
}

func coroutineRunning(th *Thread, args []Value) (Value, int) {
	if co := th.Running(); co != nil {
		return th.Return2(ThreadValue(co), False)
	}
	return th.Return2(ThreadValue(th.mainHandle()), Bool(th.light == nil))
}

// mainHandle returns the handle that stands for an entry thread.
func (th *Thread) mainHandle() *Coroutine {
	root := th.root
	if root.handle == nil {
		root.handle = &Coroutine{&coroutine{th: root, status: running}}
	}
	return root.handle
}

func coroutineWrap(th *Thread, args []Value) (Value, int) {
	co := th.NewCoroutine(th.CheckFunction(args, 0))
	return NewGoFunction("wrap", func(th *Thread, args []Value) (Value, int) {
		v, n, err := th.Resume(co, args)
		if err != nil {
			panic(&Error{Value: err.Value})
		}
		return v, n
	}), 1
}

func coroutineIsYieldable(th *Thread, args []Value) (Value, int) {
	return Bool(th.coroutine != nil), 1
}
