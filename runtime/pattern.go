package runtime

import "strings"

// A Lua pattern is compiled once into a list of items and kept in a small
// cache; the matcher then walks the items. Lua reports a malformed pattern only
// when matching reaches the malformed place ("b[" on "a" is no error), so the
// compiler turns it into an item that raises when it is reached.

const (
	// maxCaptures is LuaJIT's LUA_MAXCAPTURES.
	maxCaptures = 32
	// maxPatternDepth is how deep items may wait for the rest of the pattern
	// before "pattern too complex" is raised; LuaJIT's limit, so the same
	// patterns fail.
	maxPatternDepth = 200
	// patternPoll is the number of match steps between two looks at the
	// watchdog: backtracking can be exponential in the pattern's length.
	patternPoll = 1 << 14
)

type patternOp uint8

const (
	opEnd      patternOp = iota // the whole pattern matched
	opChar                      // one byte, a
	opAny                       // any byte
	opSet                       // one byte of set
	opOpen                      // start of a capture
	opPosition                  // position capture
	opClose                     // end of a capture
	opBack                      // %1 ... %9
	opBalance                   // %bab
	opFrontier                  // %f[set]
	opEOS                       // $ at the end
	opBad                       // raises msg
)

// patternItem is one item of a compiled pattern. quant is 0 or one of ?*+-.
type patternItem struct {
	op    patternOp
	quant byte
	a, b  byte
	set   *byteSet
	msg   string
}

type byteSet [256]bool

// pattern is a compiled Lua pattern.
type pattern struct {
	source   string
	anchored bool
	plain    bool // no magic byte: find searches for source as it is
	literal  bool // items are plain bytes only, so text is what must be found
	text     string
	items    []patternItem
}

// patternCacheSize is the number of compiled patterns a State keeps; a power of two.
const patternCacheSize = 256

// patternCache maps pattern sources to compiled patterns, one candidate a slot.
// Constant patterns of generated code share their bytes with the cached source,
// which makes the comparison of the two strings a pointer comparison.
type patternCache [patternCacheSize]*pattern

func (c *patternCache) get(source string, anchor bool) *pattern {
	h := uint(len(source)) * 31
	if n := len(source); n > 0 {
		h += uint(source[0])*7 + uint(source[n/2])*131 + uint(source[n-1])*17
	}
	if !anchor {
		h++ // gmatch gives ^ another meaning, so its patterns are entries of their own
	}
	slot := &c[h%patternCacheSize]
	if p := *slot; p != nil && p.source == source && (anchor || !p.anchored) {
		return p
	}
	p := compilePattern(source, anchor)
	*slot = p
	return p
}

// compilePattern compiles source. With anchor a leading ^ ties the match to
// the start; without, as in gmatch, ^ is a plain byte.
func compilePattern(source string, anchor bool) *pattern {
	p := &pattern{source: source, plain: !strings.ContainsAny(source, "^$*+?.([%-")}
	source, _, _ = strings.Cut(source, "\x00") // a C string: \0 ends the pattern
	c := patternCompiler{src: source}
	if anchor && source != "" && source[0] == '^' {
		p.anchored = true
		c.pos = 1
	}
	for c.pos < len(source) && !c.bad {
		c.item()
	}
	if !c.bad {
		c.items = append(c.items, patternItem{op: opEnd})
	}
	p.items = c.items
	p.literal = !p.anchored
	text := make([]byte, 0, len(source))
	for _, it := range p.items[:len(p.items)-1] {
		if it.op != opChar || it.quant != 0 {
			p.literal = false
			break
		}
		text = append(text, it.a)
	}
	p.literal = p.literal && !c.bad
	if p.literal {
		p.text = string(text)
	}
	return p
}

type patternCompiler struct {
	src   string
	pos   int
	items []patternItem
	bad   bool
}

func (c *patternCompiler) emit(it patternItem) { c.items = append(c.items, it) }

func (c *patternCompiler) fail(msg string) {
	c.bad = true
	c.emit(patternItem{op: opBad, msg: msg})
}

