package runtime

import "math"

var mathBuiltins = []builtin{
	{"abs", mathAbs},
	{"ceil", mathCeil},
	{"cos", mathCos},
	{"exp", mathExp},
	{"floor", mathFloor},
	{"max", mathMax},
	{"min", mathMin},
	{"random", mathRandom},
	{"sin", mathSin},
	{"sqrt", mathSqrt},
}

// mathLib is the functions of the math library but the hot ones.
var mathLib = []libFunc{
	{"acos", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, libmAcos) }},
	{"asin", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, libmAsin) }},
	{"atan", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, libmAtan) }},
	{"atan2", func(th *Thread, args []Value) (Value, int) { return th.mathCall2(args, libmAtan2) }},
	{"cosh", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, libmCosh) }},
	{"deg", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, degrees) }},
	{"fmod", func(th *Thread, args []Value) (Value, int) { return th.mathCall2(args, math.Mod) }},
	{"frexp", mathFrexp},
	{"ldexp", func(th *Thread, args []Value) (Value, int) { return th.mathCall2(args, ldexp) }},
	{"log", mathLog},
	{"log10", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, libmLog10) }},
	{"modf", mathModf},
	{"pow", func(th *Thread, args []Value) (Value, int) { return th.mathCall2(args, libmPow) }},
	{"rad", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, radians) }},
	{"randomseed", mathRandomSeed},
	{"sinh", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, libmSinh) }},
	{"tan", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, libmTan) }},
	{"tanh", func(th *Thread, args []Value) (Value, int) { return th.mathCall(args, libmTanh) }},
}

func openMath(st *State) {
	st.random.seed(0)
	t := newLib(mathLib)
	t.addBuiltins(mathBuiltins)
	t.SetStr("pi", Number(math.Pi))
	t.SetStr("huge", Number(math.Inf(1)))
	st.addLib("math", t)
}

// mathCall applies f to the one argument.
func (th *Thread) mathCall(args []Value, f func(float64) float64) (Value, int) {
	return canonicalNumber(f(th.CheckNumber(args, 0))), 1
}

// mathCall2 applies f to the two arguments.
func (th *Thread) mathCall2(args []Value, f func(x, y float64) float64) (Value, int) {
	x, y := th.CheckNumber(args, 0), th.CheckNumber(args, 1)
	return canonicalNumber(f(x, y)), 1
}

func degrees(x float64) float64 { return x * (180 / math.Pi) }
func radians(x float64) float64 { return x * (math.Pi / 180) }

// ldexp cuts the exponent to a whole number; beyond the limits below every result is
// 0 or infinite.
func ldexp(x, e float64) float64 {
	switch {
	case e != e:
		return e
	case math.IsInf(e, 1):
		return x * math.Inf(1)
	case math.IsInf(e, -1): // 0, but for an infinite x
		return x * 0
	}
	return math.Ldexp(x, int(max(-1<<20, min(e, 1<<20))))
}

// number returns argument 0 of a builtin, a, when it is not a plain number.
func (th *Thread) number(n int, a Value) float64 {
	return th.CheckNumber([]Value{a}[:min(n, 1)], 0)
}

func mathAbs(th *Thread, n int, a, _, _ Value) (Value, int) {
	if a.IsNumber() {
		return Number(math.Abs(a.Num())), 1
	}
	return Number(math.Abs(th.number(n, a))), 1
}

func mathFloor(th *Thread, n int, a, _, _ Value) (Value, int) {
	if a.IsNumber() {
		return Number(math.Floor(a.Num())), 1
	}
	return Number(math.Floor(th.number(n, a))), 1
}

func mathCeil(th *Thread, n int, a, _, _ Value) (Value, int) {
	if a.IsNumber() {
		return Number(math.Ceil(a.Num())), 1
	}
	return Number(math.Ceil(th.number(n, a))), 1
}

func mathSqrt(th *Thread, n int, a, _, _ Value) (Value, int) {
	f := a.Num()
	if !a.IsNumber() {
		f = th.number(n, a)
	}
	return canonicalNumber(math.Sqrt(f)), 1
}

func mathSin(th *Thread, n int, a, _, _ Value) (Value, int) {
	f := a.Num()
	if !a.IsNumber() {
		f = th.number(n, a)
	}
	return canonicalNumber(libmSin(f)), 1
}

func mathCos(th *Thread, n int, a, _, _ Value) (Value, int) {
	f := a.Num()
	if !a.IsNumber() {
		f = th.number(n, a)
	}
	return canonicalNumber(libmCos(f)), 1
}

