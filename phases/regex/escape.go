package regex

import (
	"strings"
	"unicode"
)

// escape parses the backslash at p.i outside a class.
func (p *parser) escape() (*node, error) {
	if p.i+1 >= len(p.s) {
		return nil, p.errAt(len(p.s), `\ at end of pattern`)
	}
	c := p.s[p.i+1]
	if s := p.escapeClass(c); s != nil {
		p.i += 2
		return &node{op: opSet, set: s}, nil
	}
	if o, ok := simpleEscape(c); ok {
		p.i += 2
		return &node{op: o}, nil
	}
	switch c {
	case 'N':
		if p.i+2 < len(p.s) && p.s[p.i+2] == '{' {
			if strings.HasPrefix(p.s[p.i+2:], "{U+") && p.is2() {
				return p.codePoint()
			}
			if _, _, _, ok := (&parser{s: p.s, i: p.i + 2}).braces(); !ok {
				return nil, p.errIn(p.i+1, p.i+2, noCaseEscapes)
			}
		}
		p.i += 2
		return &node{op: opAnyNoNL}, nil
	case 'X':
		return nil, p.errAt(p.i+2, `\X is not supported`)
	case 'p', 'P':
		p.i++
		s := &set{}
		if err := p.property(s); err != nil {
			return nil, err
		}
		s.normalize()
		return &node{op: opSet, set: s}, nil
	case 'g':
		p.i += 2
		return p.escapeG()
	case 'k':
		p.i += 2
		return p.escapeK()
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if n := p.digitRef(); n != nil {
			return n, nil
		}
		if c >= '8' {
			p.i++
			return p.lit(p.next()), nil
		}
		p.i++
		r, err := p.octal()
		if err != nil {
			return nil, err
		}
		return p.lit(r), nil
	}
	r, err := p.charEscape()
	if err != nil {
		return nil, err
	}
	return p.lit(r), nil
}

// codePoint reads \N{U+hhhh}, which PCRE 2 has.
func (p *parser) codePoint() (*node, error) {
	if p.flags&UTF8 == 0 {
		return nil, p.errAt(p.i+2, `\N{U+dddd} is supported only in Unicode (UTF) mode`)
	}
	p.i += len(`\N{U+`)
	r, err := p.bracedNumber(16, `non-hex character in \x{} (closing brace missing?)`)
	if err != nil {
		return nil, err
	}
	return p.lit(r), nil
}

const noCaseEscapes = `PCRE does not support \L, \l, \N{name}, \U, or \u`

func simpleEscape(c byte) (op, bool) {
	switch c {
	case 'b':
		return opWordB, true
	case 'B':
		return opNotWordB, true
	case 'A':
		return opBegin, true
	case 'Z':
		return opEndNL, true
	case 'z':
		return opEnd, true
	case 'G':
		return opStart, true
	case 'K':
		return opKeep, true
	case 'R':
		return opNewlineSeq, true
	case 'C':
		return opByte, true
	}
	return 0, false
}

// digitRef reads \1 to \7, or any \n with n groups seen, as a back reference; to PCRE 2
// those that begin with 8 or 9 are nothing else.
func (p *parser) digitRef() *node {
	start := p.i
	p.i++
	v, _ := p.number()
	if v >= 8 && v > p.ngroups && !(p.is2() && (v < 10 || p.s[start+1] >= '8')) {
		p.i = start
		return nil
	}
	return p.numberedRef(v)
}

// octal reads up to three octal digits at p.i.
func (p *parser) octal() (rune, error) {
	v := rune(0)
	for n := 3; n > 0 && p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '7'; n-- {
		v = v*8 + rune(p.s[p.i]-'0')
		p.i++
	}
	if v > p.top() {
		return 0, p.errIn(p.i-1, p.i, `octal value is greater than \377 in 8-bit non-UTF-8 mode`)
	}
	return v, nil
}

