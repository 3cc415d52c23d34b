package ngxre

import (
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/regex"
	rt "github.com/moonphase/moonphase/runtime"
)

// Module makes the ngx.re module.
func (e *Lib) Module() *rt.Table {
	return lib.Functions{{"split", e.split}, {"opt", opt}}.Table(0)
}

// opt is opt(name, value): there is no JIT to give a stack.
func opt(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if !rt.EqString(rt.ArgAt(args, 0), "jit_stack_size") {
		th.Errorf("unrecognized option name")
	}
	return rt.Nil, 0
}

// splitter cuts a subject at the matches of a pattern.
type splitter struct {
	l   *compiledRegex
	in  regex.Input
	ov  []int
	pos int
	out *rt.Table
	n   int
}

func (sp *splitter) add(v rt.Value) {
	sp.n++
	sp.out.SetInt(sp.n, v)
}

// next finds the next match; an empty one moves on by a byte.
func (sp *splitter) next() (found bool, err string) {
	ov, err := sp.l.exec(&sp.in, sp.pos, sp.ov)
	if ov == nil {
		return false, err
	}
	sp.ov = ov
	if sp.pos = ov[1]; ov[0] == ov[1] {
		sp.pos++
	}
	return true, ""
}

// run fills out with up to limit pieces, all of them when limit is 0. The first
// capture, when the pattern has one, follows each piece.
func (sp *splitter) run(limit int) (err string) {
	s := sp.in.String()
	from := sp.pos
	lastEmpty := -1
	for pieces := 1; limit <= 0 || pieces < limit; {
		found, err := sp.next()
		if err != "" {
			return err
		}
		if !found {
			break
		}
		start, end := sp.ov[0], sp.ov[1]
		if lastEmpty >= 0 {
			from = lastEmpty
		}
		if start == end {
			lastEmpty = start
		}
		if start <= from && lastEmpty >= 0 {
			continue
		}
		pieces++
		sp.add(rt.String(s[from:max(from, start)]))
		if len(sp.ov) > 2 && sp.ov[2] >= 0 {
			sp.add(rt.String(s[sp.ov[2]:sp.ov[3]]))
		}
		if from = end; from >= len(s) {
			break
		}
	}
	if limit > 0 || from < len(s) {
		sp.add(rt.String(s[min(from, len(s)):]))
		return ""
	}
	for sp.n > 0 && rt.EqString(sp.out.Int(sp.n), "") { // empty pieces at the end are left out
		sp.out.SetInt(sp.n, rt.Nil)
		sp.n--
	}
	return ""
}

// split is split(subject, regex, options, ctx, max, result) of ngx.re.
func (e *Lib) split(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := subject(th, args)
	sp := splitter{}
	ctx := rt.ArgAt(args, 3)
	if ctx.Truthy() {
		if v := rt.Field(th, ctx, sitePos, "local ctx"); v.Truthy() {
			pos, _ := rt.ToNumber(v)
			sp.pos = max(int(pos)-1, 0)
		}
	}
	switch v := rt.ArgAt(args, 5); {
	case v.IsNil():
		sp.out = rt.NewTable(4, 0)
	case v.IsTable():
		sp.out = v.Table()
	default:
		th.Errorf("res is not a table")
	}
	if sp.pos >= len(s) {
		sp.out.SetInt(1, rt.Nil)
		return rt.TableValue(sp.out), 1
	}
	if sp.l = e.compile(th, args, 2); sp.l.err != "" {
		return lib.Fail(th, sp.l.err)
	}
	sp.in.Reset(s)
	if err := sp.run(th.OptInt(args, 4, 0)); err != "" {
		return lib.Fail(th, err)
	}
	if ctx.Truthy() {
		rt.SetField(th, ctx, sitePos, rt.Int(sp.pos+1), "local ctx")
	}
	sp.out.SetInt(sp.n+1, rt.Nil)
	return rt.TableValue(sp.out), 1
}
