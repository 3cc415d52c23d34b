package runtime

import (
	"math"
	"math/big"
)

// maxPlainAngle is the angle up to which three doubles of pi/2 reduce exactly enough.
const maxPlainAngle = 1 << 26

// reduceAngle returns n and r with x = n*pi/2 + r, |r| <= pi/4.
func reduceAngle(x float64) (n int, r pair) {
	if !(math.Abs(x) <= maxPlainAngle) {
		return reduceGreat(x)
	}
	nf := float64(x*(2/math.Pi)) + roundMagic - roundMagic
	m := twoProduct(nf, halfPi1)
	r = twoSum(x-m.hi, -m.lo)
	m = twoProduct(nf, halfPi2)
	s := twoSum(r.hi, -m.hi)
	return int(nf), fastSum(s.hi, s.lo+(r.lo-m.lo-nf*halfPi3))
}

// reduceGreat is reduceAngle for any finite x, with as many bits of pi as that takes.
//
//go:noinline
func reduceGreat(x float64) (k int, r pair) {
	const bits = 1216
	fraction, exp := math.Frexp(x)
	m := big.NewInt(int64(fraction * (1 << 53)))
	m.Mul(m, bigTwoOverPi()) // x * 2/pi * 2^(bits + 53 - exp)
	shift := bits + 53 - exp
	whole := new(big.Int).Rsh(m, uint(shift-1)) // twice in units of pi/2
	if whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	whole.Rsh(whole, 1) // rounded
	k = int(new(big.Int).And(whole, big.NewInt(3)).Int64())
	m.Sub(m, whole.Lsh(whole, uint(shift-1)+1))
	rest := new(big.Float).SetPrec(160).SetInt(m)
	rest.SetMantExp(rest, -shift)
	rest.Mul(rest, halfPiBig)
	hi, _ := rest.Float64()
	lo, _ := rest.Sub(rest, new(big.Float).SetFloat64(hi)).Float64()
	return k, pair{hi, lo}
}

// halfPiBig is pi/2 to 160 bits.
var halfPiBig = func() *big.Float {
	f, _ := new(big.Float).SetPrec(160).SetString("1.57079632679489661923132169163975144209858469968755291")
	return f
}()

// sineOf returns the sine of r, |r| < 0.86: that of the next 128th by the table, turned by the rest. It
// rounds where glibc does, which is once in what is added to the table's value.
func sineOf(r pair) float64 {
	a, dx := math.Abs(r.hi), r.lo
	if a < 0.126 {
		x2 := float64(r.hi * r.hi)
		t := math.FMA(math.FMA(math.FMA(math.FMA(x2, -1.0/39916800, 1.0/362880), x2, -1.0/5040), x2, 1.0/120), x2, -1.0/6)
		return r.hi + math.FMA(math.FMA(t, r.hi, -0.5*dx), x2, dx)
	}
	if r.hi < 0 {
		dx = -dx
	}
	row, x := nearest(a)
	s, c := smallAngle(x, dx)
	c = math.FMA(x, dx, c)
	rest := math.FMA(row[2], s, math.FMA(-row[0], c, math.FMA(s, row[3], row[1])))
	return math.Copysign(row[0]+rest, r.hi)
}

// cosineOf is sineOf for the cosine.
func cosineOf(r pair) float64 {
	a, dx := math.Abs(r.hi), r.lo
	if r.hi < 0 {
		dx = -dx
	}
	row, x := nearest(a)
	x += dx
	s, c := smallAngle(x, 0)
	rest := math.FMA(-row[0], s, math.FMA(-row[2], c, math.FMA(-s, row[1], row[3])))
	return row[2] + rest
}

// nearest returns the table's row for the 128th next to a, and what a is more.
func nearest(a float64) (row *[4]float64, rest float64) {
	const magic = 0x1.8p45
	u := a + magic
	return &sineTable[math.Float64bits(u)&127], a - (u - magic)
}

// smallAngle returns sin(x+dx) and 1 - cos(x), |x| <= 1/256.
func smallAngle(x, dx float64) (s, c float64) {
	x2 := float64(x * x)
	s = x + math.FMA(float64(x*x2), math.FMA(x2, 1.0/120, -1.0/6), dx)
	c = float64(x2 * math.FMA(x2, math.FMA(x2, 1.0/720, -1.0/24), 1.0/2))
	return s, c
}

// notAnAngle reports whether x has no sine.
func notAnAngle(x float64) bool { return x-x != 0 }

// The angles from which on a sine is that of the angle, of what lacks to pi/2, of the rest of a
// division by pi/2.
const (
	smallestTurn = 0x1.b6p-1
	secondTurn   = 0x1.368fdp+1
)

func libmSin(x float64) float64 {
	a := math.Abs(x)
	switch {
	case a < 0x1p-26 || notAnAngle(x):
		return math.Sin(x)
	case a < smallestTurn:
		return sineOf(pair{x, 0})
	case a < secondTurn:
		return math.Copysign(cosineOf(pair{halfPi1 - a, halfPi2}), x)
	}
	n, r := reduceAngle(x)
	return quarter(n, r)
}

func libmCos(x float64) float64 {
	a := math.Abs(x)
	switch {
	case notAnAngle(x):
		return math.NaN()
	case a < 0x1p-27:
		return 1
	case a < smallestTurn:
		return cosineOf(pair{x, 0})
	case a < secondTurn:
		y := halfPi1 - a
		return sineOf(fastSum(y, halfPi2))
	}
	n, r := reduceAngle(x)
	return quarter(n+1, r)
}

