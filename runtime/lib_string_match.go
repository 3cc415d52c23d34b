package runtime

import "strings"

// findInit returns the index at which find and match start, or -1 when position
// init is beyond the end of s, where LuaJIT with its 5.2 switch finds nothing.
func findInit(s string, init float64) int {
	i := floatInt32(init)
	switch {
	case i > 0:
		i--
	case i < 0:
		i = max(i+len(s), 0)
	}
	if i > len(s) {
		return -1
	}
	return i
}

// matchArgs returns the arguments of find and match: the subject, the pattern and
// where to start.
func (th *Thread) matchArgs(n int, a, b, c Value) (s, p string, init int) {
	if a.IsString() && b.IsString() {
		if c.IsNil() {
			return a.Str(), b.Str(), 0
		}
		if c.IsNumber() {
			return a.Str(), b.Str(), findInit(a.Str(), c.Num())
		}
	}
	args := th.argList(min(n, 3), a, b, c)
	s, p = th.CheckString(args, 0), th.CheckString(args, 1)
	return s, p, findInit(s, th.OptNumber(args, 2, 1))
}

func stringFind(th *Thread, n int, a, b, c Value) (Value, int) {
	plain := n > 3 && th.Arg(3).Truthy()
	s, source, init := th.matchArgs(n, a, b, c)
	if init < 0 {
		return Nil, 1
	}
	if plain {
		return th.findPlain(s, source, init)
	}
	p := th.State.patterns.get(source, true)
	if p.plain {
		return th.findPlain(s, source, init)
	}
	m := newMatcher(th, s)
	start, end := m.find(p, init)
	if end < 0 {
		return Nil, 1
	}
	th.roomForResults(m.level + 2)
	th.ret[1] = Int(end)
	for i := range m.level {
		th.ret[2+i] = m.capture(i, start, end)
	}
	return Int(start + 1), 2 + m.level
}

func (th *Thread) findPlain(s, text string, init int) (Value, int) {
	i := strings.Index(s[init:], text)
	if i < 0 {
		return Nil, 1
	}
	return th.Return2(Int(init+i+1), Int(init+i+len(text)))
}

func stringMatch(th *Thread, n int, a, b, c Value) (Value, int) {
	s, source, init := th.matchArgs(n, a, b, c)
	if init < 0 {
		return Nil, 1
	}
	p := th.State.patterns.get(source, true)
	m := newMatcher(th, s)
	start, end := m.find(p, init)
	if end < 0 {
		return Nil, 1
	}
	return m.captures(start, end)
}

// captures returns the captures of a match, the whole match when there are none.
func (m *matcher) captures(start, end int) (Value, int) {
	if m.level > 1 {
		m.th.roomForResults(m.level)
		for i := 1; i < m.level; i++ {
			m.th.ret[i] = m.capture(i, start, end)
		}
	}
	return m.capture(0, start, end), max(m.level, 1)
}

// gmatch is the state of one string.gmatch.
type gmatch struct {
	src string
	p   *pattern
	pos int
}

func stringGmatch(th *Thread, args []Value) (Value, int) {
	g := &gmatch{src: th.CheckString(args, 0)}
	g.p = th.State.patterns.get(th.CheckString(args, 1), false)
	return FunctionValue(&Function{name: "gmatch_aux", fn: g.next}), 1
}

// next returns the captures of the next match.
func (g *gmatch) next(th *Thread, _ int, _, _, _ Value) (Value, int) {
	if g.pos > len(g.src) {
		return Nil, 0
	}
	m := newMatcher(th, g.src)
	start, end := m.find(g.p, g.pos)
	if end < 0 {
		g.pos = len(g.src) + 1
		return Nil, 0
	}
	g.pos = end
	if end == start { // an empty match: go on, not to find it for ever
		g.pos++
	}
	return m.captures(start, end)
}

// gsub is one run of string.gsub.
type gsub struct {
	m    matcher
	repl Value
	text string // the replacement when repl is a string
	bare bool   // text has no %
	buf  []byte
}

