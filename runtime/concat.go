package runtime

// Concat returns a .. b.
func Concat(th *Thread, a, b Value, where string) Value {
	if a.IsString() && b.IsString() {
		if s, t := a.Str(), b.Str(); len(s)+len(t) <= stringLimit {
			return String(s + t)
		}
	}
	return th.concatSlow(a, b, where)
}

//go:noinline
func (th *Thread) concatSlow(a, b Value, where string) Value {
	if isStringable(a) && isStringable(b) {
		if concatLen(a)+concatLen(b) > stringLimit {
			th.runtimeError(tooLong)
		}
		buf := make([]byte, 0, concatLen(a)+concatLen(b))
		return bytesValue(appendString(appendString(buf, a), b))
	}
	h := th.metamethod(a, evConcat)
	if h.n == tagNil {
		h = th.metamethod(b, evConcat)
	}
	if h.n == tagNil {
		if a.n == tagCData || b.n == tagCData {
			th.runtimeError("attempt to concatenate '%s' and '%s'", cTypeName(a), cTypeName(b))
		}
		first, second := splitWhere(where)
		if isStringable(a) {
			th.typeError("concatenate", b, second)
		}
		th.typeError("concatenate", a, first)
	}
	r, _ := Call2(th, h, "", a, b)
	return r
}

// ConcatN returns vs[0] .. vs[1] .. and so on, from right to left. where has one
// name an operand.
func ConcatN(th *Thread, where string, vs ...Value) Value {
	size := 0
	for i := range vs {
		if !isStringable(vs[i]) {
			return th.concatMixed(where, vs)
		}
		size += concatLen(vs[i])
	}
	if size > stringLimit {
		th.runtimeError(tooLong)
	}
	buf := make([]byte, 0, size)
	for i := range vs {
		buf = appendString(buf, vs[i])
	}
	return bytesValue(buf)
}

// concatMixed is ConcatN when an operand needs a metamethod (or raises an error).
func (th *Thread) concatMixed(where string, vs []Value) Value {
	names := make([]string, len(vs))
	for i := range vs {
		names[i], where = splitWhere(where)
	}
	r := vs[len(vs)-1]
	second := names[len(vs)-1]
	for i := len(vs) - 2; i >= 0; i-- {
		r = Concat(th, vs[i], r, names[i]+", "+second)
		second = ""
	}
	return r
}

// isStringable reports whether v concatenates without a metamethod.
func isStringable(v Value) bool { return v.n>>48 == 1 || v.n >= numberMin }

// concatLen is a size hint for appendString.
func concatLen(v Value) int {
	if v.IsString() {
		return int(v.n & lengthMask)
	}
	return 16
}

// appendString appends a string or number as tostring prints it.
func appendString(buf []byte, v Value) []byte {
	if v.IsString() {
		return append(buf, v.Str()...)
	}
	return appendNumber(buf, v.Num())
}
