package runtime

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// bigMath computes the functions of libm with numbers of 400 bits.
type bigMath struct{ pi, ln2 *big.Float }

const bigPrec = 400

func bigOf(x float64) *big.Float { return new(big.Float).SetPrec(bigPrec).SetFloat64(x) }
func bigNew() *big.Float         { return new(big.Float).SetPrec(bigPrec) }

func newBigMath() *bigMath {
	m := &bigMath{}
	quarter := bigNew().Sub(bigNew().Mul(bigOf(4), m.atan(bigNew().Quo(bigOf(1), bigOf(5)))), m.atan(bigNew().Quo(bigOf(1), bigOf(239))))
	m.pi = quarter.Mul(quarter, bigOf(4))
	m.ln2 = m.log(bigOf(2))
	return m
}

// series sums terms until they no longer count; next makes a term of the one before.
func series(first *big.Float, next func(term *big.Float, k int64) *big.Float) *big.Float {
	sum, term := bigNew(), first
	for k := int64(1); term.Sign() != 0 && (sum.Sign() == 0 || term.MantExp(nil) > sum.MantExp(nil)-bigPrec); k++ {
		sum.Add(sum, term)
		term = next(term, k)
	}
	return sum
}

func (m *bigMath) exp(x *big.Float) *big.Float {
	const halvings = 12
	small := bigNew().SetMantExp(x, -halvings)
	r := series(bigOf(1), func(t *big.Float, k int64) *big.Float {
		return bigNew().Quo(bigNew().Mul(t, small), bigNew().SetInt64(k))
	})
	for range halvings {
		r.Mul(r, r)
	}
	return r
}

func (m *bigMath) log(x *big.Float) *big.Float {
	mant := bigNew()
	exp := x.MantExp(mant)
	z := bigNew().Quo(bigNew().Sub(mant, bigOf(1)), bigNew().Add(mant, bigOf(1)))
	z2 := bigNew().Mul(z, z)
	power := bigNew().Set(z)
	r := series(bigNew().Set(z), func(_ *big.Float, k int64) *big.Float {
		power.Mul(power, z2)
		return bigNew().Quo(power, bigNew().SetInt64(2*k+1))
	})
	r.Mul(r, bigOf(2))
	if m.ln2 == nil {
		return r.Mul(r, bigOf(-1)) // log(1/2), of which only the ln2 is wanted
	}
	return r.Add(r, bigNew().Mul(m.ln2, bigNew().SetInt64(int64(exp))))
}

func (m *bigMath) atan(x *big.Float) *big.Float {
	z := x
	for range 4 {
		z = bigNew().Quo(z, bigNew().Add(bigOf(1), bigNew().Sqrt(bigNew().Add(bigOf(1), bigNew().Mul(z, z)))))
	}
	z2 := bigNew().Mul(z, z)
	z2.Neg(z2)
	power := bigNew().Set(z)
	r := series(bigNew().Set(z), func(_ *big.Float, k int64) *big.Float {
		power.Mul(power, z2)
		return bigNew().Quo(power, bigNew().SetInt64(2*k+1))
	})
	return r.Mul(r, bigOf(16))
}

func (m *bigMath) sin(x *big.Float) *big.Float {
	turns, _ := bigNew().Quo(x, m.pi).Int(nil)
	r := bigNew().Sub(x, bigNew().Mul(m.pi, bigNew().SetInt(turns)))
	r2 := bigNew().Mul(r, r)
	s := series(r, func(t *big.Float, k int64) *big.Float {
		return bigNew().Quo(bigNew().Mul(t, r2), bigNew().SetInt64(-2*k*(2*k+1)))
	})
	if turns.Bit(0) == 1 {
		s.Neg(s)
	}
	return s
}

func (m *bigMath) cos(x *big.Float) *big.Float {
	return m.sin(bigNew().Add(x, bigNew().Quo(m.pi, bigOf(2))))
}

