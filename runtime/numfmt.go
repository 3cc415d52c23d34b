package runtime

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
)

// LuaJIT formats numbers with code of its own instead of C's printf. It differs
// from printf and from package strconv in one way that shows: a value exactly
// half way between two results is rounded away from zero, not to even.

// formatSpec is a parsed conversion specification of string.format.
type formatSpec struct {
	left, plus, space, alt, zero bool
	even                         bool // ties go to the even digit, as in C's printf

	width int
	prec  int // -1 when not given
	conv  byte
}

// appendNumberG appends f in the format %.<prec>g, the form tostring has with 14.
func appendNumberG(dst []byte, f float64, prec int) []byte {
	return formatSpec{prec: prec, conv: 'g'}.appendFloat(dst, f)
}

// appendFloat appends f for the conversions a, e, f and g in either case.
func (s formatSpec) appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return s.appendNonFinite(dst, f)
	}
	var sign byte
	switch {
	case math.Signbit(f):
		sign = '-'
		f = -f
	case s.plus:
		sign = '+'
	case s.space:
		sign = ' '
	}
	start := len(dst)
	if sign != 0 {
		dst = append(dst, sign)
	}
	digits := len(dst)
	upper := s.conv < 'a'
	switch s.conv | 0x20 {
	case 'f':
		dst = s.appendFixed(dst, f, s.precision())
	case 'e':
		dst = s.appendExponent(dst, f, s.precision())
	case 'g':
		dst = s.appendGeneral(dst, f)
	default:
		dst = s.appendHex(dst, f)
		digits += 2 // zeros go after 0x
	}
	if s.alt && s.precision() == 0 && s.conv|0x20 != 'g' {
		dst = insertPoint(dst, digits)
	}
	if upper {
		upperASCII(dst[start:])
	}
	return s.pad(dst, start, digits)
}

// precision returns the number of digits after the point for e and f.
func (s formatSpec) precision() int {
	switch {
	case s.prec >= 0:
		return s.prec
	case s.conv|0x20 == 'a':
		return -1
	}
	return 6
}

// appendNonFinite appends inf or nan, which are never padded with zeros; a NaN has no sign.
func (s formatSpec) appendNonFinite(dst []byte, f float64) []byte {
	start := len(dst)
	nan := math.IsNaN(f)
	switch {
	case !nan && f < 0:
		dst = append(dst, '-')
	case !nan && s.plus:
		dst = append(dst, '+')
	case s.space:
		dst = append(dst, ' ')
	}
	if nan {
		dst = append(dst, "nan"...)
	} else {
		dst = append(dst, "inf"...)
	}
	if s.conv < 'a' {
		upperASCII(dst[start:])
	}
	s.zero = false
	return s.pad(dst, start, start)
}

// pad brings what was appended since start to the width; zeros go in at digits.
func (s formatSpec) pad(dst []byte, start, digits int) []byte {
	n := s.width - (len(dst) - start)
	if n <= 0 {
		return dst
	}
	at, fill := start, byte(' ')
	switch {
	case s.left:
		at = len(dst)
	case s.zero:
		at, fill = digits, '0'
	}
	size := len(dst)
	for range n {
		dst = append(dst, fill)
	}
	if at < size {
		copy(dst[at+n:], dst[at:size])
		for i := at; i < at+n; i++ {
			dst[i] = fill
		}
	}
	return dst
}

// appendFixed appends f >= 0 with prec digits after the point.
func (s formatSpec) appendFixed(dst []byte, f float64, prec int) []byte {
	if s.even || !isTie(f, prec) {
		return strconv.AppendFloat(dst, f, 'f', prec, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', prec+1, 64) // exact; its last digit is a 5
	dst = dst[:len(dst)-1]
	if prec == 0 {
		dst = dst[:len(dst)-1] // the point
	}
	if increment(dst[start:]) {
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '1'
	}
	return dst
}

// appendExponent appends f >= 0 as d.ddde+xx with prec digits after the point.
func (s formatSpec) appendExponent(dst []byte, f float64, prec int) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', prec, 64)
	// A tie that was rounded up to the next power of ten shows a wrong exponent,
	// and needs no correction.
	if s.even || !isTie(f, prec-exponentOf(dst[start:])) {
		return dst
	}
	dst = strconv.AppendFloat(dst[:start], f, 'e', prec+1, 64)
	e := bytes.LastIndexByte(dst, 'e')
	digits := e - 1 // without the 5
	if prec == 0 {
		digits-- // and the point
	}
	exponent := exponentOf(dst[start:])
	if increment(dst[start:digits]) {
		dst[start] = '1'
		exponent++
	}
	dst = append(dst[:digits], 'e', '+')
	if exponent < 0 {
		dst[digits+1] = '-'
		exponent = -exponent
	}
	if exponent < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(exponent), 10)
}

// increment adds one to the last digit of a decimal number and reports whether a 1 belongs
// before what is left, which is zeros.
func increment(number []byte) (carry bool) {
	for i := len(number) - 1; i >= 0; i-- {
		switch number[i] {
		case '.':
		case '9':
			number[i] = '0'
		default:
			number[i]++
			return false
		}
	}
	return true
}

// exponentOf returns the exponent of a number that ends in e+xx.
func exponentOf(b []byte) int {
	i := len(b) - 1
	for b[i] != 'e' {
		i--
	}
	x := 0
	for _, c := range b[i+2:] {
		x = 10*x + int(c-'0')
	}
	if b[i+1] == '-' {
		return -x
	}
	return x
}