// item compiles the item at pos.
func (c *patternCompiler) item() {
	src, i := c.src, c.pos
	switch src[i] {
	case '(':
		if i+1 < len(src) && src[i+1] == ')' {
			c.emit(patternItem{op: opPosition})
			c.pos += 2
			return
		}
		c.emit(patternItem{op: opOpen})
		c.pos++
		return
	case ')':
		c.emit(patternItem{op: opClose})
		c.pos++
		return
	case '$':
		if i+1 == len(src) {
			c.emit(patternItem{op: opEOS})
			c.pos++
			return
		}
	case '%':
		if i+1 == len(src) {
			c.fail("malformed pattern (ends with '%')")
			return
		}
		switch e := src[i+1]; {
		case e == 'b':
			c.balance()
			return
		case e == 'f':
			c.frontier()
			return
		case '0' <= e && e <= '9':
			c.emit(patternItem{op: opBack, a: e})
			c.pos += 2
			return
		}
	}
	it, ok := c.single()
	if !ok {
		return
	}
	if c.pos < len(src) {
		switch q := src[c.pos]; q {
		case '?', '*', '+', '-':
			it.quant = q
			c.pos++
		}
	}
	c.emit(it)
}

func (c *patternCompiler) balance() {
	if c.pos+3 >= len(c.src) {
		c.fail("unbalanced pattern")
		return
	}
	c.emit(patternItem{op: opBalance, a: c.src[c.pos+2], b: c.src[c.pos+3]})
	c.pos += 4
}

func (c *patternCompiler) frontier() {
	c.pos += 2
	if c.pos >= len(c.src) || c.src[c.pos] != '[' {
		c.fail("missing '[' after '%f' in pattern")
		return
	}
	if it, ok := c.single(); ok {
		it.op = opFrontier
		c.emit(it)
	}
}

// single compiles what matches one byte.
func (c *patternCompiler) single() (patternItem, bool) {
	ch := c.src[c.pos]
	c.pos++
	switch ch {
	case '.':
		return patternItem{op: opAny}, true
	case '%':
		class := c.src[c.pos]
		c.pos++
		if set := classSet(class); set != nil {
			return patternItem{op: opSet, set: set}, true
		}
		return patternItem{op: opChar, a: class}, true
	case '[':
		end := c.setEnd()
		if end < 0 {
			c.fail("malformed pattern (missing ']')")
			return patternItem{}, false
		}
		set := compileSet(c.src[c.pos:end])
		c.pos = end + 1
		return patternItem{op: opSet, set: set}, true
	}
	return patternItem{op: opChar, a: ch}, true
}

// setEnd returns the index of the ] that closes the set starting at pos; a ]
// in first place is a member.
func (c *patternCompiler) setEnd() int {
	i := c.pos
	if i < len(c.src) && c.src[i] == '^' {
		i++
	}
	for first := true; ; first = false {
		if i >= len(c.src) {
			return -1
		}
		if c.src[i] == ']' && !first {
			return i
		}
		if c.src[i] == '%' {
			i++
		}
		i++
	}
}

// compileSet compiles the inside of a [set].
func compileSet(body string) *byteSet {
	set := new(byteSet)
	invert := body[0] == '^'
	i := 0
	if invert {
		i = 1
	}
	for ; i < len(body); i++ {
		switch {
		case body[i] == '%' && i+1 < len(body):
			i++
			if class := classSet(body[i]); class != nil {
				for ch, in := range class {
					set[ch] = set[ch] || in
				}
			} else {
				set[body[i]] = true
			}
		case i+2 < len(body) && body[i+1] == '-':
			for ch := int(body[i]); ch <= int(body[i+2]); ch++ {
				set[ch] = true
			}
			i += 2
		default:
			set[body[i]] = true
		}
	}
	if invert {
		for ch := range set {
			set[ch] = !set[ch]
		}
	}
	return set
}

