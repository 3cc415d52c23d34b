package regex

// rangesOf gives a fresh set of the ranges in s: pairs of characters, first and last.
func rangesOf(s string) *set {
	c := &set{}
	r := []rune(s)
	for i := 0; i+1 < len(r); i += 2 {
		c.add(r[i], r[i+1])
	}
	return c
}

// posixClasses are the C locale's [:name:] classes, as pairs for rangesOf.
var posixClasses = map[string]string{
	"alpha":  "AZaz",
	"lower":  "az",
	"upper":  "AZ",
	"alnum":  "09AZaz",
	"ascii":  "\x00\x7f",
	"blank":  "\t\t  ",
	"cntrl":  "\x00\x1f\x7f\x7f",
	"digit":  "09",
	"graph":  "!~",
	"print":  " ~",
	"punct":  "!/:@[`{~",
	"space":  "\t\r  ",
	"word":   "09AZ__az",
	"xdigit": "09AFaf",
}

// escapeClasses are the sets behind \d \s \w \h \v; the upper case letter is the rest.
var escapeClasses = map[byte]string{
	'd': "09",
	's': "\t\r  ",
	'w': "09AZ__az",
	'h': "\t\t  \u00a0\u00a0\u1680\u1680\u180e\u180e\u2000\u200a\u202f\u202f\u205f\u205f\u3000\u3000",
	'v': "\n\r\u0085\u0085\u2028\u2029",
}

// top is the last character a subject of this pattern can hold.
func (p *parser) top() rune {
	if p.flags&UTF8 != 0 {
		return 0x10FFFF
	}
	return 0xFF
}

// escapeClass gives the set of \d \D \s ..., or nil when c names none.
func (p *parser) escapeClass(c byte) *set {
	lower := c | 0x20
	pairs, ok := escapeClasses[lower]
	if !ok {
		return nil
	}
	s := rangesOf(pairs)
	if p.flags&UTF8 == 0 {
		for len(s.ranges) > 0 && s.ranges[len(s.ranges)-1][0] > 0xFF {
			s.ranges = s.ranges[:len(s.ranges)-1]
		}
	}
	s.normalize()
	if c != lower {
		s.negate(p.top())
	}
	return s
}

// posixAt tells whether a [:name:] (or [.x.], [=x=]) starts at p.i, which is at
// the inner '[', and where its terminator is.
func (p *parser) posixAt() (end int, ok bool) {
	if p.i+1 >= len(p.s) {
		return 0, false
	}
	t := p.s[p.i+1]
	if t != ':' && t != '.' && t != '=' {
		return 0, false
	}
	for j := p.i + 2; j+1 < len(p.s); j++ {
		switch {
		case p.s[j] == t && p.s[j+1] == ']':
			return j, true
		case p.s[j] == ']', p.s[j] == '\\', p.s[j] == '[' && p.s[j+1] == t:
			return 0, false
		}
	}
	return 0, false
}

// class parses a [...] whose '[' is at p.i.
func (p *parser) class() (*node, error) {
	if end, ok := p.posixAt(); ok {
		if p.s[p.i+1] == ':' {
			return nil, p.errAt(p.i, "POSIX named classes are supported only within a class")
		}
		_ = end
		return nil, p.errAt(p.i, "POSIX collating elements are not supported")
	}
	p.i++
	neg := false
	if p.i < len(p.s) && p.s[p.i] == '^' {
		neg = true
		p.i++
	}
	c := &set{}
	if p.i < len(p.s) && p.s[p.i] == ']' && p.flags&JavaScript != 0 {
		p.i++
	} else if err := p.classItems(c); err != nil {
		return nil, err
	}
	fold := p.flags&Caseless != 0
	if fold && p.flags&UTF8 == 0 {
		c.foldASCII()
		fold = false
	}
	c.normalize()
	if neg && !fold {
		c.negate(p.top())
		neg = false
	}
	return &node{op: opSet, set: c, fold: fold, neg: neg}, nil
}