// escapeG reads what follows \g: a back reference, or with < or ' a call.
func (p *parser) escapeG() (*node, error) {
	if p.i < len(p.s) && (p.s[p.i] == '<' || p.s[p.i] == '\'') {
		term := byte('>')
		if p.s[p.i] == '\'' {
			term = '\''
		}
		end := strings.IndexByte(p.s[p.i+1:], term)
		if rest := p.s[p.i+1:]; end < 0 && (rest == "" || isWordByte(rest[0]) && (rest[0] < '0' || rest[0] > '9')) {
			p.i++
			if rest == "" {
				return nil, p.errAt(p.i, missingName)
			}
			_, err := p.groupName(term, false)
			return nil, err
		}
		if end < 0 {
			return nil, p.errAt(p.i, `\g is not followed by a braced, angle-bracketed, or quoted name/number or by a plain number`)
		}
		sub := &parser{s: "(?" + p.s[p.i+1:p.i+1+end] + ")", flags: p.flags, ngroups: p.ngroups, i: 2}
		if c := sub.s[2]; c != '+' && c != '-' && (c < '0' || c > '9') {
			sub.s = "(?&" + sub.s[2:]
		}
		n, err := sub.call()
		if err != nil {
			at := p.i + 1 + end
			if p.is2() {
				at = p.i
			}
			return nil, p.errAt(at, sub.unword(err))
		}
		at2 := p.i + 1 + end
		if n.name != "" {
			at2 -= len(n.name)
		}
		p.i += end + 2
		return p.reference(n, p.i-1, at2), nil
	}
	start := p.i
	braced := p.accept("{")
	neg := p.accept("-")
	forward := p.is2() && !neg && p.accept("+")
	v, ok := p.number()
	switch {
	case ok:
		if neg {
			v = p.ngroups - v + 1
		}
		if forward {
			v += p.ngroups
		}
		if v <= 0 && neg {
			if braced {
				return nil, p.errIn(p.i, start, noSuchGroup)
			}
			return nil, p.errIn(p.i-1, p.i, noSuchGroup)
		}
		if v <= 0 {
			return nil, p.badZero(braced)
		}
		if braced && !p.accept("}") {
			return nil, p.errAt(p.i, `\g is not followed by a braced, angle-bracketed, or quoted name/number or by a plain number`)
		}
		return p.numberedRef(v), nil
	case braced && !neg && !p.is2() && p.i >= len(p.s):
		return nil, p.errAt(p.i, badNumbered)
	case braced && !neg && !p.is2() && p.s[p.i] == '}':
		return nil, p.errAt(p.i, mustNotBeZero)
	case braced && !neg && !p.is2() && !isWordByte(p.s[p.i]):
		return nil, p.errAt(p.i, missingName)
	case braced && !neg:
		name, err := p.groupName('}', false)
		if err != nil {
			return nil, err
		}
		return p.reference(&node{op: opBackref, name: name}, p.i-1, p.i-1-len(name)), nil
	}
	return nil, p.either(p.i-1, mustNotBeZero, p.i, badNumbered)
}

const mustNotBeZero = "a numbered reference must not be zero"

// badZero is the error of \g0 and \g{0}, behind the digits.
func (p *parser) badZero(braced bool) error {
	if braced {
		return p.either(p.i, mustNotBeZero, p.i+1, noSuchGroup)
	}
	return p.either(p.i-1, mustNotBeZero, p.i, noSuchGroup)
}

// unword gives PCRE 1's words back, which the caller of a parser of its own words again.
func (p *parser) unword(err error) string {
	for msg, msg2 := range pcre2Texts {
		if p.is2() && msg2 == err.Error() {
			return msg
		}
	}
	return err.Error()
}

// escapeK reads the name after \k.
func (p *parser) escapeK() (*node, error) {
	var term byte
	switch {
	case p.accept("<"):
		term = '>'
	case p.accept("'"):
		term = '\''
	case p.accept("{"):
		term = '}'
	default:
		return nil, p.errIn(p.i-1, p.i, `\k is not followed by a braced, angle-bracketed, or quoted name`)
	}
	name, err := p.groupName(term, false)
	if err != nil {
		return nil, err
	}
	return p.reference(&node{op: opBackref, name: name}, p.i-1, p.i-1-len(name)), nil
}

// charEscape reads an escape that stands for one character, at the backslash.
func (p *parser) charEscape() (rune, error) {
	p.i++
	c := p.s[p.i]
	if !isWordByte(c) || c == '_' {
		return p.next(), nil
	}
	p.i++
	switch c {
	case 'a':
		return '\a', nil
	case 'e':
		return 0x1B, nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '0':
		p.i--
		return p.octal()
	case 'o':
		if p.i >= len(p.s) || p.s[p.i] != '{' {
			return 0, p.errAt(p.i-1, `missing opening brace after \o`)
		}
		p.i++
		return p.bracedNumber(8, `non-octal character in \o{} (closing brace missing?)`)
	case 'x':
		return p.hexEscape()
	case 'c':
		if p.i >= len(p.s) {
			return 0, p.errAt(p.i, `\c at end of pattern`)
		}
		if p.s[p.i] >= 0x80 {
			return 0, p.errAt(p.i, `\c must be followed by an ASCII character`)
		}
		p.i++
		return rune(upperByte(p.s[p.i-1]) ^ 0x40), nil
	case 'L', 'l', 'N', 'U', 'u':
		if c == 'u' && p.flags&JavaScript != 0 {
			return p.javaScriptU(), nil
		}
		return 0, p.errIn(p.i-1, p.i, noCaseEscapes)
	case 'F':
		if p.is2() {
			return 0, p.errAt(p.i, noCaseEscapes)
		}
	}
	if p.is2() && (c < '0' || c > '9') {
		return 0, p.errAt(p.i-1, unknownEscape)
	}
	return rune(c), nil // to PCRE 1 an escaped letter without a meaning is that letter
}

