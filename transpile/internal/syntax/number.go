package syntax

import (
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// number reads a numeral the greedy way LuaJIT does: everything that could be
// part of one, and only then asks whether it is one. So `3x` and `1..2` are
// malformed numbers, not two tokens.
func (lx *lexer) number() bool {
	t := lx.start()
	exp := byte('e')
	if lx.peek(0) == '0' && lx.peek(1)|0x20 == 'x' {
		exp = 'p'
		lx.off += 2
	}
	for !lx.atEnd() {
		c := lx.src[lx.off]
		sign := (c == '-' || c == '+') && lx.off > t.off && lx.src[lx.off-1]|0x20 == exp
		if !isIdent(c) && c != '.' && !sign {
			break
		}
		lx.off++
	}
	text := string(lx.src[t.off:lx.off])
	n, ok := parseNumber(text)
	if !ok {
		return lx.fail(t, diag.BadNumber, "malformed number", text)
	}
	n.Pos = t.pos
	t.num = len(lx.numbers)
	lx.numbers = append(lx.numbers, n)
	return lx.add(t, tkNumber)
}

// parseNumber reads decimal, 0x and 0b numerals with LuaJIT's suffixes: LL,
// ULL or LLU for 64-bit integers, i for the imaginary part of a complex number.
func parseNumber(text string) (n ast.NumberExpr, ok bool) {
	s := strings.ToLower(text)
	n.Suffix, s = cutSuffix(s)
	base := 10
	switch {
	case strings.HasPrefix(s, "0x"):
		base, s = 16, s[2:]
	case strings.HasPrefix(s, "0b"):
		base, s = 2, s[2:]
	}
	mantissa, exponent, hasExp := s, "", false
	switch base {
	case 10:
		mantissa, exponent, hasExp = strings.Cut(s, "e")
	case 16:
		mantissa, exponent, hasExp = strings.Cut(s, "p")
	}
	whole, frac, hasDot := strings.Cut(mantissa, ".")
	if !allDigits(whole, base) || !allDigits(frac, base) || whole+frac == "" {
		return n, false
	}
	if hasExp && !isExponent(exponent) {
		return n, false
	}
	if n.Suffix == "LL" || n.Suffix == "ULL" {
		if hasDot || hasExp {
			return n, false
		}
		bits, err := strconv.ParseUint(whole, base, 64)
		n.Bits = bits
		return n, err == nil
	}
	switch base {
	case 2:
		if hasDot {
			return n, false
		}
		bits, err := strconv.ParseUint(whole, 2, 64)
		n.Value = float64(bits)
		return n, err == nil
	case 16:
		if !hasExp {
			exponent = "0"
		}
		s = "0x" + mantissa + "p" + exponent
	}
	// Out of range is not an error: the result is then infinite or zero.
	v, err := strconv.ParseFloat(s, 64)
	n.Value = v
	return n, err == nil || err.(*strconv.NumError).Err == strconv.ErrRange
}

// cutSuffix takes a 64-bit or imaginary suffix off a numeral in lower case.
func cutSuffix(s string) (suffix, rest string) {
	for _, x := range [...]struct{ text, suffix string }{{"ull", "ULL"}, {"llu", "ULL"}, {"ll", "LL"}, {"i", "i"}} {
		if rest, ok := strings.CutSuffix(s, x.text); ok {
			return x.suffix, rest
		}
	}
	return "", s
}

func allDigits(s string, base int) bool {
	for i := range len(s) {
		c := s[i]
		switch base {
		case 2:
			if c != '0' && c != '1' {
				return false
			}
		case 10:
			if !isDigit(c) {
				return false
			}
		case 16:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

// isExponent: an optional sign and at least one decimal digit.
func isExponent(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && allDigits(s, 10)
}
