// Package ngxre is ngx.re: patterns for scripts, with a cache of compiled ones.
package ngxre

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/regex"
	rt "github.com/moonphase/moonphase/runtime"
)

// Options are what the configuration says of patterns.
type Options struct {
	Cache   int         // lua_regex_cache_max_entries
	Match   int         // lua_regex_match_limit, 0 for none
	Dialect regex.Flags // regex.PCRE2, or 0 for PCRE 1
}

// Lib is ngx.re in one Lua state. It keeps compiled patterns in two generations of half
// the cache's size: what has been used since the last turn survives the next one. All
// patterns are kept, with or without the option o, which cannot be seen from outside.
type Lib struct {
	options    Options
	young, old map[regexKey]*compiledRegex
	iterator   *rt.Table // metatable of the iterators of gmatch

	// Reused from match to match, as only one runs at a time in a worker.
	in regex.Input
	ov []int
}

// New makes the library for a Lua state.
func New(options Options) *Lib {
	e := &Lib{options: options, iterator: rt.NewTable(0, 1)}
	e.iterator.SetStr("__call", rt.NewGoFunction("gmatch_iterator", gmatchNext))
	return e
}

// Table makes the ngx.re table.
func (e *Lib) Table() *rt.Table {
	return lib.Functions{
		{"match", e.match},
		{"find", e.find},
		{"gmatch", e.gmatch},
		{"sub", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return e.sub(th, args, false) }},
		{"gsub", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return e.sub(th, args, true) }},
	}.Table(0)
}

// regexKey names a compiled pattern in the e.
type regexKey struct{ pattern, opts string }

// compiledRegex is a compiled pattern with what the API needs beside it.
type compiledRegex struct {
	re    *regex.Regexp
	names []rt.Value // of re.Names()
	dups  bool       // option D: names collect arrays
	err   string     // of a pattern that does not compile

	// The last replacement template: most patterns have one.
	templateText string
	template     *replacement
}

func (e *Lib) get(k regexKey) *compiledRegex {
	if re := e.young[k]; re != nil {
		return re
	}
	re := e.old[k]
	if re != nil {
		e.young[k] = re
	}
	return re
}

func (e *Lib) put(k regexKey, re *compiledRegex) {
	size := e.options.Cache
	if size <= 0 {
		return
	}
	if e.young == nil || len(e.young) >= (size+1)/2 {
		e.old, e.young = e.young, make(map[regexKey]*compiledRegex, 16)
	}
	e.young[k] = re
}

// Check says why ngx.re of the newest OpenResty refuses a pattern with these options,
// nil when it does not.
func Check(pattern, opts string) error {
	flags, err := regexFlags(opts)
	if err != nil {
		return err
	}
	if _, err := regex.Compile(pattern, flags|regex.PCRE2); err != nil {
		return errors.New(errorText(pattern, regex.PCRE2, err))
	}
	return nil
}

// regexFlags reads the option letters. o and j (cache, JIT) change nothing here.
func regexFlags(opts string) (flags regex.Flags, err error) {
	for i := 0; i < len(opts); i++ {
		switch opts[i] {
		case 'o', 'j':
		case 'i':
			flags |= regex.Caseless
		case 's':
			flags |= regex.DotAll
		case 'm':
			flags |= regex.Multiline
		case 'u':
			flags |= regex.UTF8
		case 'U':
			flags |= regex.UTF8 | regex.NoUTFCheck
		case 'x':
			flags |= regex.Extended
		case 'd':
			flags |= regex.DFA
		case 'a':
			flags |= regex.Anchored
		case 'D':
			flags |= regex.DupNames
		case 'J':
			flags |= regex.JavaScript
		default:
			return 0, fmt.Errorf("unknown flag \"%s\" (flags \"%s\")", opts[i:i+1], opts)
		}
	}
	return flags, nil
}

// compile compiles arguments 1 and opt: pattern and options.
func (e *Lib) compile(th *rt.Thread, args []rt.Value, opt int) *compiledRegex {
	pattern := rt.ArgAt(args, 1)
	if !pattern.IsString() {
		th.ArgTypeError(args, 1, "string")
	}
	k := regexKey{pattern: pattern.Str()}
	if v := rt.ArgAt(args, opt); v.Truthy() {
		if !v.IsString() {
			th.ArgTypeError(args, opt, "string")
		}
		k.opts = v.Str()
	}
	if re := e.get(k); re != nil {
		return re
	}
	flags, err := regexFlags(k.opts)
	if err != nil {
		th.Errorf("%s", err)
	}
	l := &compiledRegex{dups: flags&regex.DupNames != 0}
	if l.re, err = regex.Compile(k.pattern, flags|e.options.Dialect); err != nil {
		l.err = errorText(k.pattern, e.options.Dialect, err)
		return l
	}
	l.re.SetMatchLimit(e.options.Match)
	for _, n := range l.re.Names() {
		l.names = append(l.names, rt.String(n.Name))
	}
	e.put(k, l)
	return l
}

