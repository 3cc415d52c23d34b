package runtime

// baseBuiltins is the hot functions of the base library: the usual case in
// registers, all else as the ordinary Go function of the same name.
var baseBuiltins = []builtin{
	{"assert", assertFast},
	{"getmetatable", getmetatableFast},
	{"ipairs", ipairsFast},
	{"pairs", pairsFast},
	{"pcall", basePCall},
	{"rawget", rawgetFast},
	{"setmetatable", setmetatableFast},
	{"tonumber", tonumberFast},
	{"tostring", tostringFast},
	{"type", typeFast},
}

// gather calls a Go function with arguments from registers.
func (th *Thread) gather(f GoFunc, n int, a, b, c Value) (Value, int) {
	return f(th, th.Varargs(n, a, b, c, 0))
}

func assertFast(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 1 && a.Truthy() {
		return a, 1
	}
	return th.gather(baseAssert, n, a, b, c)
}

func getmetatableFast(th *Thread, n int, a, b, c Value) (Value, int) {
	if a.n == tagTable && a.Table().meta == nil {
		return Value{}, 1
	}
	return th.gather(baseGetMetatable, n, a, b, c)
}

func ipairsFast(th *Thread, n int, a, b, c Value) (Value, int) {
	if a.n == tagTable && (a.Table().meta == nil || a.Table().meta.lacks(evIpairs)) {
		return th.Return3(FunctionValue(ipairsFunction), a, Int(0))
	}
	return th.gather(baseIpairs, n, a, b, c)
}

func pairsFast(th *Thread, n int, a, b, c Value) (Value, int) {
	if a.n == tagTable && (a.Table().meta == nil || a.Table().meta.lacks(evPairs)) {
		return th.Return3(FunctionValue(nextFunction), a, Value{})
	}
	return th.gather(basePairs, n, a, b, c)
}

func rawgetFast(th *Thread, n int, a, b, c Value) (Value, int) {
	if a.n == tagTable && n >= 2 {
		return a.Table().Get(b), 1
	}
	return th.gather(baseRawGet, n, a, b, c)
}

func setmetatableFast(th *Thread, n int, a, b, c Value) (Value, int) {
	if a.n == tagTable && b.n == tagTable && a.Table().meta == nil {
		a.Table().meta = b.Table()
		return a, 1
	}
	return th.gather(baseSetMetatable, n, a, b, c)
}

func tonumberFast(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 1 && a.n >= numberMin {
		return a, 1
	}
	return th.gather(baseToNumber, n, a, b, c)
}

func tostringFast(th *Thread, n int, a, b, c Value) (Value, int) {
	if a.IsString() || a.n >= numberMin {
		return th.toStringValue(a), 1
	}
	return th.gather(baseToString, n, a, b, c)
}

func typeFast(th *Thread, n int, a, b, c Value) (Value, int) {
	if n > 0 {
		return typeNameValues[a.Type()], 1
	}
	return th.gather(baseType, n, a, b, c)
}
