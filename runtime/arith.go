package runtime

import "math"

// The operators test for two numbers and leave strings, metamethods and errors to
// arith. They are too big for the compiler to inline (the call of arith alone
// costs 57 of its 80): generated code puts plain Go arithmetic in front where it pays.

// Add returns a + b.
func Add(th *Thread, a, b Value, where string) Value {
	if min(a.n, b.n) >= numberMin {
		return Number(a.Num() + b.Num())
	}
	return th.arith(evAdd, a, b, where)
}

// Sub returns a - b.
func Sub(th *Thread, a, b Value, where string) Value {
	if min(a.n, b.n) >= numberMin {
		return Number(a.Num() - b.Num())
	}
	return th.arith(evSub, a, b, where)
}

// Mul returns a * b.
func Mul(th *Thread, a, b Value, where string) Value {
	if min(a.n, b.n) >= numberMin {
		return Number(a.Num() * b.Num())
	}
	return th.arith(evMul, a, b, where)
}

// Div returns a / b.
func Div(th *Thread, a, b Value, where string) Value {
	if min(a.n, b.n) >= numberMin {
		return Number(a.Num() / b.Num())
	}
	return th.arith(evDiv, a, b, where)
}

// Mod returns a % b.
func Mod(th *Thread, a, b Value, where string) Value {
	if min(a.n, b.n) >= numberMin {
		return Number(ModFloat(a.Num(), b.Num()))
	}
	return th.arith(evMod, a, b, where)
}

// Pow returns a ^ b.
func Pow(th *Thread, a, b Value, where string) Value {
	if min(a.n, b.n) >= numberMin {
		return Number(PowFloat(a.Num(), b.Num()))
	}
	return th.arith(evPow, a, b, where)
}

// Unm returns -a.
func Unm(th *Thread, a Value, where string) Value {
	if a.n >= numberMin {
		return Number(-a.Num())
	}
	return th.arith(evUnm, a, a, where)
}

// ModFloat is Lua's a % b: the result has the sign of b.
func ModFloat(a, b float64) float64 {
	if x, y := int32(a), int32(b); x >= 0 && y > 0 && float64(x) == a && float64(y) == b {
		return float64(uint32(x) % uint32(y))
	}
	return a - float64(math.Floor(a/b)*b) // not fused: the product is rounded
}

// PowFloat is Lua's a ^ b.
func PowFloat(a, b float64) float64 {
	switch b {
	case 2:
		return a * a
	case 0.5:
		return powHalf(a)
	}
	return libmPow(a, b)
}

// powHalf is pow(a, 0.5), which differs from sqrt for -0 and -Inf.
func powHalf(a float64) float64 {
	if a == 0 || math.IsInf(a, -1) {
		return math.Abs(a)
	}
	return math.Sqrt(a)
}

// arithFloat does the operation ev on floats.
func arithFloat(ev event, a, b float64) float64 {
	switch ev {
	case evAdd:
		return a + b
	case evSub:
		return a - b
	case evMul:
		return a * b
	case evDiv:
		return a / b
	case evMod:
		return ModFloat(a, b)
	case evPow:
		return PowFloat(a, b)
	}
	return -a
}

// arith does an arithmetic operation on any two values.
//
//go:noinline
func (th *Thread) arith(ev event, a, b Value, where string) Value {
	x, okA := toNumber(a)
	y, okB := toNumber(b)
	if okA && okB {
		return Number(arithFloat(ev, x, y))
	}
	if a.n == tagCData || b.n == tagCData {
		if v, ok := th.arithCData(ev, a, b); ok {
			return v
		}
	}
	h := th.metamethod(a, ev)
	if h.n == tagNil {
		h = th.metamethod(b, ev)
	}
	if h.n == tagNil {
		first, second := splitWhere(where)
		if !okA || ev == evUnm { // the first operand that is no number is to blame
			th.typeError("perform arithmetic on", a, first)
		}
		th.typeError("perform arithmetic on", b, second)
	}
	r, _ := Call2(th, h, "", a, b)
	return r
}

// ForNum returns the float of a numeric for's initial value, limit or step.
func ForNum(th *Thread, v Value, what string) float64 {
	if v.n >= numberMin {
		return v.Num()
	}
	f, ok := toNumber(v)
	if !ok {
		th.runtimeError("'for' %s must be a number", what)
	}
	return f
}