func upperByte(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 0x20
	}
	return c
}

func hexVal(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// fixedHex reads exactly n hex digits at p.i, if they are there.
func (p *parser) fixedHex(n int) (rune, bool) {
	v := 0
	for k := range n {
		if p.i+k >= len(p.s) || hexVal(p.s[p.i+k]) < 0 {
			return 0, false
		}
		v = v*16 + hexVal(p.s[p.i+k])
	}
	p.i += n
	return rune(v), true
}

// javaScriptU reads \uhhhh; \u without four digits is the letter.
func (p *parser) javaScriptU() rune {
	if v, ok := p.fixedHex(4); ok {
		return v
	}
	return 'u'
}

// hexEscape reads \xhh or \x{h...}, after the x.
func (p *parser) hexEscape() (rune, error) {
	if p.flags&JavaScript != 0 {
		if v, ok := p.fixedHex(2); ok {
			return v, nil
		}
		return 'x', nil
	}
	if p.accept("{") {
		return p.bracedNumber(16, `non-hex character in \x{} (closing brace missing?)`)
	}
	v := 0
	for range 2 {
		if p.i >= len(p.s) || hexVal(p.s[p.i]) < 0 {
			break
		}
		v = v*16 + hexVal(p.s[p.i])
		p.i++
	}
	return rune(v), nil
}

// bracedNumber reads digits in base up to '}'.
func (p *parser) bracedNumber(base int, bad string) (rune, error) {
	v, start := 0, p.i
	for p.i < len(p.s) && p.s[p.i] != '}' {
		d := hexVal(p.s[p.i])
		if d < 0 || d >= base {
			return 0, p.errAt(p.i, bad)
		}
		v = min(v*base+d, 1<<24)
		p.i++
	}
	if p.i == start && p.i < len(p.s) {
		return 0, p.either(p.i, missingDigits1, p.i, missingDigits)
	}
	if p.i == start {
		return 0, p.either(p.i, bad, p.i, missingDigits)
	}
	if p.i >= len(p.s) {
		return 0, p.errIn(p.i, p.i-1, bad)
	}
	if p.flags&UTF8 != 0 && v >= 0xD800 && v <= 0xDFFF {
		return 0, p.errAt(p.i, "disallowed Unicode code point (>= 0xd800 && <= 0xdfff)")
	}
	if rune(v) > p.top() {
		return 0, p.errAt(p.i, `character value in \x{} or \o{} is too large`)
	}
	p.i++
	return rune(v), nil
}

// property adds \p{Name} or \P{Name}; p.i is at the p.
func (p *parser) property(c *set) error {
	neg := p.s[p.i] == 'P'
	p.i++
	if p.i >= len(p.s) {
		return p.errAt(p.i, `malformed \P or \p sequence`)
	}
	var name string
	if p.s[p.i] == '{' {
		end := strings.IndexByte(p.s[p.i:], '}')
		if end < 0 {
			return p.errAt(len(p.s), `malformed \P or \p sequence`)
		}
		name = p.s[p.i+1 : p.i+end]
		p.i += end + 1
		if strings.HasPrefix(name, "^") {
			neg, name = !neg, name[1:]
		}
	} else {
		name = p.s[p.i : p.i+1]
		p.i++
	}
	s, ok := propertySet(name)
	if !ok {
		return p.errIn(p.i-1, p.i, `unknown property name after \P or \p`)
	}
	s.normalize()
	if neg {
		s.negate(unicode.MaxRune)
	}
	top := p.top()
	for _, r := range s.ranges {
		if r[0] <= top {
			c.add(r[0], min(r[1], top))
		}
	}
	return nil
}

// propertySet gives the characters of a Unicode category or script.
func propertySet(name string) (*set, bool) {
	s := &set{}
	if name == "Any" {
		s.add(0, unicode.MaxRune)
		return s, true
	}
	var tables []*unicode.RangeTable
	switch name {
	case "L&":
		tables = append(tables, unicode.Lu, unicode.Ll, unicode.Lt)
	case "Xan":
		tables = append(tables, unicode.L, unicode.N)
	case "Xwd":
		tables = append(tables, unicode.L, unicode.N)
		s.add('_', '_')
	case "Xsp", "Xps":
		tables = append(tables, unicode.Z)
		s.add('\t', '\r')
	default:
		t, ok := unicode.Categories[name]
		if !ok {
			t, ok = unicode.Scripts[name]
		}
		if !ok {
			return nil, false
		}
		tables = append(tables, t)
	}
	for _, t := range tables {
		for _, r := range t.R16 {
			addStride(s, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			addStride(s, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return s, true
}

func addStride(s *set, lo, hi, stride rune) {
	if stride == 1 {
		s.add(lo, hi)
		return
	}
	for r := lo; r <= hi; r += stride {
		s.add(r, r)
	}
}
