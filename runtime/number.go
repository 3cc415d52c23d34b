package runtime

import (
	"math"
	"strconv"
)

// appendNumber appends f as tostring prints it: "%.14g".
func appendNumber(buf []byte, f float64) []byte {
	if i := int64(f); float64(i) == f && i > -1e14 && i < 1e14 {
		if i == 0 && math.Signbit(f) {
			return append(buf, "-0"...)
		}
		return strconv.AppendInt(buf, i, 10)
	}
	return appendNumberG(buf, f, 14)
}

// smallInts holds the strings of the whole numbers below 256.
var smallInts = func() (s [256]string) {
	for i := range s {
		s[i] = strconv.Itoa(i)
	}
	return
}()

// NumberString returns f as tostring prints it.
func NumberString(f float64) string {
	if i := int(f); uint(i) < uint(len(smallInts)) && float64(i) == f && (i != 0 || !math.Signbit(f)) {
		return smallInts[i]
	}
	var tmp [32]byte
	return string(appendNumber(tmp[:0], f))
}

// toNumber returns the number that v is, or reads as when it is a string.
func toNumber(v Value) (float64, bool) {
	if v.n >= numberMin {
		return v.Num(), true
	}
	if v.IsString() {
		return ParseNumber(v.Str())
	}
	return 0, false
}

// ToNumber returns the number that v is or, for a string, reads as.
func ToNumber(v Value) (float64, bool) { return toNumber(v) }

// toString returns the string that v is, or converts to when it is a number.
func toString(v Value) (string, bool) {
	if v.IsString() {
		return v.Str(), true
	}
	if v.n >= numberMin {
		return NumberString(v.Num()), true
	}
	return "", false
}

// ToString returns the string that v is or, for a number, converts to.
func ToString(v Value) (string, bool) { return toString(v) }

// isSpace is C's isspace.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// ParseNumber reads a number as tonumber does: decimal or hexadecimal, with
// fraction and exponent, "inf", "infinity" and "nan" in any case, blanks around.
func ParseNumber(s string) (float64, bool) {
	s = trimSpace(s)
	if s == "" {
		return 0, false
	}
	body, neg := s, false
	if body[0] == '-' || body[0] == '+' {
		neg = body[0] == '-'
		body = body[1:]
	}
	if body == "" {
		return 0, false
	}
	if f, ok := parseShortInt(body); ok {
		if neg {
			f = -f
		}
		return f, true
	}
	var f float64
	var err error
	switch c := body[0]; {
	case len(body) > 2 && c == '0' && body[1]|0x20 == 'x':
		var ok bool
		if f, ok = parseHex(body[2:]); !ok {
			return 0, false
		}
	case len(body) > 2 && c == '0' && body[1]|0x20 == 'b':
		u, err := strconv.ParseUint(body[2:], 2, 64)
		if err != nil {
			return 0, false
		}
		f = float64(u)
	case c >= '0' && c <= '9' || c == '.':
		for i := range len(body) {
			if body[i] == '_' || body[i]|0x20 == 'x' {
				return 0, false
			}
		}
		f, err = strconv.ParseFloat(body, 64)
		if err != nil && err.(*strconv.NumError).Err == strconv.ErrSyntax {
			return 0, false
		}
	case equalFold(body, "inf") || equalFold(body, "infinity"):
		f = math.Inf(1)
	case equalFold(body, "nan"):
		f = math.NaN()
	default:
		return 0, false
	}
	if neg {
		f = -f
	}
	return f, true
}

// parseShortInt reads up to 15 decimal digits.
func parseShortInt(s string) (float64, bool) {
	if len(s) > 15 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return float64(n), true
}

// parseHex reads what follows 0x: digits with an optional point and an optional binary
// exponent. Without an exponent Go wants one added.
func parseHex(s string) (float64, bool) {
	hasExp := false
	for i := range len(s) {
		switch c := s[i] | 0x20; {
		case s[i] == '_' || s[i] == '+' && !hasExp || s[i] == '-' && !hasExp:
			return 0, false
		case c == 'p':
			hasExp = true
		}
	}
	if !hasExp {
		s += "p0"
	}
	f, err := strconv.ParseFloat("0x"+s, 64)
	if err != nil && err.(*strconv.NumError).Err == strconv.ErrSyntax {
		return 0, false
	}
	return f, true
}

// equalFold reports whether s is lower in any ASCII case.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		if s[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}
