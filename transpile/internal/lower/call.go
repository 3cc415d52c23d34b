package lower

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/infer"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// call lowers a call with all its results: a *ir.StaticCall when it goes to a
// Go function, else a Multi.
func (f *fn) call(c *ast.Call, tail bool) ir.Expr {
	f.noteCall(c)
	if st := f.c.facts.Callee(c); st != nil {
		out := f.c.staticFunc(st)
		args := f.exprList(c.Args, len(st.Func.Params))
		for i, p := range st.Func.Params {
			args[i] = f.to(args[i], rep(f.c.facts.Local(p)))
		}
		return &ir.StaticCall{Func: out, Args: args, Line: c.OpPos.Line}
	}
	if x := f.selectCall(c); x != nil {
		return x
	}
	if x := f.envCall(c); x != nil {
		return x
	}
	x := &ir.Call{Line: c.OpPos.Line, Tail: tail}
	var head []thunk
	if c.Fn != nil {
		x.Where = whereOf(c.Fn)
		x.Yield = !tail && strings.HasSuffix(x.Where, " yield")
		head = []thunk{func() ir.Expr { return f.value(c.Fn) }}
	} else {
		x.Where = whereOf(c.Obj)
		x.Site = f.site(nameOf(c.Obj), c.Method)
		head = []thunk{func() ir.Expr { return f.value(c.Obj) }}
	}
	vals, open := f.listAfter(head, c.Args)
	if c.Fn != nil {
		x.Fn = vals[0]
	} else {
		x.Obj = vals[0]
	}
	x.Args, x.Open = vals[1:], f.join(nil, open)
	return x
}

// noteCall keeps what a call calls its function.
func (f *fn) noteCall(c *ast.Call) {
	callee := ir.Callee{Line: c.OpPos.Line, Where: "method " + c.Method, Tail: c == f.tail}
	if c.Fn != nil {
		callee.Where = whereOf(c.Fn)
	}
	if !slices.Contains(f.out.Callees, callee) {
		f.out.Callees = append(f.out.Callees, callee)
	}
}

// join makes a List of an open part; nil stays nil.
func (f *fn) join(fixed []ir.Expr, open ir.Expr) ir.Expr {
	if open == nil || open.Type() == ir.List && len(fixed) == 0 {
		return open
	}
	return &ir.Join{Fixed: fixed, Open: open}
}

// selectCall lowers select(n, ...) without copying the varargs. The global is
// still read: the runtime calls it if it is no longer the builtin.
func (f *fn) selectCall(c *ast.Call) ir.Expr {
	n, ok := c.Fn.(*ast.Name)
	if !ok || n.Local != nil || n.Name != "select" || len(c.Args) != 2 {
		return nil
	}
	if v, ok := c.Args[1].(*ast.VarargExpr); !ok || v.Paren {
		return nil
	}
	x := &ir.Select{Args: f.out.Args, Line: c.OpPos.Line}
	if s, ok := c.Args[0].(*ast.StringExpr); ok && s.Value == "#" {
		x.Fn = f.name(n)
		return x
	}
	vals := f.operands([]ast.Expr{n, c.Args[0]}, f.value)
	x.Fn, x.Index = vals[0], vals[1]
	return x
}

// envCall lowers getfenv(), getfenv(1) and setfenv(1, t).
func (f *fn) envCall(c *ast.Call) ir.Expr {
	n, ok := c.Fn.(*ast.Name)
	if !ok || n.Local != nil || n.Name != "getfenv" && n.Name != "setfenv" {
		return nil
	}
	if len(c.Args) > 0 {
		if level, ok := infer.Const(c.Args[0]); !ok || level != 1 {
			return nil
		}
	}
	x := &ir.EnvCall{Line: c.OpPos.Line}
	switch {
	case n.Name == "getfenv" && len(c.Args) < 2:
		x.Fn = f.value(n)
	case n.Name == "setfenv" && len(c.Args) == 2:
		vals := f.operands([]ast.Expr{n, c.Args[1]}, f.value)
		x.Fn, x.Table = vals[0], vals[1]
	default:
		return nil
	}
	return x
}

// finished completes a call that may have left a tail call to its caller.
func (f *fn) finished(x ir.Expr) ir.Expr {
	if s, ok := x.(*ir.StaticCall); ok && s.Func.Marker {
		return &ir.Finish{X: s, Line: s.Line}
	}
	return x
}

// single lowers a call of which the first result is wanted.
func (f *fn) single(c *ast.Call) ir.Expr {
	x := f.finished(f.call(c, false))
	if x.Type() == ir.Multi {
		return &ir.First{X: x}
	}
	s := x.(*ir.StaticCall)
	if len(s.Func.Results) == 1 {
		return s
	}
	return f.results(s, 1, c.OpPos.Line)[0]
}

// results keeps the results of a call with a fixed number of them and returns
// the first want, nil for those it does not have.
func (f *fn) results(s *ir.StaticCall, want, line int) []ir.Expr {
	var vals []ir.Expr
	if len(s.Func.Results) == 0 {
		f.emit(&ir.Do{X: s, Line: line})
	} else {
		d := &ir.Define{X: []ir.Expr{s}, Line: line}
		for i, t := range s.Func.Results {
			if i >= want {
				d.Vars = append(d.Vars, nil)
				continue
			}
			v := f.temp("r", t)
			d.Vars = append(d.Vars, v)
			vals = append(vals, &ir.Ref{Var: v})
		}
		f.emit(d)
	}
	for len(vals) < want {
		vals = append(vals, &ir.Const{})
	}
	return vals
}

