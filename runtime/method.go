package runtime

// Method0 calls obj:name(). where names obj for messages.
func Method0(th *Thread, obj Value, s *Site, where string) (Value, int) {
	f := th.method(obj, s, where)
	th.depth++
	v, n := f.fn(th, 1, obj, Value{}, Value{})
	if n < 0 {
		v, n = th.runTail()
	}
	th.depth--
	return v, n
}

// Method1 calls obj:name(a).
func Method1(th *Thread, obj Value, s *Site, where string, a Value) (Value, int) {
	f := th.method(obj, s, where)
	th.depth++
	v, n := f.fn(th, 2, obj, a, Value{})
	if n < 0 {
		v, n = th.runTail()
	}
	th.depth--
	return v, n
}

// Method2 calls obj:name(a, b).
func Method2(th *Thread, obj Value, s *Site, where string, a, b Value) (Value, int) {
	f := th.method(obj, s, where)
	th.depth++
	v, n := f.fn(th, 3, obj, a, b)
	if n < 0 {
		v, n = th.runTail()
	}
	th.depth--
	return v, n
}

// MethodN calls obj:name(args...).
func MethodN(th *Thread, obj Value, s *Site, where string, args ...Value) (Value, int) {
	return MethodList(th, obj, s, where, args)
}

// MethodList calls obj:name(...) for a list of arguments.
func MethodList(th *Thread, obj Value, s *Site, where string, args []Value) (Value, int) {
	f := th.method(obj, s, where)
	n, a, b := th.spreadMethod(args)
	th.depth++
	v, r := f.fn(th, n, obj, a, b)
	if r < 0 {
		v, r = th.runTail()
	}
	th.depth--
	return v, r
}

// TailMethod0 is `return obj:name()`.
func TailMethod0(th *Thread, obj Value, s *Site, where string) (Value, int) {
	return th.tailMethod(obj, s, where, 1, Value{}, Value{})
}

// TailMethod1 is `return obj:name(a)`.
func TailMethod1(th *Thread, obj Value, s *Site, where string, a Value) (Value, int) {
	return th.tailMethod(obj, s, where, 2, a, Value{})
}

// TailMethod2 is `return obj:name(a, b)`.
func TailMethod2(th *Thread, obj Value, s *Site, where string, a, b Value) (Value, int) {
	return th.tailMethod(obj, s, where, 3, a, b)
}

// TailMethodN is `return obj:name(args...)`.
func TailMethodN(th *Thread, obj Value, s *Site, where string, args ...Value) (Value, int) {
	return TailMethodList(th, obj, s, where, args)
}

// TailMethodList is `return obj:name(...)` for a list of arguments.
func TailMethodList(th *Thread, obj Value, s *Site, where string, args []Value) (Value, int) {
	f := th.method(obj, s, where)
	n, a, b := th.spreadMethod(args)
	return th.tailCall(FunctionValue(f), "", n, obj, a, b)
}

func (th *Thread) tailMethod(obj Value, s *Site, where string, n int, a, b Value) (Value, int) {
	return th.tailCall(FunctionValue(th.method(obj, s, where)), "", n, obj, a, b)
}

// spreadMethod is spread for the arguments after the object.
func (th *Thread) spreadMethod(args []Value) (n int, a, b Value) {
	switch n = len(args); n {
	case 0:
	case 1:
		a = args[0]
	default:
		a, b = args[0], args[1]
		if n > 2 {
			th.setExtra(args[2:])
		}
	}
	return n + 1, a, b
}

// method returns the function that obj:name() calls. A callable object stands in
// through a closure that puts it in front of the arguments.
func (th *Thread) method(obj Value, s *Site, where string) *Function {
	if obj.IsString() {
		if f := th.stringMethod(s); f != nil {
			return f
		}
	}
	f := Field(th, obj, s, where)
	if f.n == tagFunction && th.depth < maxDepth {
		return f.Func()
	}
	return th.methodObject(f, s)
}

// stringMethod returns the method that all strings have, nil when it is not cached.
func (th *Thread) stringMethod(s *Site) *Function {
	m := th.State.typeMeta[TypeString]
	if m == nil || th.depth >= maxDepth {
		return nil
	}
	t := m.metaIndex()
	if t == nil {
		return nil
	}
	c := s.own.Load()
	if uint32(c>>32) != t.shapeID {
		return nil
	}
	f := t.rec.at(uint32(c))
	if f.n != tagFunction {
		return nil
	}
	return f.Func()
}

//go:noinline
func (th *Thread) methodObject(f Value, s *Site) *Function {
	th.Enter(1) // raises the error when this is the limit of depth
	th.depth--
	if th.metamethod(f, evCall).n != tagFunction {
		th.typeError("call", f, "method "+s.Key)
	}
	return &Function{fn: func(th *Thread, n int, a, b, c Value) (Value, int) {
		return th.callValue(f, "", n, a, b, c)
	}}
}
