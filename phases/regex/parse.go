package regex

import (
	"unicode/utf8"
)

const maxDepth = 250 // PCRE's default limit on nested parentheses

// parser reads one pattern.
type parser struct {
	s     string
	i     int
	flags Flags
	depth int

	ngroups int
	groups  []*node // by number, once closed; [0] is the whole pattern
	names   []Name
	refs    []reference // to check at the end
	topRef  int         // the highest back reference by number
	look    *Error      // PCRE 2: a lookbehind that is not of fixed length
	late    error       // an error to report when the references are fine
}

// reference is a back reference, a call or a condition.
type reference struct {
	n        *node
	at, at2  int  // the offset to report in PCRE 1 and 2
	numbered bool // a back reference by number: PCRE 1 checks the highest one alone
}

// next takes one character: a byte, or with UTF8 a rune.
func (p *parser) next() rune {
	if p.flags&UTF8 == 0 || p.s[p.i] < utf8.RuneSelf {
		p.i++
		return rune(p.s[p.i-1])
	}
	r, n := utf8.DecodeRuneInString(p.s[p.i:])
	p.i += n
	return r
}

// parse reads the whole pattern.
func parse(s string, flags Flags) (*parser, *node, error) {
	p := &parser{s: s, flags: flags, groups: []*node{nil}}
	p.startOptions()
	n, err := p.alternation()
	if err != nil {
		return nil, nil, err
	}
	if p.i < len(s) {
		return nil, nil, p.errAt(p.i, "unmatched parentheses")
	}
	p.groups[0] = n
	if err := p.checkRefs(); err != nil {
		return nil, nil, err
	}
	return p, n, nil
}

// startOptions reads (*UTF8) and its like at the start of the pattern.
func (p *parser) startOptions() {
	for {
		switch {
		case p.accept("(*UTF8)"), p.accept("(*UTF)"):
			p.flags |= UTF8
		case p.accept("(*LF)"), p.accept("(*NO_START_OPT)"), p.accept("(*NO_AUTO_POSSESS)"):
		default:
			return
		}
	}
}

func (p *parser) accept(lit string) bool {
	if len(p.s)-p.i >= len(lit) && p.s[p.i:p.i+len(lit)] == lit {
		p.i += len(lit)
		return true
	}
	return false
}

func (p *parser) checkRefs() error {
	if p.look != nil {
		return p.look
	}
	for _, r := range p.refs {
		if r.numbered && !p.is2() {
			continue
		}
		n := r.n
		if n.name != "" {
			g, ok := p.groupNamed(n.name)
			if !ok {
				return p.errIn(r.at, r.at2, noSuchGroup)
			}
			n.ref = g
		}
		if n.ref > p.ngroups {
			return p.errIn(r.at, r.at2, noSuchGroup)
		}
	}
	if p.topRef > p.ngroups {
		return p.errAt(len(p.s), noSuchGroup)
	}
	return p.late
}

const noSuchGroup = "reference to non-existent subpattern"

func (p *parser) groupNamed(name string) (int, bool) {
	for _, n := range p.names {
		if n.Name == name {
			return n.Group, true
		}
	}
	return 0, false
}

// alternation reads up to the closing ')' or the end. Option settings inside
// hold to the end of the group.
func (p *parser) alternation() (*node, error) {
	saved := p.flags
	defer func() { p.flags = saved }()
	alt := &node{op: opAlt}
	for {
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		alt.subs = append(alt.subs, n)
		if p.i >= len(p.s) || p.s[p.i] != '|' {
			break
		}
		p.i++
	}
	if len(alt.subs) == 1 {
		return alt.subs[0], nil
	}
	return alt, nil
}

