package regex

// op is the kind of a pattern node.
type op uint8

const (
	opEmpty      op = iota
	opLit           // the character r
	opSet           // one character of set
	opAny           // any character (fold is unused; set is nil)
	opAnyNoNL       // any character but \n
	opByte          // \C
	opNewlineSeq    // \R
	opCat           // subs one after the other
	opAlt           // the first of subs that leads to a match
	opGroup         // capture number ref
	opAtomic        // (?>...)
	opLook          // lookahead or lookbehind (behind, neg)
	opRepeat        // subs[0], min to max times; max < 0 is no limit
	opBackref       // what capture ref matched
	opCall          // the pattern of group ref again
	opCond          // subs[0] is the test (nil: is group ref set), subs[1] yes, subs[2] no
	opKeep          // \K
	opWordB         // \b
	opNotWordB      // \B
	opBegin         // \A, and ^ without m
	opBeginLine     // ^ with m
	opEnd           // \z, and $ with D
	opEndNL         // \Z, and $ without m
	opEndLine       // $ with m
	opStart         // \G
)

// node is one piece of a parsed pattern.
type node struct {
	op       op
	r        rune
	fold     bool // compare without regard to case
	lazy     bool
	poss     bool
	neg      bool
	behind   bool
	ref      int
	name     string // a reference by name, resolved at the end of the pattern
	min, max int
	set      *set
	subs     []*node
}

// fixedLen gives the number of characters n always takes; ok is false when it
// varies. PCRE wants it of every alternative of a lookbehind.
func (p *parser) fixedLen(n *node, depth int) (length int, ok bool) {
	switch n.op {
	case opLit, opSet, opAny, opAnyNoNL:
		return 1, true
	case opByte, opNewlineSeq, opBackref:
		return 0, false
	case opCat:
		for _, s := range n.subs {
			l, ok := p.fixedLen(s, depth)
			if !ok {
				return 0, false
			}
			length += l
		}
		return length, true
	case opAlt, opCond:
		first := true
		for i, s := range n.subs {
			if s == nil || n.op == opCond && i == 0 {
				continue
			}
			l, ok := p.fixedLen(s, depth)
			if !ok || !first && l != length {
				return 0, false
			}
			length, first = l, false
		}
		return length, true
	case opGroup, opAtomic:
		return p.fixedLen(n.subs[0], depth)
	case opRepeat:
		l, ok := p.fixedLen(n.subs[0], depth)
		return l * n.min, ok && n.min == n.max
	case opCall:
		if depth > 20 || n.ref >= len(p.groups) || p.groups[n.ref] == nil {
			return 0, false
		}
		return p.fixedLen(p.groups[n.ref], depth+1)
	}
	return 0, true
}

// set is a set of characters as sorted ranges without overlap, both ends included.
type set struct {
	ranges [][2]rune
}

func (s *set) add(lo, hi rune) { s.ranges = append(s.ranges, [2]rune{lo, hi}) }

func (s *set) addSet(o *set) { s.ranges = append(s.ranges, o.ranges...) }

// normalize sorts and joins the ranges.
func (s *set) normalize() {
	r := s.ranges
	for i := 1; i < len(r); i++ { // classes are short
		for j := i; j > 0 && r[j][0] < r[j-1][0]; j-- {
			r[j], r[j-1] = r[j-1], r[j]
		}
	}
	out := r[:0]
	for _, x := range r {
		if k := len(out); k > 0 && x[0] <= out[k-1][1]+1 {
			out[k-1][1] = max(out[k-1][1], x[1])
			continue
		}
		out = append(out, x)
	}
	s.ranges = out
}

// negate turns s, which must be normal, into the rest of [0, top].
func (s *set) negate(top rune) {
	var out [][2]rune
	next := rune(0)
	for _, x := range s.ranges {
		if x[0] > next {
			out = append(out, [2]rune{next, x[0] - 1})
		}
		next = x[1] + 1
	}
	if next <= top {
		out = append(out, [2]rune{next, top})
	}
	s.ranges = out
}

// foldASCII adds the other case of every ASCII letter: byte patterns fold in
// the C locale.
func (s *set) foldASCII() {
	for _, x := range s.ranges {
		for c := rune('a'); c <= 'z'; c++ {
			up := c - 'a' + 'A'
			if x[0] <= c && c <= x[1] {
				s.add(up, up)
			}
			if x[0] <= up && up <= x[1] {
				s.add(c, c)
			}
		}
	}
}