// isTie reports whether f > 0 is exactly half way between two numbers of q
// digits after the decimal point (before it, when q is negative): whether
// f * 10^q * 2 is an odd whole number. f is m * 2^e with m odd, and 10^q is
// 5^q * 2^q, so only the power of two and, for negative q, the fives in m decide.
func isTie(f float64, q int) bool {
	if f == 0 {
		return false
	}
	b := math.Float64bits(f)
	m := b & (1<<52 - 1)
	e := int(b >> 52 & 0x7ff)
	if e == 0 {
		e = 1
	} else {
		m |= 1 << 52
	}
	zeros := bits.TrailingZeros64(m)
	m >>= zeros
	e += zeros - 1075
	if e != -(q + 1) {
		return false
	}
	for ; q < 0; q++ {
		if m%5 != 0 {
			return false
		}
		m /= 5
	}
	return true
}

// appendGeneral appends f >= 0 in the form of %g.
func (s formatSpec) appendGeneral(dst []byte, f float64) []byte {
	prec := s.prec
	switch prec {
	case -1:
		prec = 6
	case 0:
		prec = 1
	}
	start := len(dst)
	dst = s.appendExponent(dst, f, prec-1)
	x := exponentOf(dst[start:])
	fixed := x >= -4 && x < prec
	if fixed {
		dst = s.appendFixed(dst[:start], f, prec-1-x)
	}
	if !s.alt {
		return trimZeros(dst, start)
	}
	if !fixed && prec == 1 || fixed && prec-1-x == 0 {
		dst = insertPoint(dst, start)
	}
	return dst
}

// trimZeros removes the zeros at the end of the fraction, and a bare point.
func trimZeros(dst []byte, start int) []byte {
	end, point := len(dst), -1
	for i := start; i < len(dst); i++ {
		switch dst[i] {
		case '.':
			point = i
		case 'e':
			end = i
		}
	}
	if point < 0 {
		return dst
	}
	cut := end
	for dst[cut-1] == '0' {
		cut--
	}
	if cut-1 == point {
		cut--
	}
	return append(dst[:cut], dst[end:]...)
}

// insertPoint adds the point that # asks for when there are no digits after it.
func insertPoint(dst []byte, digits int) []byte {
	at := digits
	for at < len(dst) && '0' <= dst[at] && dst[at] <= '9' {
		at++
	}
	dst = append(dst, 0)
	copy(dst[at+1:], dst[at:])
	dst[at] = '.'
	return dst
}

// appendHex appends f >= 0 in the form of %a, with a leading digit of 1 also for
// subnormal numbers.
func (s formatSpec) appendHex(dst []byte, f float64) []byte {
	b := math.Float64bits(f)
	m := b & (1<<52 - 1)
	e := int(b>>52) - 1023
	switch {
	case f == 0:
		e = 0
	case e == -1023:
		shift := bits.LeadingZeros64(m) - 11
		m <<= shift
		e = -1022 - shift
	default:
		m |= 1 << 52
	}
	digits := 13
	if s.prec >= 0 && s.prec < digits {
		digits = s.prec
		drop := uint(52 - 4*digits)
		m += 1 << (drop - 1)
		m = m >> drop << drop
	}
	dst = append(dst, "0x"...)
	dst = append(dst, '0'+byte(m>>52))
	if s.prec < 0 {
		for digits > 0 && m>>(52-4*digits)&15 == 0 {
			digits--
		}
	}
	if digits > 0 || s.prec > 0 || s.alt && s.prec < 0 {
		dst = append(dst, '.')
	}
	for i := range digits {
		dst = append(dst, lowerHex[m>>(48-4*i)&15])
	}
	for i := digits; i < s.prec; i++ {
		dst = append(dst, '0')
	}
	dst = append(dst, 'p')
	if e >= 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(e), 10)
}

const lowerHex = "0123456789abcdef"

func upperASCII(b []byte) {
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
}

// appendInt appends a number for the conversions d, i, o, u, x and X.
func (s formatSpec) appendInt(dst []byte, k uint64) []byte {
	var digits [24]byte
	start := len(dst)
	base := 10
	switch s.conv {
	case 'd', 'i':
		switch {
		case int64(k) < 0:
			k = -k
			dst = append(dst, '-')
		case s.plus:
			dst = append(dst, '+')
		case s.space:
			dst = append(dst, ' ')
		}
	case 'o':
		base = 8
	case 'x', 'X':
		base = 16
		if s.alt && k != 0 {
			dst = append(dst, '0', s.conv)
		}
	}
	text := strconv.AppendUint(digits[:0], k, base)
	if s.conv == 'X' {
		upperASCII(text)
	}
	if k == 0 && s.prec == 0 {
		text = text[:0]
	}
	first := len(dst)
	for i := len(text); i < s.prec; i++ {
		dst = append(dst, '0')
	}
	if s.conv == 'o' && s.alt && len(dst) == first && (len(text) == 0 || text[0] != '0') && !s.fillsWithZeros(len(text)) {
		dst = append(dst, '0')
	}
	dst = append(dst, text...)
	if s.prec >= 0 {
		s.zero = false
	}
	return s.pad(dst, start, first)
}

// fillsWithZeros reports whether padding puts a zero before n octal digits.
func (s formatSpec) fillsWithZeros(n int) bool {
	return s.zero && !s.left && s.prec < 0 && s.width > n
}

// truncInt64 converts as LuaJIT does on x64: towards zero, and -2^63 for what
// does not fit.
func truncInt64(f float64) int64 {
	if f >= -1<<63 && f < 1<<63 {
		return int64(f)
	}
	return math.MinInt64
}

// truncUint64 is truncInt64 for the unsigned conversions: numbers from 2^63 to
// 2^64 keep their value.
func truncUint64(f float64) uint64 {
	if f >= 1<<63 {
		return uint64(truncInt64(f - 1<<64))
	}
	return uint64(truncInt64(f))
}
