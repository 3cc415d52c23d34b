package regex

import (
	"strconv"
	"strings"
)

// highByte is added to a byte above 0x7F when a pattern works on bytes. The
// private use area has no case, no digits and no word characters, which is how
// PCRE sees these bytes in the C locale.
const highByte = 0xE000

// printer writes a parsed pattern in the dialect of regexp2.
type printer struct {
	strings.Builder
	p     *parser
	calls []int // groups being expanded for opCall
	err   error
}

// print gives the regexp2 pattern of n. Every group carries its number, since
// regexp2 would number named groups after the others.
func print(p *parser, n *node) (string, error) {
	w := &printer{p: p}
	if p.flags&Anchored != 0 {
		w.WriteString(`\G(?:`)
		w.node(n)
		w.WriteByte(')')
	} else {
		w.node(n)
	}
	return w.String(), w.err
}

func (w *printer) fail(what string) {
	if w.err == nil {
		w.err = &Error{Msg: what + " is not supported", At: len(w.p.s)}
	}
}

func (w *printer) utf() bool { return w.p.flags&UTF8 != 0 }

var fixedText = map[op]string{
	opAny:       `(?s:.)`,
	opAnyNoNL:   `[^\n]`,
	opBegin:     `\A`,
	opBeginLine: `(?m:^)(?:\A|(?!\z))`, // not after a newline that ends the subject
	opEnd:       `\z`,
	opEndNL:     `\Z`,
	opEndLine:   `(?m:$)`,
	opStart:     `\G`,
}

const (
	wordSet   = `[0-9A-Z_a-z]`
	wordB     = `(?:(?<=` + wordSet + `)(?!` + wordSet + `)|(?<!` + wordSet + `)(?=` + wordSet + `))`
	notWordB  = `(?:(?<=` + wordSet + `)(?=` + wordSet + `)|(?<!` + wordSet + `)(?!` + wordSet + `))`
	nlBytes   = "(?>\\r\\n|[\\n\\v\\f\\r\uE085])"
	nlUnicode = "(?>\\r\\n|[\\n\\v\\f\\r\u0085\u2028\u2029])"
)

func (w *printer) node(n *node) {
	if text, ok := fixedText[n.op]; ok {
		w.WriteString(text)
		return
	}
	switch n.op {
	case opLit:
		w.literal(n)
	case opSet:
		w.set(n)
	case opByte:
		if w.utf() {
			w.fail(`\C with the u option`)
		}
		w.WriteString(fixedText[opAny])
	case opNewlineSeq:
		if w.utf() {
			w.WriteString(nlUnicode)
		} else {
			w.WriteString(nlBytes)
		}
	case opCat:
		w.cat(n)
	case opAlt:
		w.WriteString("(?:")
		w.alternatives(n)
		w.WriteByte(')')
	case opGroup:
		if len(w.calls) > 0 { // captures made inside a call are dropped when it returns
			w.WriteString("(?:")
		} else {
			w.WriteString("(?<" + strconv.Itoa(n.ref) + ">")
		}
		w.alternatives(n.subs[0])
		w.WriteByte(')')
	case opAtomic:
		w.wrap("(?>", n.subs[0])
	case opLook:
		w.wrap(lookPrefix(n), n.subs[0])
	case opRepeat:
		w.repeat(n)
	case opBackref:
		w.backref(n)
	case opCall:
		w.call(n)
	case opCond:
		w.cond(n)
	case opKeep:
		w.WriteString("(?<" + strconv.Itoa(w.p.ngroups+1) + ">)")
	case opWordB:
		if w.utf() {
			w.WriteString(wordB)
		} else {
			w.WriteString(`\b`)
		}
	case opNotWordB:
		if w.utf() {
			w.WriteString(notWordB)
		} else {
			w.WriteString(`\B`)
		}
	}
}

func lookPrefix(n *node) string {
	switch {
	case n.behind && n.neg:
		return "(?<!"
	case n.behind:
		return "(?<="
	case n.neg:
		return "(?!"
	}
	return "(?="
}

func (w *printer) wrap(open string, n *node) {
	w.WriteString(open)
	w.alternatives(n)
	w.WriteByte(')')
}

// alternatives writes the inside of a group.
func (w *printer) alternatives(n *node) {
	if n.op != opAlt {
		w.node(n)
		return
	}
	for i, s := range n.subs {
		if i > 0 {
			w.WriteByte('|')
		}
		w.node(s)
	}
}

// cat writes a sequence, with runs of letters under one (?i:...).
func (w *printer) cat(n *node) {
	for i := 0; i < len(n.subs); i++ {
		if n.subs[i].op != opLit || !n.subs[i].fold {
			w.node(n.subs[i])
			continue
		}
		w.WriteString("(?i:")
		for ; i < len(n.subs) && n.subs[i].op == opLit && n.subs[i].fold; i++ {
			w.char(n.subs[i].r)
		}
		i--
		w.WriteByte(')')
	}
}