// classItems reads up to and over the closing ']'.
func (p *parser) classItems(c *set) error {
	quoted := false
	for first := true; ; first = false {
		if p.i >= len(p.s) {
			return p.errAt(p.i, "missing terminating ] for character class")
		}
		if quoted, first = p.classQuote(quoted, first); p.i >= len(p.s) {
			continue
		}
		if p.s[p.i] == ']' && !first && !quoted {
			p.i++
			return nil
		}
		if p.s[p.i] == '[' && !quoted {
			done, err := p.posixItem(c)
			if err != nil {
				return err
			}
			if done && p.is2() && p.i+1 < len(p.s) && p.s[p.i] == '-' && p.s[p.i+1] != ']' {
				return p.errAt(p.i, badRange)
			}
			if done {
				continue
			}
		}
		lo, isSet, err := p.classChar(c, quoted)
		if err != nil {
			return err
		}
		if quoted || p.i+1 >= len(p.s) || p.s[p.i] != '-' || p.s[p.i+1] == ']' {
			if !isSet {
				c.add(lo, lo)
			}
			continue
		}
		if isSet && p.is2() {
			return p.errAt(p.i, badRange)
		}
		if isSet { // a hyphen after \d or [:x:] stands for itself
			continue
		}
		if err := p.classRange(c, lo); err != nil {
			return err
		}
	}
}

// classQuote steps over \Q and \E inside a class.
func (p *parser) classQuote(quoted, first bool) (bool, bool) {
	for p.i+1 < len(p.s) && p.s[p.i] == '\\' {
		switch {
		case p.s[p.i+1] == 'E':
			quoted = false
		case p.s[p.i+1] == 'Q' && !quoted:
			quoted = true
		default:
			return quoted, first
		}
		p.i += 2
	}
	return quoted, first
}

// posixItem adds a [:name:] at p.i.
func (p *parser) posixItem(c *set) (done bool, err error) {
	end, ok := p.posixAt()
	if !ok {
		return false, nil
	}
	if p.s[p.i+1] != ':' {
		return false, p.errAt(p.i, "POSIX collating elements are not supported")
	}
	name := p.s[p.i+2 : end]
	neg := false
	if name != "" && name[0] == '^' {
		neg, name = true, name[1:]
	}
	pairs, ok := posixClasses[name]
	if !ok {
		at := p.i + 2
		if neg {
			at++
		}
		return false, p.errAt(at, "unknown POSIX class name")
	}
	if p.flags&Caseless != 0 && (name == "upper" || name == "lower") {
		pairs = posixClasses["alpha"]
	}
	s := rangesOf(pairs)
	if neg {
		s.normalize()
		s.negate(p.top())
	}
	c.addSet(s)
	p.i = end + 2
	return true, nil
}

const badRange = "invalid range in character class"

// classRange reads "-hi" after lo.
func (p *parser) classRange(c *set, lo rune) error {
	p.i++
	at := p.i
	if p.s[p.i] == '[' {
		if _, ok := p.posixAt(); ok {
			return p.errIn(p.i, p.i+1, badRange)
		}
	}
	var none set
	hi, isSet, err := p.classChar(&none, false)
	if err != nil {
		return err
	}
	if isSet {
		return p.errIn(at+1, at+2, badRange)
	}
	if hi < lo {
		return p.errAt(p.i-1, "range out of order in character class")
	}
	c.add(lo, hi)
	return nil
}

// classChar reads one character or escape of a class; a class escape goes to c.
func (p *parser) classChar(c *set, quoted bool) (r rune, isSet bool, err error) {
	if p.s[p.i] != '\\' || quoted {
		return p.next(), false, nil
	}
	start := p.i
	p.i++
	if p.i >= len(p.s) {
		return 0, false, p.errAt(p.i, `\ at end of pattern`)
	}
	e := p.s[p.i]
	if e == 'b' {
		p.i++
		return '\b', false, nil
	}
	if s := p.escapeClass(e); s != nil {
		p.i++
		c.addSet(s)
		return 0, true, nil
	}
	switch e {
	case 'N':
		return 0, false, p.errIn(p.i, p.i+1, `\N is not supported in a class`)
	case 'C', 'R', 'X', 'B':
		if p.is2() {
			return 0, false, p.errAt(p.i, "escape sequence is invalid in character class")
		}
	case 'p', 'P':
		return 0, true, p.property(c)
	}
	if e >= '1' && e <= '9' { // no back references here: octal, or the digit itself
		if e >= '8' {
			return p.next(), false, nil
		}
		r, err := p.octal()
		return r, false, err
	}
	p.i = start
	r, err = p.charEscape()
	return r, false, err
}
