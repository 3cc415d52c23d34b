package runtime

import (
	"math"
	"math/big"
	"sync"
)

// The functions of C's libm that differ in the last bit from package math's. glibc's are
// within 0.51 to 0.55 of a unit in the last place, so a correctly rounded result is almost always
// theirs; these compute with the sum of two doubles where it matters. Products that must
// not be fused are converted explicitly. docs/ROADMAP.md has how often they still differ.

// pair is the unevaluated sum of two doubles, the second below the last place of the first.
type pair struct{ hi, lo float64 }

// twoSum returns a+b exactly.
func twoSum(a, b float64) pair {
	s := a + b
	t := s - a
	return pair{s, (a - (s - t)) + (b - t)}
}

// fastSum is twoSum for |a| >= |b|.
func fastSum(a, b float64) pair {
	s := a + b
	return pair{s, b - (s - a)}
}

// twoProduct returns a*b exactly.
func twoProduct(a, b float64) pair {
	p := float64(a * b)
	return pair{p, math.FMA(a, b, -p)}
}

// roundMagic added and taken away rounds what is below 2^51 to a whole number.
const roundMagic = 0x1.8p52

// libmExp is e^x.
func libmExp(x float64) float64 {
	if !(x > -700 && x < 709) { // infinite, none, very small or nearly too great
		return expEdge(x)
	}
	p, k := expPair(x, 0)
	return p * math.Float64frombits(uint64(k+1023)<<52)
}

// expEdge is libmExp where the result may have no normal exponent.
//
//go:noinline
func expEdge(x float64) float64 {
	switch {
	case x != x || x > 710:
		return x * math.Inf(1)
	case x < -746:
		return 0
	}
	p, k := expPair(x, 0)
	return math.Ldexp(p, k)
}

// expPair returns p and k with p * 2^k = e^(x+low). It rounds where glibc does: once what
// follows the power of two in the table, and the sum.
func expPair(x, low float64) (p float64, k int) {
	kf := float64(x*(128/math.Ln2)) + roundMagic - roundMagic
	k = int(kf)
	m := twoProduct(kf, ln2128th1)
	r := (x - m.hi) + (float64(-kf*ln2128th2) - m.lo)
	r += low
	t := &powerTable[k&127]
	r2 := float64(r * r)
	rest := math.FMA(r2, math.FMA(r, 1.0/6, 1.0/2), t[1]+r)
	rest = math.FMA(float64(r2*r2), math.FMA(r, math.FMA(r, 1.0/720, 1.0/120), 1.0/24), rest)
	return math.FMA(t[0], rest, t[0]), k >> 7
}

// libmLog is the natural logarithm.
func libmLog(x float64) float64 {
	if !(x > 0 && x <= math.MaxFloat64) {
		return math.Log(x)
	}
	l := logPair(x)
	return l.hi + l.lo
}

// logPair returns log(x) of a positive finite number to about 70 bits.
func logPair(x float64) pair {
	bits := math.Float64bits(x)
	if x < 0x1p-1022 {
		bits = math.Float64bits(x*0x1p52) - 52<<52
	}
	tmp := bits - 0x3fe6000000000000
	row := &logTable[tmp>>45&127]
	k := float64(int64(tmp) >> 52)
	z := math.Float64frombits(bits - tmp&(0xfff<<52))
	p := twoProduct(z, row[0])
	r := fastSum(p.hi-1, p.lo)
	sq := twoProduct(r.hi, r.hi)
	// log(1+r) = r - r^2/2 + r^3 * poly(r)
	c := r.hi
	poly := 1.0/3 + c*(-1.0/4+c*(1.0/5+c*(-1.0/6+c*(1.0/7+c*(-1.0/8+c*(1.0/9+c*(-1.0/10+c*(1.0/11))))))))
	s1 := twoSum(float64(k*ln2Hi), row[1])
	s2 := twoSum(s1.hi, r.hi)
	s3 := twoSum(s2.hi, -sq.hi/2)
	low := s3.lo + (s2.lo + (s1.lo + (k*ln2Lo + (row[2] + (r.lo*(1-c) - sq.lo/2)))))
	cube := float64(sq.hi * c)
	s4 := twoSum(s3.hi, cube*poly)
	return fastSum(s4.hi, s4.lo+low)
}

// libmLog2 is the logarithm to base 2.
func libmLog2(x float64) float64 {
	const perLn1, perLn2 = 0x1.71547652b82fep0, 0x1.777d0ffda0d24p-56 // 1/ln(2)
	if !(x > 0 && x <= math.MaxFloat64) {
		return math.Log2(x)
	}
	l := logPair(x)
	p := twoProduct(l.hi, perLn1)
	return p.hi + (p.lo + (l.hi*perLn2 + l.lo*perLn1))
}