// exprList lowers an expression list to exactly want expressions of one value.
func (f *fn) exprList(es []ast.Expr, want int) []ir.Expr {
	n := len(es)
	ts := make([]thunk, 0, n)
	var more []ir.Expr
	for i, e := range es {
		switch {
		case i >= want:
			ts = append(ts, func() ir.Expr { return f.drop(e) })
		case i == n-1 && want > n && ast.IsOpen(e):
			ts = append(ts, func() ir.Expr {
				vals := f.open(e, want-n+1)
				more = vals[1:]
				return vals[0]
			})
		default:
			ts = append(ts, func() ir.Expr { return f.expr(e) })
		}
	}
	vals := f.sequence(ts)
	if len(vals) > want {
		vals = vals[:want]
	}
	vals = append(vals, more...)
	for len(vals) < want {
		vals = append(vals, &ir.Const{})
	}
	return vals
}

// drop evaluates e for its effects.
func (f *fn) drop(e ast.Expr) ir.Expr {
	if c, ok := e.(*ast.Call); ok {
		f.effect(c)
	} else if x := f.expr(e); !stable(x) {
		f.emit(&ir.Do{X: x, Line: e.ExprPos().Line})
	}
	return &ir.Const{}
}

// open lowers an open expression to want values.
func (f *fn) open(e ast.Expr, want int) []ir.Expr {
	c, ok := e.(*ast.Call)
	if !ok {
		vals := make([]ir.Expr, want)
		for i := range vals {
			vals[i] = f.op(ir.ArgAt, nil, &ir.Ref{Var: f.out.Args}, &ir.Const{V: i})
		}
		return vals
	}
	x := f.finished(f.call(c, false))
	if x.Type() != ir.Multi {
		return f.results(x.(*ir.StaticCall), want, c.OpPos.Line)
	}
	p := f.pair(x, c.OpPos.Line)
	vals := []ir.Expr{&ir.Ref{Var: p.V}}
	for i := 1; i < want; i++ {
		vals = append(vals, &ir.Result{N: p.N, I: i})
	}
	return vals
}

func (f *fn) pair(x ir.Expr, line int) *ir.Pair {
	p := &ir.Pair{V: f.temp("v", ir.Value), N: f.temp("n", ir.Int)}
	f.emit(&ir.Define{Vars: []*ir.Var{p.V, p.N}, X: []ir.Expr{x}, Line: line})
	return p
}

// list lowers an expression list to values and an open rest (a Multi or a
// List, or nil).
func (f *fn) list(es []ast.Expr) (fixed []ir.Expr, open ir.Expr) {
	return f.listAfter(nil, es)
}

// listAfter is list for what follows other operands, which come first in fixed.
func (f *fn) listAfter(head []thunk, es []ast.Expr) (fixed []ir.Expr, open ir.Expr) {
	ts := head
	var more []ir.Expr
	lastOpen := len(es) > 0 && ast.IsOpen(es[len(es)-1])
	for i, e := range es {
		if i == len(es)-1 && lastOpen {
			ts = append(ts, func() ir.Expr {
				more, open = f.rest(e)
				return nil
			})
			break
		}
		ts = append(ts, func() ir.Expr { return f.value(e) })
	}
	vals := f.sequence(ts)
	if !lastOpen {
		return vals, nil
	}
	vals = vals[:len(vals)-1]
	if open != nil && open.Type() == ir.Multi && !settled(vals[len(head):]) {
		// The call's results are joined behind values that must be known before.
		for i := range vals {
			if !stable(vals[i]) {
				vals[i] = f.keep(wishFor(vals[i]), vals[i], 0)
			}
		}
	}
	return append(vals, more...), open
}

func settled(x []ir.Expr) bool {
	for _, e := range x {
		if !stable(e) {
			return false
		}
	}
	return true
}

// rest lowers an open expression in last position: to fixed values when their
// number is known, else to a Multi or List.
func (f *fn) rest(e ast.Expr) (fixed []ir.Expr, open ir.Expr) {
	c, ok := e.(*ast.Call)
	if !ok {
		return nil, &ir.Ref{Var: f.out.Args}
	}
	x := f.finished(f.call(c, false))
	if x.Type() == ir.Multi {
		return nil, x
	}
	s := x.(*ir.StaticCall)
	if len(s.Func.Results) == 1 {
		return []ir.Expr{f.to(s, ir.Value)}, nil
	}
	vals := f.results(s, len(s.Func.Results), c.OpPos.Line)
	for i := range vals {
		vals[i] = f.to(vals[i], ir.Value)
	}
	return vals, nil
}

// fixedArity is the number of results of a call, -1 when it varies.
func (c *chunk) fixedArity(call *ast.Call) int {
	if st := c.facts.Callee(call); st != nil {
		return st.Arity
	}
	return -1
}
