package runtime

import "math"

// RawEq reports a == b without metamethods.
func RawEq(a, b Value) bool {
	if a.n >= numberMin {
		return b.n >= numberMin && a.Num() == b.Num()
	}
	return sameKey(a, b)
}

// EqString reports a == s for a string constant.
func EqString(a Value, s string) bool { return sameString(a, String(s)) }

// EqNumber reports a == f for a number constant. The bits of what is not a number
// read as a NaN, which equals nothing.
func EqNumber(a Value, f float64) bool {
	return math.Float64frombits(^a.n) == f || a.n == tagCData && eqCDataNumber(a, f)
}

// Eq reports a == b.
func Eq(th *Thread, a, b Value) bool {
	if a.n >= numberMin {
		if b.n >= numberMin {
			return a.Num() == b.Num()
		}
		return b.n == tagCData && th.eqSlow(a, b)
	}
	if a.n == b.n {
		if a.p == b.p {
			return true
		}
		if a.n >= tagString {
			return a.Str() == b.Str()
		}
		return (a.n == tagTable || a.n >= tagUserdata) && th.eqSlow(a, b)
	}
	return a.n == tagCData && th.eqSlow(a, b)
}

// eqSlow compares two objects that differ: by their common __eq, or as cdata.
//
//go:noinline
func (th *Thread) eqSlow(a, b Value) bool {
	if a.n == tagCData || b.n == tagCData {
		return eqCData(a, b)
	}
	if a.n != tagTable && a.n != tagUserdata {
		return false
	}
	h := th.metamethod(a, evEq)
	if h.n == tagNil || !RawEq(h, th.metamethod(b, evEq)) {
		return false
	}
	r, _ := Call2(th, h, "", a, b)
	return r.Truthy()
}

// Lt reports a < b.
func Lt(th *Thread, a, b Value) bool {
	if min(a.n, b.n) >= numberMin {
		return a.Num() < b.Num()
	}
	return th.less(evLt, a, b)
}

// Le reports a <= b.
func Le(th *Thread, a, b Value) bool {
	if min(a.n, b.n) >= numberMin {
		return a.Num() <= b.Num()
	}
	return th.less(evLe, a, b)
}

// less is a < b (evLt) or a <= b (evLe) for values that are not both numbers.
//
//go:noinline
func (th *Thread) less(ev event, a, b Value) bool {
	if a.IsString() && b.IsString() {
		if ev == evLt {
			return a.Str() < b.Str()
		}
		return a.Str() <= b.Str()
	}
	if a.n == tagCData || b.n == tagCData {
		if r, ok := th.lessCData(ev, a, b); ok {
			return r
		}
	}
	if h := th.compareMethod(ev, a, b); h.n != tagNil {
		r, _ := Call2(th, h, "", a, b)
		return r.Truthy()
	}
	if ev == evLe { // not (b < a), as Lua 5.1 has it
		if h := th.compareMethod(evLt, b, a); h.n != tagNil {
			r, _ := Call2(th, h, "", b, a)
			return !r.Truthy()
		}
	}
	ta, tb := TypeName(a), TypeName(b)
	if ev == evLe && th.State.engine.Lua52 { // it has tried b < a before it gave up
		ta, tb = tb, ta
	}
	if a.n == tagCData || b.n == tagCData {
		th.runtimeError("attempt to compare '%s' with '%s'", cTypeName(a), cTypeName(b))
	}
	if ta == tb {
		th.runtimeError("attempt to compare two %s values", ta)
	}
	th.runtimeError("attempt to compare %s with %s", ta, tb)
	return false
}

// compareMethod returns the metamethod that orders a and b: in Lua 5.1 both must
// have the same one.
func (th *Thread) compareMethod(ev event, a, b Value) Value {
	h := th.metamethod(a, ev)
	if h.n == tagNil {
		return th.metamethod(b, ev)
	}
	return h
}