// classSets holds the sets of %a, %A, ... by letter, in the C locale.
var classSets = func() (sets [256]*byteSet) {
	add := func(letter byte, in func(ch byte) bool) {
		yes, no := new(byteSet), new(byteSet)
		for i := range 256 {
			yes[i] = in(byte(i))
			no[i] = !yes[i]
		}
		sets[letter], sets[letter-'a'+'A'] = yes, no
	}
	upper := func(c byte) bool { return 'A' <= c && c <= 'Z' }
	lower := func(c byte) bool { return 'a' <= c && c <= 'z' }
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	alnum := func(c byte) bool { return upper(c) || lower(c) || digit(c) }
	graph := func(c byte) bool { return ' ' < c && c < 0x7f }
	add('a', func(c byte) bool { return upper(c) || lower(c) })
	add('c', func(c byte) bool { return c < ' ' || c == 0x7f })
	add('d', digit)
	add('g', graph)
	add('l', lower)
	add('p', func(c byte) bool { return graph(c) && !alnum(c) })
	add('s', func(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' })
	add('u', upper)
	add('w', alnum)
	add('x', func(c byte) bool { return digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' })
	add('z', func(c byte) bool { return c == 0 })
	return sets
}()

// classSet returns the set of class letter c, nil when c stands for itself.
func classSet(c byte) *byteSet { return classSets[c] }

const (
	captureOpen     = -1
	capturePosition = -2
)

// capture is a captured range of the subject; size may be one of the marks above.
type capture struct{ start, size int }

// matcher is one match of a pattern against a subject.
type matcher struct {
	th    *Thread
	src   string
	items []patternItem
	steps int
	level int
	caps  *[maxCaptures]capture // the state's
}

// newMatcher returns a matcher for src. Its captures are the state's, as clearing some for each
// match would cost more than most matches do: they must be read before Lua code runs.
func newMatcher(th *Thread, src string) matcher {
	return matcher{th: th, src: src, caps: &th.State.captures}
}

// find looks for the first match at or after init and returns its range, or
// -1 when there is none.
func (m *matcher) find(p *pattern, init int) (start, end int) {
	m.items = p.items
	if p.anchored {
		m.level = 0
		return init, m.run(init, 0, 1)
	}
	first := &p.items[0]
	scan := first.op == opChar || first.op == opSet
	scan = scan && (first.quant == 0 || first.quant == '+')
	for s := init; s <= len(m.src); s++ {
		if scan {
			if s = m.skipTo(first, s); s < 0 {
				return -1, -1
			}
		}
		m.level = 0
		if e := m.run(s, 0, 1); e >= 0 {
			return s, e
		}
	}
	return -1, -1
}

// skipTo returns the first index from s on where the single-byte item it matches, or -1.
func (m *matcher) skipTo(it *patternItem, s int) int {
	if it.op == opChar {
		i := strings.IndexByte(m.src[s:], it.a)
		if i < 0 {
			return -1
		}
		return s + i
	}
	for ; s < len(m.src); s++ {
		if it.set[m.src[s]] {
			return s
		}
	}
	return -1
}

// single reports whether the single-byte item it matches at s.
func (m *matcher) single(it *patternItem, s int) bool {
	if s >= len(m.src) {
		return false
	}
	switch it.op {
	case opChar:
		return m.src[s] == it.a
	case opAny:
		return true
	}
	return it.set[m.src[s]]
}

// span counts the bytes from s on that the single-byte item it matches.
func (m *matcher) span(it *patternItem, s int) int {
	rest := m.src[s:]
	switch it.op {
	case opAny:
		return len(rest)
	case opChar:
		for i := range len(rest) {
			if rest[i] != it.a {
				return i
			}
		}
	default:
		set := it.set
		for i := range len(rest) {
			if !set[rest[i]] {
				return i
			}
		}
	}
	return len(rest)
}

// run matches the items from ip on at s and returns the end of the match, or -1.
// depth is the number of items that wait for this call.
func (m *matcher) run(s, ip, depth int) int {
	if depth > maxPatternDepth {
		m.th.Errorf("pattern too complex")
	}
	for {
		if m.steps++; m.steps%patternPoll == 0 {
			m.th.Poll()
		}
		it := &m.items[ip]
		switch it.op {
		case opEnd:
			return s
		case opOpen, opPosition:
			return m.open(it.op, s, ip, depth)
		case opClose:
			return m.close(s, ip, depth)
		case opBack:
			if s = m.back(it.a, s); s < 0 {
				return -1
			}
		case opBalance:
			if s = m.balance(it, s); s < 0 {
				return -1
			}
		case opFrontier:
			if !m.frontier(it.set, s) {
				return -1
			}
		case opEOS:
			if s != len(m.src) {
				return -1
			}
		case opBad:
			m.th.Errorf("%s", it.msg)
		default:
			switch it.quant {
			case 0:
				if !m.single(it, s) {
					return -1
				}
				s++
			case '?':
				if m.single(it, s) {
					if e := m.run(s+1, ip+1, depth+1); e >= 0 {
						return e
					}
				}
			case '+':
				if !m.single(it, s) {
					return -1
				}
				return m.longest(it, s+1, ip, depth)
			case '*':
				return m.longest(it, s, ip, depth)
			default:
				return m.shortest(it, s, ip, depth)
			}
		}
		ip++
	}
}

// longest matches as many bytes as possible, then the rest of the items.
func (m *matcher) longest(it *patternItem, s, ip, depth int) int {
	i := s + m.span(it, s)
	next := &m.items[ip+1]
	if next.op == opEnd && depth < maxPatternDepth {
		return i
	}
	must := next.op == opChar && next.quant == 0
	for ; i >= s; i-- {
		if must && (i >= len(m.src) || m.src[i] != next.a) && depth < maxPatternDepth {
			continue
		}
		if e := m.run(i, ip+1, depth+1); e >= 0 {
			return e
		}
	}
	return -1
}

// shortest matches as few bytes as possible, then the rest of the items.
func (m *matcher) shortest(it *patternItem, s, ip, depth int) int {
	for {
		if e := m.run(s, ip+1, depth+1); e >= 0 {
			return e
		}
		if !m.single(it, s) {
			return -1
		}
		s++
	}
}

func (m *matcher) open(op patternOp, s, ip, depth int) int {
	if m.level >= maxCaptures {
		m.th.Errorf("too many captures")
	}
	size := captureOpen
	if op == opPosition {
		size = capturePosition
	}
	m.caps[m.level] = capture{s, size}
	m.level++
	e := m.run(s, ip+1, depth+1)
	if e < 0 {
		m.level--
	}
	return e
}

func (m *matcher) close(s, ip, depth int) int {
	l := m.level - 1
	for l >= 0 && m.caps[l].size != captureOpen {
		l--
	}
	if l < 0 {
		m.th.Errorf("invalid pattern capture")
	}
	m.caps[l].size = s - m.caps[l].start
	e := m.run(s, ip+1, depth+1)
	if e < 0 {
		m.caps[l].size = captureOpen
	}
	return e
}

// back matches the text of an earlier capture again.
func (m *matcher) back(digit byte, s int) int {
	l := int(digit) - '1'
	if l < 0 || l >= m.level || m.caps[l].size == captureOpen {
		m.th.Errorf("invalid capture index")
	}
	c := m.caps[l]
	if c.size < 0 { // a position has no text to match again
		return -1
	}
	if !strings.HasPrefix(m.src[s:], m.src[c.start:c.start+c.size]) {
		return -1
	}
	return s + c.size
}

func (m *matcher) balance(it *patternItem, s int) int {
	if s >= len(m.src) || m.src[s] != it.a {
		return -1
	}
	open := 1
	for i := s + 1; i < len(m.src); i++ {
		switch c := m.src[i]; {
		case c == it.b: // first: %bxx closes at the next x
			if open--; open == 0 {
				return i + 1
			}
		case c == it.a:
			open++
		}
	}
	return -1
}

// frontier reports whether s stands between a byte outside set and one in it;
// both ends of the subject count as \0.
func (m *matcher) frontier(set *byteSet, s int) bool {
	var before, after byte
	if s > 0 {
		before = m.src[s-1]
	}
	if s < len(m.src) {
		after = m.src[s]
	}
	return !set[before] && set[after]
}

// capture returns capture i of the match from start to end; capture 0 is the
// whole match when the pattern has no captures.
func (m *matcher) capture(i, start, end int) Value {
	if i >= m.level {
		if i == 0 {
			return String(m.src[start:end])
		}
		m.th.Errorf("invalid capture index")
	}
	c := m.caps[i]
	switch c.size {
	case captureOpen:
		m.th.Errorf("unfinished capture")
	case capturePosition:
		return Int(c.start + 1)
	}
	return String(m.src[c.start : c.start+c.size])
}