// TestLibm compares with correctly rounded results. glibc rounds a few in a thousand otherwise, and
// so do these.
func TestLibm(t *testing.T) {
	m := newBigMath()
	r := rand.New(rand.NewPCG(1, 2))
	one := func(f func(float64) float64) func(x, _ float64) float64 {
		return func(x, _ float64) float64 { return f(x) }
	}
	big1 := func(f func(*big.Float) *big.Float) func(x, _ float64) *big.Float {
		return func(x, _ float64) *big.Float { return f(bigOf(x)) }
	}
	for _, tt := range []struct {
		name  string
		f     func(x, y float64) float64
		exact func(x, y float64) *big.Float
		args  func() (x, y float64)
	}{
		{"exp", one(libmExp), big1(m.exp), func() (x, y float64) { return 200 * (r.Float64() - 0.5), 0 }},
		{"log", one(libmLog), big1(m.log), func() (x, y float64) { return math.Ldexp(0.5+r.Float64(), r.IntN(80)-40), 0 }},
		{"log near 1", one(libmLog), big1(m.log), func() (x, y float64) { return 1 + 0.02*(r.Float64()-0.5), 0 }},
		{"sin", one(libmSin), big1(m.sin), func() (x, y float64) { return 1000 * (r.Float64() - 0.5), 0 }},
		{"cos", one(libmCos), big1(m.cos), func() (x, y float64) { return 1000 * (r.Float64() - 0.5), 0 }},
		{"sin of great angles", one(libmSin), big1(m.sin), func() (x, y float64) { return math.Ldexp(r.Float64(), 30+r.IntN(60)), 0 }},
		{"tan", one(libmTan), func(x, _ float64) *big.Float { return bigNew().Quo(m.sin(bigOf(x)), m.cos(bigOf(x))) },
			func() (x, y float64) { return 100 * (r.Float64() - 0.5), 0 }},
		{"atan", one(libmAtan), big1(m.atan), func() (x, y float64) { return 20 * (r.Float64() - 0.5), 0 }},
		{"atan2", libmAtan2, func(x, y float64) *big.Float { return m.atan(bigNew().Quo(bigOf(x), bigOf(y))) },
			func() (x, y float64) { return 20 * (r.Float64() - 0.5), 20 * r.Float64() }},
		{"asin", one(libmAsin), func(x, _ float64) *big.Float {
			leg := bigNew().Sqrt(bigNew().Sub(bigOf(1), bigNew().Mul(bigOf(x), bigOf(x))))
			return m.atan(bigNew().Quo(bigOf(x), leg))
		}, func() (x, y float64) { return 2 * (r.Float64() - 0.5), 0 }},
		{"acos", one(libmAcos), func(x, _ float64) *big.Float {
			leg := bigNew().Sqrt(bigNew().Sub(bigOf(1), bigNew().Mul(bigOf(x), bigOf(x))))
			return bigNew().Sub(bigNew().Quo(m.pi, bigOf(2)), m.atan(bigNew().Quo(bigOf(x), leg)))
		}, func() (x, y float64) { return 2 * (r.Float64() - 0.5), 0 }},
		{"pow", libmPow, func(x, y float64) *big.Float { return m.exp(bigNew().Mul(bigOf(y), m.log(bigOf(x)))) },
			func() (x, y float64) { return 20 * r.Float64(), 40 * (r.Float64() - 0.5) }},
	} {
		const n = 500
		off := 0
		for range n {
			x, y := tt.args()
			got := tt.f(x, y)
			want, _ := tt.exact(x, y).Float64()
			if got == want {
				continue
			}
			off++
			if d := int64(math.Float64bits(got) - math.Float64bits(want)); d > 1 || d < -1 {
				t.Errorf("%s(%v, %v) = %v, want %v", tt.name, x, y, got, want)
			}
		}
		if off > n/50 {
			t.Errorf("%s: %d of %d results are not rounded correctly", tt.name, off, n)
		}
	}
}

// TestLibmTables checks the tables.
func TestLibmTables(t *testing.T) {
	m := newBigMath()
	check := func(name string, i int, exact *big.Float, hi, lo float64) {
		h, _ := exact.Float64()
		l, _ := bigNew().Sub(exact, bigOf(h)).Float64()
		if hi != h || lo != l {
			t.Errorf("%s[%d] is %x, %x, want %x, %x", name, i, hi, lo, h, l)
		}
	}
	part := func(i, n int) *big.Float { return bigNew().Quo(bigOf(float64(i)), bigOf(float64(n))) }
	for i := 1; i < len(sineTable); i++ {
		row := sineTable[i]
		check("sine", i, m.sin(part(i, 128)), row[0], row[1])
		check("cosine", i, m.cos(part(i, 128)), row[2], row[3])
	}
	for i := range atanTable {
		check("atan", i, m.atan(part(i, 64)), atanTable[i][0], atanTable[i][1])
	}
	for i := range powerTable {
		exact := m.exp(bigNew().Mul(m.ln2, part(i, 128)))
		lack := bigNew().Quo(bigNew().Sub(exact, bigOf(powerTable[i][0])), bigOf(powerTable[i][0]))
		if l, _ := lack.Float64(); l != powerTable[i][1] {
			t.Errorf("powerTable[%d] lacks %x, want %x", i, powerTable[i][1], l)
		}
	}
	for i := range logTable {
		row := logTable[i]
		check("log", i, bigNew().Neg(m.log(bigOf(row[0]))), row[1], row[2])
	}
	check("pi/2", 0, bigNew().Quo(m.pi, bigOf(2)), halfPi1, halfPi2)
	check("ln2/128", 0, bigNew().Quo(m.ln2, bigOf(128)), ln2128th1, ln2128th2)
}

func BenchmarkLibm(b *testing.B) {
	for name, f := range map[string]func(float64) float64{
		"sin": libmSin, "sin of package math": math.Sin, "exp": libmExp, "log": libmLog, "tan": libmTan, "atan": libmAtan,
		"pow": func(x float64) float64 { return libmPow(x, 1.5) },
	} {
		b.Run(name, func(b *testing.B) {
			x, sum := 0.7, 0.0
			for b.Loop() {
				sum += f(x)
				if x += 0.001; x > 50 {
					x = 0.1
				}
			}
		})
	}
}