// errorText is ngx_lua's message for a pattern error.
func errorText(pattern string, dialect regex.Flags, err error) string {
	if e, ok := err.(*regex.Error); ok {
		return e.Text(pattern, dialect)
	}
	return err.Error()
}

// subject is argument 0 as text.
func subject(th *rt.Thread, args []rt.Value) string {
	if len(args) == 0 {
		return "nil"
	}
	return lib.TextOrNil(th, args[0])
}

var sitePos = rt.NewSite("pos")

// startPos reads ctx.pos as an offset.
func startPos(th *rt.Thread, ctx rt.Value) int {
	if !ctx.Truthy() {
		return 0
	}
	pos, ok := rt.ToNumber(rt.Field(th, ctx, sitePos, "local ctx"))
	if !ok || pos <= 0 {
		return 0
	}
	return int(pos) - 1
}

// exec matches from a byte offset on. ov is nil without a match; err is the
// message of a failure.
func (l *compiledRegex) exec(in *regex.Input, from int, ov []int) (_ []int, err string) {
	ov, e := l.re.Match(in, from, ov)
	if e != nil {
		return nil, e.Error()
	}
	return ov, ""
}

// match is ngx.re.match(subject, regex, options, ctx, result).
func (e *Lib) match(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	l := e.compile(th, args, 2)
	if l.err != "" {
		return lib.Fail(th, l.err)
	}
	ctx := rt.ArgAt(args, 3)
	from := startPos(th, ctx)
	e.in.Reset(subject(th, args))
	ov, err := l.exec(&e.in, from, e.ov)
	if err != "" {
		return lib.Fail(th, err)
	}
	if ov == nil {
		return rt.Nil, 1
	}
	e.ov = ov
	var t *rt.Table
	if res := rt.ArgAt(args, 4); res.IsTable() {
		t = res.Table()
	}
	v := l.captures(e.in.String(), ov, t)
	if ctx.Truthy() {
		rt.SetField(th, ctx, sitePos, rt.Int(ov[1]+1), "local ctx")
	}
	return v, 1
}

// captures makes the table of a match: [0] is all of it, false a group that took
// no part.
func (l *compiledRegex) captures(s string, ov []int, t *rt.Table) rt.Value {
	if t == nil {
		t = rt.NewTable(len(ov)/2-1, len(l.names))
	}
	for g := 1; 2*g < len(ov); g++ {
		t.SetInt(g, capture0(s, ov, g))
	}
	t.SetInt(0, rt.String(s[ov[0]:ov[1]]))
	for i, n := range l.re.Names() {
		if 2*n.Group >= len(ov) {
			continue
		}
		v := t.Int(n.Group)
		switch {
		case !l.dups:
			t.Set(l.names[i], v)
		case !v.Truthy():
		case t.Get(l.names[i]).IsTable():
			t.Get(l.names[i]).Table().Append(v)
		default:
			t.Set(l.names[i], rt.NewArray(v))
		}
	}
	return rt.TableValue(t)
}

// capture0 is the text of group g, false when it is not set.
func capture0(s string, ov []int, g int) rt.Value {
	if ov[2*g] < 0 {
		return rt.False
	}
	return rt.String(s[ov[2*g]:ov[2*g+1]])
}

// find is ngx.re.find(subject, regex, options, ctx, nth).
func (e *Lib) find(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	l := e.compile(th, args, 2)
	if l.err != "" {
		return th.Return3(rt.Nil, rt.Nil, rt.String(l.err))
	}
	ctx := rt.ArgAt(args, 3)
	from := startPos(th, ctx)
	e.in.Reset(subject(th, args))
	ov, err := l.exec(&e.in, from, e.ov)
	if err != "" {
		return th.Return3(rt.Nil, rt.Nil, rt.String(err))
	}
	if ov == nil {
		return rt.Nil, 1
	}
	e.ov = ov
	if ctx.Truthy() {
		rt.SetField(th, ctx, sitePos, rt.Int(ov[1]+1), "local ctx")
	}
	nth := max(th.OptInt(args, 4, 0), 0)
	if nth > l.re.NumGroups() {
		return th.Return3(rt.Nil, rt.Nil, rt.String("nth out of bound"))
	}
	if ov[2*nth] < 0 {
		return th.Return2(rt.Nil, rt.Nil)
	}
	return th.Return2(rt.Int(ov[2*nth]+1), rt.Int(ov[2*nth+1]))
}

// gmatchState is an iterator of ngx.re.gmatch. It has an Input of its own, as
// other matches may run between two of its steps.
type gmatchState struct {
	l    *compiledRegex
	in   regex.Input
	ov   []int
	pos  int
	done bool
}

// gmatch is ngx.re.gmatch(subject, regex, options).
func (e *Lib) gmatch(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	l := e.compile(th, args, 2)
	if l.err != "" {
		return lib.Fail(th, l.err)
	}
	st := &gmatchState{l: l}
	st.in.Reset(subject(th, args))
	t := rt.NewTable(1, 0)
	t.SetInt(1, rt.NewUserdata(st, nil))
	t.SetMeta(e.iterator)
	return rt.TableValue(t), 1
}