// libmLog10 is the logarithm to base 10, as glibc makes it of the natural one.
func libmLog10(x float64) float64 {
	const (
		perLn   = 0x1.bcb7b1526e50ep-2 // 1/ln(10)
		log2Hi  = 0x1.34413509f6p-2    // log10(2)
		log2Lo  = 0x1.9fef311f12b36p-42
		twoTo54 = 1 << 54
	)
	if !(x > 0 && x <= math.MaxFloat64) {
		return math.Log10(x)
	}
	k := 0
	if x < 0x1p-1022 {
		k, x = -54, x*twoTo54
	}
	bits := math.Float64bits(x)
	k += int(bits>>52) - 1023
	i := 0
	if k < 0 {
		i = 1
	}
	y := float64(k + i)
	x = math.Float64frombits(bits&(1<<52-1) | uint64(1023-i)<<52)
	z := float64(y*log2Lo) + float64(perLn*libmLog(x))
	return z + float64(y*log2Hi)
}

// libmPow is x^y.
func libmPow(x, y float64) float64 {
	ax := math.Abs(x)
	if !(ax > 0 && ax <= math.MaxFloat64 && math.Abs(y) <= 0x1p62) || x < 0 && y != math.Trunc(y) || ax == 1 || y == 0 {
		return math.Pow(x, y)
	}
	l := logPair(ax)
	e := twoProduct(y, l.hi)
	low := e.lo + y*l.lo
	negative := x < 0 && math.Mod(y, 2) != 0
	var r float64
	if e.hi > -700 && e.hi < 709 {
		p, k := expPair(e.hi, low)
		r = p * math.Float64frombits(uint64(k+1023)<<52)
	} else if e.hi >= 710 || e.hi <= -746 {
		r = math.Exp(e.hi)
	} else {
		p, k := expPair(e.hi, low)
		r = math.Ldexp(p, k)
	}
	if negative {
		return -r
	}
	return r
}

// coshLimit is where the hyperbolic functions become infinite.
const coshLimit = 710.4758600739439

// libmSinh, libmCosh and libmTanh are made of e^x as glibc makes them.
func libmSinh(x float64) float64 {
	h, a := math.Copysign(0.5, x), math.Abs(x)
	switch {
	case !(a < coshLimit):
		return x * math.Inf(1)
	case a >= 709.7:
		w := libmExp(0.5 * a)
		return h * w * w
	case a < 0x1p-28:
		return x
	case a < 22:
		t := math.Expm1(a)
		if a < 1 {
			return h * (2*t - float64(t*t)/(t+1))
		}
		return h * (t + t/(t+1))
	}
	return h * libmExp(a)
}

func libmCosh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case !(a < coshLimit):
		return a * math.Inf(1)
	case a >= 709.7:
		w := libmExp(0.5 * a)
		return 0.5 * w * w
	case a < math.Ln2/2:
		t := math.Expm1(a)
		w := 1 + t
		if a < 0x1p-55 {
			return w
		}
		return 1 + float64(t*t)/(w+w)
	case a < 22:
		t := libmExp(a)
		return 0.5*t + 0.5/t
	}
	return 0.5 * libmExp(a)
}

func libmTanh(x float64) float64 {
	a := math.Abs(x)
	if !(a < 22) || a < 0x1p-55 {
		return math.Tanh(x)
	}
	var z float64
	if a >= 1 {
		z = 1 - 2/(math.Expm1(2*a)+2)
	} else {
		t := math.Expm1(-2 * a)
		z = -t / (t + 2)
	}
	return math.Copysign(z, x)
}

// bigTwoOverPi is 2/pi times 2^1216, for the reduction of great angles.
var bigTwoOverPi = sync.OnceValue(func() *big.Int {
	const bits = 1216
	// pi by Machin's formula, as a whole number of 2^-(bits+64)
	one := new(big.Int).Lsh(big.NewInt(1), bits+64)
	inverse := func(n int64) *big.Int {
		sum, t, n2 := new(big.Int), new(big.Int).Div(one, big.NewInt(n)), big.NewInt(n*n)
		for k := int64(1); t.Sign() != 0; k += 2 {
			u := new(big.Int).Div(t, big.NewInt(k))
			if k%4 == 1 {
				sum.Add(sum, u)
			} else {
				sum.Sub(sum, u)
			}
			t.Div(t, n2)
		}
		return sum
	}
	pi := new(big.Int).Sub(new(big.Int).Mul(big.NewInt(16), inverse(5)), new(big.Int).Mul(big.NewInt(4), inverse(239)))
	return new(big.Int).Div(new(big.Int).Lsh(one, bits+1), pi)
})