// sequence reads atoms with their quantifiers up to '|', ')' or the end.
func (p *parser) sequence() (*node, error) {
	cat := &node{op: opCat}
	canRepeat := false
	for p.i < len(p.s) {
		if p.skipExtended() {
			continue
		}
		switch p.s[p.i] {
		case '|', ')':
			return cat, nil
		case '*', '+', '?':
			if !canRepeat {
				return nil, p.errAt(p.i, "nothing to repeat")
			}
			if err := p.quantify(cat); err != nil {
				return nil, err
			}
			canRepeat = false
			continue
		case '{':
			if _, _, _, ok := p.braces(); ok {
				if !canRepeat {
					_, _, end, _ := p.braces()
					return nil, p.errAt(end-1, "nothing to repeat")
				}
				if err := p.quantify(cat); err != nil {
					return nil, err
				}
				canRepeat = false
				continue
			}
		}
		if p.accept(`\Q`) {
			p.quoted(cat)
			canRepeat = canRepeat || len(cat.subs) > 0
			continue
		}
		if p.accept(`\E`) {
			continue
		}
		n, err := p.atom()
		if err != nil {
			return nil, err
		}
		if n != nil {
			cat.subs = append(cat.subs, n)
			canRepeat = n.op < opKeep // the assertions after it take no quantifier
		}
	}
	return cat, nil
}

// quoted reads the literal text after \Q.
func (p *parser) quoted(cat *node) {
	for p.i < len(p.s) && !p.accept(`\E`) {
		cat.subs = append(cat.subs, p.lit(p.next()))
	}
}

// skipExtended steps over white space and comments under the x option.
func (p *parser) skipExtended() bool {
	if p.flags&Extended == 0 {
		return false
	}
	switch p.s[p.i] {
	case ' ', '\t', '\n', '\v', '\f', '\r':
		p.i++
		return true
	case '#':
		for p.i < len(p.s) && p.s[p.i] != '\n' {
			p.i++
		}
		return true
	}
	return false
}

func (p *parser) lit(r rune) *node {
	return &node{op: opLit, r: r, fold: p.flags&Caseless != 0}
}

// braces reads {n}, {n,} or {n,m} at p.i without moving; anything else is text.
func (p *parser) braces() (lo, hi, end int, ok bool) {
	j := p.i + 1
	num := func() (int, bool) {
		v, start := 0, j
		for j < len(p.s) && p.s[j] >= '0' && p.s[j] <= '9' {
			v = min(v*10+int(p.s[j]-'0'), 1<<20)
			j++
		}
		return v, j > start
	}
	if lo, ok = num(); !ok {
		return 0, 0, 0, false
	}
	hi = lo
	if j < len(p.s) && p.s[j] == ',' {
		j++
		if hi, ok = num(); !ok {
			hi = -1
		}
	}
	if j >= len(p.s) || p.s[j] != '}' {
		return 0, 0, 0, false
	}
	return lo, hi, j + 1, true
}

// quantify wraps the last atom of cat in the quantifier at p.i.
func (p *parser) quantify(cat *node) error {
	n := &node{op: opRepeat, max: -1}
	switch p.s[p.i] {
	case '*':
	case '+':
		n.min = 1
	case '?':
		n.max = 1
	default:
		lo, hi, end, _ := p.braces()
		if lo > 65535 || hi > 65535 {
			return p.errAt(end-1, "number too big in {} quantifier")
		}
		if hi >= 0 && hi < lo {
			return p.errAt(end-1, "numbers out of order in {} quantifier")
		}
		n.min, n.max = lo, hi
		p.i = end - 1
	}
	p.i++
	n.lazy = p.flags&Ungreedy != 0
	if p.i < len(p.s) {
		switch p.s[p.i] {
		case '?':
			n.lazy = !n.lazy
			p.i++
		case '+':
			n.poss, n.lazy = true, false
			p.i++
		}
	}
	last := len(cat.subs) - 1
	if last < 0 {
		return nil
	}
	n.subs = []*node{cat.subs[last]}
	cat.subs[last] = n
	return nil
}

// atom reads one atom; nil when it only set options or was a comment.
func (p *parser) atom() (*node, error) {
	switch c := p.s[p.i]; c {
	case '^':
		p.i++
		if p.flags&Multiline != 0 {
			return &node{op: opBeginLine}, nil
		}
		return &node{op: opBegin}, nil
	case '$':
		p.i++
		switch {
		case p.flags&Multiline != 0:
			return &node{op: opEndLine}, nil
		case p.flags&DollarEndOnly != 0:
			return &node{op: opEnd}, nil
		}
		return &node{op: opEndNL}, nil
	case '.':
		p.i++
		if p.flags&DotAll != 0 {
			return &node{op: opAny}, nil
		}
		return &node{op: opAnyNoNL}, nil
	case '[':
		return p.class()
	case '(':
		return p.group()
	case '\\':
		return p.escape()
	}
	return p.lit(p.next()), nil
}