// gmatchNext is a step of the iterator, the __call of its table.
func gmatchNext(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	var st *gmatchState
	if v := th.CheckTable(args, 0).Int(1); v.IsUserdata() {
		st, _ = v.Userdata().Data.(*gmatchState)
	}
	if st == nil {
		th.ArgError(0, "iterator expected")
	}
	if st.done {
		return rt.Nil, 1
	}
	ov, err := st.l.exec(&st.in, st.pos, st.ov)
	if ov == nil {
		st.done = true
		if err != "" {
			return lib.Fail(th, err)
		}
		return rt.Nil, 1
	}
	st.ov = ov
	st.pos = ov[1]
	if ov[1] == ov[0] {
		if st.pos++; st.pos > len(st.in.String()) {
			st.done = true
		}
	}
	return st.l.captures(st.in.String(), ov, nil), 1
}

// sub is ngx.re.sub and ngx.re.gsub(subject, regex, replace, options).
func (e *Lib) sub(th *rt.Thread, args []rt.Value, global bool) (rt.Value, int) {
	l := e.compile(th, args, 3)
	if l.err != "" {
		return th.Return3(rt.Nil, rt.Nil, rt.String(l.err))
	}
	s := subject(th, args)
	replace := rt.ArgAt(args, 2)
	var tmpl *replacement
	if !replace.IsFunction() {
		if tmpl = l.replacement(caller.Of(th), lib.TextOrNil(th, replace)); tmpl == nil {
			return th.Return3(rt.Nil, rt.Nil, rt.String("failed to compile the replacement template"))
		}
	}
	in, ov := &e.in, e.ov
	if tmpl == nil { // the function may match something itself
		in, ov = new(regex.Input), nil
	}
	in.Reset(s)
	var b []byte
	count, copied, pos := 0, 0, 0
	for {
		var err string
		if ov, err = l.exec(in, pos, ov); err != "" {
			return th.Return3(rt.Nil, rt.Nil, rt.String(err))
		}
		if ov == nil {
			break
		}
		count++
		b = append(b, s[copied:max(copied, ov[0])]...)
		copied, pos = ov[1], ov[1]
		empty := ov[0] == ov[1]
		if tmpl != nil {
			b = tmpl.append(b, s, ov)
		} else {
			piece, _ := rt.Call1(th, replace, "local replace", l.captures(s, ov, nil))
			b = append(b, lib.TextOrNil(th, piece)...)
		}
		if empty {
			pos++
		}
		if !global || pos > len(s) {
			break
		}
	}
	if count == 0 {
		return th.Return2(rt.String(s), rt.Int(0))
	}
	return th.Return2(rt.String(string(append(b, s[copied:]...))), rt.Int(count))
}

// replacement is a compiled replacement text: pieces of text and numbers of
// groups.
type replacement struct {
	parts []replacementPart
}

type replacementPart struct {
	text  string
	group int // -1: text
}

func (t *replacement) append(b []byte, s string, ov []int) []byte {
	for _, p := range t.parts {
		switch {
		case p.group < 0:
			b = append(b, p.text...)
		case 2*p.group < len(ov) && ov[2*p.group] >= 0:
			b = append(b, s[ov[2*p.group]:ov[2*p.group+1]]...)
		}
	}
	return b
}

// replacement compiles a replacement text; nil for a bad one, which is logged.
func (l *compiledRegex) replacement(c *caller.Context, text string) *replacement {
	if l.template != nil && l.templateText == text {
		return l.template
	}
	t := parseReplacement(c, text)
	if t != nil {
		l.templateText, l.template = text, t
	}
	return t
}

// parseReplacement reads $1, ${1}, $0, and $$ for a dollar sign.
func parseReplacement(c *caller.Context, text string) *replacement {
	t := &replacement{}
	start := 0
	literal := func(end int) {
		if end > start {
			t.parts = append(t.parts, replacementPart{text[start:end], -1})
		}
	}
	for i := 0; i < len(text); {
		if text[i] != '$' {
			i++
			continue
		}
		literal(i)
		if i++; i < len(text) && text[i] == '$' {
			start = i
			i++
			continue
		}
		bracket := i < len(text) && text[i] == '{'
		if bracket {
			i++
		}
		name := i
		for i < len(text) && core.IsNameByte(text[i]) && (text[name] < '0' || text[name] > '9' || text[i] >= '0' && text[i] <= '9') {
			i++
		}
		if i == name {
			c.Logf(errlog.Err, "lua script: invalid capturing variable name found in \"%s\"", text)
			return nil
		}
		if bracket && (i == len(text) || text[i] != '}') {
			c.Logf(errlog.Err, "the closing bracket in \"%s\" variable is missing", text[name:i])
			return nil
		}
		group, err := strconv.Atoi(text[name:i])
		if err != nil {
			c.Logf(errlog.Err, "attempt to use named capturing variable \"%s\" (named captures not supported yet)", text[name:i])
			return nil
		}
		t.parts = append(t.parts, replacementPart{"", group})
		if bracket {
			i++
		}
		start = i
	}
	literal(len(text))
	return t
}