func stringGsub(th *Thread, args []Value) (Value, int) {
	s := th.CheckString(args, 0)
	source := th.CheckString(args, 1)
	g := gsub{m: newMatcher(th, s), repl: ArgAt(args, 2)}
	switch g.repl.Type() {
	case TypeString, TypeNumber:
		g.text = th.CheckString(args, 2)
		g.bare = strings.IndexByte(g.text, '%') < 0
	case TypeTable, TypeFunction:
	default:
		th.ArgError(2, "string/function/table expected")
	}
	limit := len(s) + 1
	if !isAbsent(args, 3) {
		limit = floatInt32(th.CheckNumber(args, 3))
	}
	count := g.run(th.State.patterns.get(source, true), limit)
	if count == 0 {
		return th.Return2(String(s), Int(0))
	}
	return th.Return2(bytesValue(g.buf), Int(count))
}

// run replaces up to limit matches and returns their number.
func (g *gsub) run(p *pattern, limit int) (count int) {
	s := g.m.src
	pos := 0 // what is before it stands in buf
	for from := 0; count < limit && from <= len(s); {
		start, end := g.next(p, from)
		if end < 0 {
			break
		}
		if count == 0 {
			g.buf = make([]byte, 0, len(s)+16)
		}
		count++
		g.buf = append(g.buf, s[pos:start]...)
		g.replace(start, end)
		g.check(0)
		pos, from = end, end
		if end == start {
			from++ // the byte after an empty match stays
		}
		if p.anchored {
			break
		}
	}
	if count > 0 {
		g.check(len(s) - pos)
		g.buf = append(g.buf, s[pos:]...)
	}
	return count
}

// check raises the error of a result that would be too long with n more bytes.
func (g *gsub) check(n int) {
	if len(g.buf)+n > stringLimit {
		g.m.th.Throw(String(tooLong))
	}
}

// next finds the next match.
func (g *gsub) next(p *pattern, from int) (start, end int) {
	if p.literal && p.text != "" {
		g.m.level = 0
		i := strings.Index(g.m.src[from:], p.text)
		if i < 0 {
			return -1, -1
		}
		return from + i, from + i + len(p.text)
	}
	return g.m.find(p, from)
}

// replace appends what stands for the match.
func (g *gsub) replace(start, end int) {
	var v Value
	switch {
	case g.repl.IsTable():
		v = Index(g.m.th, g.repl, g.m.capture(0, start, end), "")
	case g.repl.IsFunction():
		v = g.call(start, end)
	case g.bare:
		g.check(len(g.text))
		g.buf = append(g.buf, g.text...)
		return
	default:
		g.expand(start, end)
		return
	}
	switch {
	case !v.Truthy():
		g.buf = append(g.buf, g.m.src[start:end]...)
	case isStringable(v):
		g.check(concatLen(v))
		g.buf = appendString(g.buf, v)
	default:
		g.m.th.Errorf("invalid replacement value (a %s)", TypeName(v))
	}
}

// call calls the replacement function with the captures.
func (g *gsub) call(start, end int) Value {
	m, th := &g.m, g.m.th
	var v Value
	switch m.level {
	case 0, 1:
		v, _ = Call1(th, g.repl, "", m.capture(0, start, end))
	case 2:
		v, _ = Call2(th, g.repl, "", m.capture(0, start, end), m.capture(1, start, end))
	default:
		args := make([]Value, m.level)
		for i := range args {
			args[i] = m.capture(i, start, end)
		}
		v, _ = CallList(th, g.repl, "", args)
	}
	return v
}

// expand appends the replacement string with its %0 ... %9 filled in.
func (g *gsub) expand(start, end int) {
	text := g.text
	for {
		i := strings.IndexByte(text, '%')
		if i < 0 {
			g.buf = append(g.buf, text...)
			return
		}
		g.buf = append(g.buf, text[:i]...)
		if i+1 == len(text) { // LuaJIT takes the byte after the end, which is \0
			g.buf = append(g.buf, 0)
			return
		}
		switch c := text[i+1]; {
		case c == '0':
			g.check(end - start)
			g.buf = append(g.buf, g.m.src[start:end]...)
		case '1' <= c && c <= '9':
			v := g.m.capture(int(c-'1'), start, end)
			g.check(concatLen(v))
			g.buf = appendString(g.buf, v)
		default:
			g.buf = append(g.buf, c)
		}
		text = text[i+2:]
	}
}