// quarter returns the sine of n*pi/2 + r.
func quarter(n int, r pair) float64 {
	var v float64
	if n&1 == 0 {
		v = sineOf(r)
	} else {
		v = cosineOf(r)
	}
	if n&2 != 0 {
		return -v
	}
	return v
}

// sinCos returns sine and cosine of r, |r| < 0.8, to about 70 bits.
func sinCos(r pair) (sin, cos pair) {
	row, x := nearest(math.Abs(r.hi))
	dx := math.Copysign(1, r.hi) * r.lo
	x2 := float64(x * x)
	ds := x*x2*(-1.0/6+x2*(1.0/120+x2*(-1.0/5040))) + dx
	dc := x2*(-1.0/2+x2*(1.0/24+x2*(-1.0/720))) - x*dx
	p := twoProduct(row[2], x)
	s := twoSum(row[0], p.hi)
	sin = fastSum(s.hi, s.lo+(p.lo+(row[2]*ds+(row[3]*x+(row[1]+row[0]*dc)))))
	p = twoProduct(-row[0], x)
	c := twoSum(row[2], p.hi)
	cos = fastSum(c.hi, c.lo+(p.lo+(-row[0]*ds+(-row[1]*x+(row[3]+row[2]*dc)))))
	if r.hi < 0 {
		sin.hi, sin.lo = -sin.hi, -sin.lo
	}
	return sin, cos
}

func libmTan(x float64) float64 {
	if math.Abs(x) < 0x1p-26 || notAnAngle(x) {
		return math.Tan(x)
	}
	n, r := reduceAngle(x)
	s, c := sinCos(r)
	if n&1 != 0 {
		s, c = c, pair{-s.hi, -s.lo}
	}
	q := divide(s, c)
	return q.hi + q.lo
}

// divide returns a/b.
func divide(a, b pair) pair {
	q := a.hi / b.hi
	p := twoProduct(q, b.hi)
	return fastSum(q, ((a.hi-p.hi)-p.lo+a.lo-q*b.lo)/b.hi)
}

// angleOf returns the angle of the point (x, y), both positive.
func angleOf(y, x pair) pair {
	if y.hi > x.hi {
		return minus(halfPi1, halfPi2, angleOf(x, y))
	}
	i := int(y.hi/x.hi*64 + 0.5)
	c := float64(i) / 64
	// From the table's angle the rest has the tangent (y - c*x) / (x + c*y).
	p := twoProduct(c, x.hi)
	above := twoSum(y.hi, -p.hi)
	above.lo += y.lo - p.lo - c*x.lo
	p = twoProduct(c, y.hi)
	below := fastSum(x.hi, p.hi)
	below.lo += x.lo + p.lo + c*y.lo
	t := divide(above, below)
	t2 := float64(t.hi * t.hi)
	cube := t.hi * t2 * (-1.0/3 + t2*(1.0/5+t2*(-1.0/7+t2*(1.0/9+t2*(-1.0/11)))))
	s := twoSum(atanTable[i][0], t.hi)
	return fastSum(s.hi, s.lo+(cube+(t.lo+atanTable[i][1])))
}

// minus returns c - a for a constant of two doubles.
func minus(c1, c2 float64, a pair) pair {
	s := twoSum(c1, -a.hi)
	return fastSum(s.hi, s.lo+(c2-a.lo))
}

// plainRange is where products and quotients of the arc functions lose nothing.
func plainRange(x float64) bool { return x > 0x1p-400 && x < 0x1p400 }

func libmAtan(x float64) float64 {
	a := math.Abs(x)
	if a < 0x1p-27 || a > 0x1p60 || x != x {
		return math.Atan(x)
	}
	r := angleOf(pair{a, 0}, pair{1, 0})
	return math.Copysign(r.hi+r.lo, x)
}

func libmAtan2(y, x float64) float64 {
	ay, ax := math.Abs(y), math.Abs(x)
	if !plainRange(ay) || !plainRange(ax) {
		return math.Atan2(y, x)
	}
	r := angleOf(pair{ay, 0}, pair{ax, 0})
	if x < 0 {
		r = minus(pi1, pi2, r)
	}
	return math.Copysign(r.hi+r.lo, y)
}

// leg returns sqrt(1 - a*a), 0 < a < 1.
func leg(a float64) pair {
	p := twoProduct(a, a)
	h := twoSum(1, -p.hi)
	h = fastSum(h.hi, h.lo-p.lo)
	s := math.Sqrt(h.hi)
	sq := twoProduct(s, s)
	return fastSum(s, ((h.hi-sq.hi)-sq.lo+h.lo)/(2*s))
}

func libmAsin(x float64) float64 {
	a := math.Abs(x)
	if a < 0x1p-27 || !(a < 1) {
		return math.Asin(x)
	}
	r := angleOf(pair{a, 0}, leg(a))
	return math.Copysign(r.hi+r.lo, x)
}

func libmAcos(x float64) float64 {
	a := math.Abs(x)
	if a < 0x1p-60 || !(a < 1) {
		return math.Acos(x)
	}
	r := angleOf(leg(a), pair{a, 0})
	if x < 0 {
		r = minus(pi1, pi2, r)
	}
	return r.hi + r.lo
}