func mathExp(th *Thread, n int, a, _, _ Value) (Value, int) {
	f := a.Num()
	if !a.IsNumber() {
		f = th.number(n, a)
	}
	return canonicalNumber(libmExp(f)), 1
}

// mathMax and mathMin fold from the left and keep the later argument unless the
// earlier one is really greater or less, as x86's maxsd does: that decides what NaN
// and the two zeros give.
func mathMax(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 2 && a.IsNumber() && b.IsNumber() {
		if a.Num() > b.Num() {
			return a, 1
		}
		return b, 1
	}
	args := th.argList(n, a, b, c)
	best := th.CheckNumber(args, 0)
	for i := 1; i < n; i++ {
		if f := th.CheckNumber(args, i); !(best > f) {
			best = f
		}
	}
	return Number(best), 1
}

func mathMin(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 2 && a.IsNumber() && b.IsNumber() {
		if a.Num() < b.Num() {
			return a, 1
		}
		return b, 1
	}
	args := th.argList(n, a, b, c)
	best := th.CheckNumber(args, 0)
	for i := 1; i < n; i++ {
		if f := th.CheckNumber(args, i); !(best < f) {
			best = f
		}
	}
	return Number(best), 1
}

func mathFrexp(th *Thread, args []Value) (Value, int) {
	f := th.CheckNumber(args, 0)
	if math.IsInf(f, 0) || f != f {
		return th.Return2(Number(f), Int(0))
	}
	m, e := math.Frexp(f)
	return th.Return2(Number(m), Int(e))
}

func mathModf(th *Thread, args []Value) (Value, int) {
	f := th.CheckNumber(args, 0)
	if math.IsInf(f, 0) {
		return th.Return2(Number(f), Number(math.Copysign(0, f)))
	}
	whole := math.Trunc(f)
	return th.Return2(Number(whole), canonicalNumber(math.Copysign(f-whole, f)))
}

func mathLog(th *Thread, args []Value) (Value, int) {
	x := th.CheckNumber(args, 0)
	if len(args) < 2 {
		return canonicalNumber(libmLog(x)), 1
	}
	base := th.CheckNumber(args, 1)
	return canonicalNumber(libmLog2(x) * (1 / libmLog2(base))), 1
}

// prng is LuaJIT's random generator, a combined Tausworthe generator of period
// 2^223 (L'Ecuyer, "Tables of maximally equidistributed combined LFSR
// generators", 1999, table 3), so that a seed gives the numbers LuaJIT gives.
type prng [4]uint64

// tausworthe holds k, q and s of each component.
var tausworthe = [4]struct{ k, q, s uint }{{63, 31, 18}, {58, 19, 28}, {55, 24, 7}, {47, 21, 8}}

func (r *prng) seed(d float64) {
	for i := range r {
		d = d*math.Pi + math.E
		u := math.Float64bits(d)
		if low := uint64(1) << (64 - tausworthe[i].k); u < low {
			u += low
		}
		r[i] = u
	}
	for range 10 {
		r.next()
	}
}

func (r *prng) next() (u uint64) {
	for i := range r {
		z, p := r[i], &tausworthe[i]
		z = (z<<p.q^z)>>(p.k-p.s) ^ z&(math.MaxUint64<<(64-p.k))<<p.s
		r[i] = z
		u ^= z
	}
	return u
}

// float returns a number in [0, 1) of 52 random bits.
func (r *prng) float() float64 {
	return math.Float64frombits(r.next()&(1<<52-1)|0x3ff<<52) - 1
}

func mathRandom(th *Thread, n int, a, b, c Value) (Value, int) {
	d := th.State.random.float()
	switch {
	case n == 0:
		return Number(d), 1
	case n == 1 && a.IsNumber():
		return Number(math.Floor(d*a.Num()) + 1), 1
	case n == 2 && a.IsNumber() && b.IsNumber():
		return Number(math.Floor(d*(b.Num()-a.Num()+1)) + a.Num()), 1
	}
	args := th.argList(min(n, 2), a, b, Nil)
	low := th.CheckNumber(args, 0)
	if n == 1 {
		return Number(math.Floor(d*low) + 1), 1
	}
	high := th.CheckNumber(args, 1)
	return Number(math.Floor(d*(high-low+1)) + low), 1
}

func mathRandomSeed(th *Thread, args []Value) (Value, int) {
	th.State.random.seed(th.CheckNumber(args, 0))
	return Nil, 0
}