func (w *printer) literal(n *node) {
	if n.fold {
		w.WriteString("(?i:")
		w.char(n.r)
		w.WriteByte(')')
		return
	}
	w.char(n.r)
}

func (w *printer) mapped(r rune) rune {
	if r >= 0x80 && !w.utf() {
		return r + highByte
	}
	return r
}

func (w *printer) char(r rune) {
	if r < 0x80 && strings.IndexByte(`\*+?|{}[]()^$.# `, byte(r)) >= 0 {
		w.WriteByte('\\')
	}
	w.WriteRune(w.mapped(r))
}

func (w *printer) classChar(r rune) {
	switch r {
	case '-': // regexp2 does not take an escaped hyphen as the start of a range
		w.WriteString(`\x2D`)
		return
	case '\\', '[', ']', '^':
		w.WriteByte('\\')
	}
	w.WriteRune(w.mapped(r))
}

func (w *printer) set(n *node) {
	if len(n.set.ranges) == 0 {
		if n.neg {
			w.WriteString(fixedText[opAny])
		} else {
			w.WriteString("(?!)")
		}
		return
	}
	if n.fold {
		w.WriteString("(?i:")
		defer w.WriteByte(')')
	}
	w.WriteByte('[')
	if n.neg {
		w.WriteByte('^')
	}
	for _, r := range n.set.ranges {
		if r[0] < 0x80 && r[1] >= 0x80 { // the mapping of high bytes breaks the range
			w.classRange(r[0], 0x7F)
			r[0] = 0x80
		}
		w.classRange(r[0], r[1])
	}
	w.WriteByte(']')
}

func (w *printer) classRange(lo, hi rune) {
	w.classChar(lo)
	if hi > lo {
		w.WriteByte('-')
		w.classChar(hi)
	}
}

func (w *printer) repeat(n *node) {
	sub := n.subs[0]
	switch sub.op {
	case opGroup, opAtomic, opAnyNoNL, opAny:
		w.node(sub)
	case opSet:
		w.node(sub)
	default:
		w.WriteString("(?:")
		w.alternatives(sub)
		w.WriteByte(')')
	}
	switch {
	case n.min == 0 && n.max < 0:
		w.WriteByte('*')
	case n.min == 1 && n.max < 0:
		w.WriteByte('+')
	case n.min == 0 && n.max == 1:
		w.WriteByte('?')
	case n.max < 0:
		w.WriteString("{" + strconv.Itoa(n.min) + ",}")
	default:
		w.WriteString("{" + strconv.Itoa(n.min) + "," + strconv.Itoa(n.max) + "}")
	}
	switch {
	case n.lazy:
		w.WriteByte('?')
	case n.poss:
		w.WriteByte('+')
	}
}

func (w *printer) backref(n *node) {
	refs := []int{n.ref}
	if n.name != "" { // duplicate names: the first one that is set
		refs = refs[:0]
		for _, g := range w.p.names {
			if g.Name == n.name {
				refs = append(refs, g.Group)
			}
		}
	}
	if n.fold {
		w.WriteString("(?i:")
		defer w.WriteByte(')')
	}
	for i, r := range refs {
		ref := strconv.Itoa(r)
		if i+1 < len(refs) {
			w.WriteString("(?(" + ref + ")\\k<" + ref + ">|")
			defer w.WriteByte(')')
			continue
		}
		w.WriteString("\\k<" + ref + ">")
	}
}

// call expands a group's pattern in place. PCRE treats a call as atomic. A
// group that calls itself cannot be expanded.
func (w *printer) call(n *node) {
	for _, c := range w.calls {
		if c == n.ref {
			w.fail("recursion in a pattern")
			return
		}
	}
	if n.ref == 0 || n.ref >= len(w.p.groups) || w.p.groups[n.ref] == nil || len(w.calls) > 20 {
		w.fail("recursion in a pattern")
		return
	}
	w.calls = append(w.calls, n.ref)
	w.wrap("(?>", w.p.groups[n.ref])
	w.calls = w.calls[:len(w.calls)-1]
}

func (w *printer) cond(n *node) {
	yes, no := n.subs[1], n.subs[2]
	if no == nil {
		no = &node{op: opEmpty}
	}
	if test := n.subs[0]; test != nil {
		negated := *test
		negated.neg = !test.neg
		w.WriteString("(?:")
		w.node(test)
		w.node(yes)
		w.WriteByte('|')
		w.node(&negated)
		w.node(no)
		w.WriteByte(')')
		return
	}
	w.WriteString("(?(" + strconv.Itoa(n.ref) + ")")
	w.node(yes)
	w.WriteByte('|')
	w.node(no)
	w.WriteByte(')')
}
