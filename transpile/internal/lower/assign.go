package lower

import (
	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// local lowers `local a, b = ...`.
func (f *fn) local(s *ast.LocalStmt) {
	line := s.Pos.Line
	if len(s.Locals) == 1 && len(s.Exprs) == 1 {
		f.localOne(s.Locals[0], s.Exprs[0], line)
		return
	}
	if len(s.Exprs) == 0 {
		f.declare(s.Locals)
		return
	}
	if len(s.Exprs) == 1 && f.localCall(s, line) {
		return
	}
	d := &ir.Define{Line: line, X: f.exprList(s.Exprs, len(s.Locals))}
	for i, v := range f.variables(s) {
		d.Vars = append(d.Vars, v)
		d.X[i] = f.to(d.X[i], v.Type)
	}
	f.emit(d)
}

// variables makes the variables of a local statement, whose values are
// evaluated by now.
func (f *fn) variables(s *ast.LocalStmt) []*ir.Var {
	vars := make([]*ir.Var, len(s.Locals))
	for i, l := range s.Locals {
		vars[i] = f.variable(l, !mentions(s.Exprs, l.Name))
	}
	return vars
}

// localCall lowers `local a, b = f()`: the first variable takes the call's
// value, the others its further results.
func (f *fn) localCall(s *ast.LocalStmt, line int) bool {
	c, ok := s.Exprs[0].(*ast.Call)
	if !ok || c.Paren {
		return false
	}
	x := f.finished(f.call(c, false))
	if sc, ok := x.(*ir.StaticCall); ok && x.Type() != ir.Multi {
		if f.directly(s, sc) {
			return true
		}
		d := &ir.Define{Line: line, X: f.results(sc, len(s.Locals), c.OpPos.Line)}
		for i, v := range f.variables(s) {
			d.Vars = append(d.Vars, v)
			d.X[i] = f.to(d.X[i], v.Type)
		}
		f.emit(d)
		return true
	}
	n := f.temp("n", ir.Int)
	for i, v := range f.variables(s) {
		if i == 0 {
			f.emit(&ir.Define{Vars: []*ir.Var{v, n}, X: []ir.Expr{x}, Line: line})
			continue
		}
		f.emit(&ir.Define{Vars: []*ir.Var{v}, X: []ir.Expr{&ir.Result{N: n, I: i}}})
	}
	return true
}

// directly defines the locals as the results of a static call, if these are
// enough and held in the same way.
func (f *fn) directly(s *ast.LocalStmt, c *ir.StaticCall) bool {
	if len(c.Func.Results) < len(s.Locals) {
		return false
	}
	for i, l := range s.Locals {
		if rep(f.c.facts.Local(l)) != c.Func.Results[i] {
			return false
		}
	}
	d := &ir.Define{Vars: f.variables(s), X: []ir.Expr{c}, Line: c.Line}
	for len(d.Vars) < len(c.Func.Results) {
		d.Vars = append(d.Vars, nil)
	}
	f.emit(d)
	return true
}

// declare lowers `local a, b`.
func (f *fn) declare(locals []*ast.Local) {
	var vars []*ir.Var
	for _, l := range locals {
		if l.FuncValue != nil && f.c.facts.Static(l.FuncValue) != nil {
			st := f.c.facts.Static(l.FuncValue)
			if out := f.c.staticFunc(st); !st.Lifted {
				out.Name = f.scope.Declare(l.Name, false)
				f.emit(&ir.DefineFunc{Func: out, Mode: ir.DeclareOnly})
			}
			continue
		}
		v := f.variable(l, true)
		v.Type = ir.Value
		vars = append(vars, v)
	}
	if len(vars) > 0 {
		f.emit(&ir.Declare{Vars: vars})
	}
}

// localOne lowers `local x = e`.
func (f *fn) localOne(l *ast.Local, e ast.Expr, line int) {
	if fe, ok := e.(*ast.FuncExpr); ok && l.FuncValue == fe.Func && f.defineStatic(l, fe.Func, ir.Whole) {
		return
	}
	hide := !mentions([]ast.Expr{e}, l.Name)
	if lg, ok := e.(*ast.Logical); ok && !f.simpleLogic(lg) {
		// The variable is filled branch by branch, so it must not hide what the
		// branches read.
		v := f.variable(l, hide)
		f.fill(v, lg, true)
		return
	}
	if g := f.guess(e); g != nil {
		v := f.variable(l, hide)
		f.guessInto(v, g, true)
		return
	}
	x := f.expr(e)
	v := f.variable(l, hide)
	f.emit(&ir.Define{Vars: []*ir.Var{v}, X: []ir.Expr{f.to(x, v.Type)}, Line: line})
}

// mentions reports whether the expressions use a variable called name,
// function bodies left out: they are printed inside the definition too, so they count.
func mentions(es []ast.Expr, name string) bool {
	for _, e := range es {
		if mention(e, name) {
			return true
		}
	}
	return false
}

func mention(e ast.Expr, name string) bool {
	switch e := e.(type) {
	case *ast.Name:
		return e.Name == name
	case *ast.Index:
		return mention(e.Obj, name) || mention(e.Key, name)
	case *ast.Call:
		return e.Fn != nil && mention(e.Fn, name) || e.Obj != nil && mention(e.Obj, name) || mentions(e.Args, name)
	case *ast.Binary:
		return mention(e.L, name) || mention(e.R, name)
	case *ast.Logical:
		return mention(e.L, name) || mention(e.R, name)
	case *ast.Unary:
		return mention(e.X, name)
	case *ast.Table:
		for _, fl := range e.Fields {
			if fl.Key != nil && mention(fl.Key, name) || mention(fl.Value, name) {
				return true
			}
		}
	case *ast.FuncExpr:
		for _, u := range e.Func.Upvalues {
			if u.Name == name {
				return true
			}
		}
	}
	return false
}

// assign lowers an assignment.
func (f *fn) assign(s *ast.AssignStmt) {
	if len(s.Targets) == 1 && len(s.Exprs) == 1 {
		f.assignOne(s.Targets[0], s.Exprs[0], s.Pos.Line)
		return
	}
	f.assignMany(s)
}

func (f *fn) assignOne(t, e ast.Expr, line int) {
	switch t := t.(type) {
	case *ast.Name:
		if t.Local == nil {
			x := f.value(e)
			f.emit(&ir.Do{X: f.global(ir.SetGlobal, t, x), Line: line})
			return
		}
		f.assignLocal(t.Local, e, line)
	case *ast.Index:
		if f.appends(t, e) {
			return
		}
		f.emitStore(f.operandsStore(t, e), t)
	}
}

func (f *fn) assignLocal(l *ast.Local, e ast.Expr, line int) {
	if fe, ok := e.(*ast.FuncExpr); ok && l.FuncValue == fe.Func && f.defineStatic(l, fe.Func, ir.AssignOnly) {
		return
	}
	v := f.c.vars[l]
	if lg, ok := e.(*ast.Logical); ok && !f.simpleLogic(lg) {
		if n, ok := lg.L.(*ast.Name); ok && n.Local == l && v.Type == ir.Value && !v.Unstable {
			f.refill(v, lg)
			return
		}
		x := f.expr(e)
		f.emit(&ir.Assign{Vars: []*ir.Var{v}, X: []ir.Expr{f.to(x, v.Type)}, Line: line})
		return
	}
	if g := f.guess(e); g != nil {
		f.guessInto(v, g, false)
		return
	}
	x := f.to(f.expr(e), v.Type)
	if r, ok := x.(*ir.Ref); ok && r.Var == v {
		return // x = x
	}
	f.emit(&ir.Assign{Vars: []*ir.Var{v}, X: []ir.Expr{x}, Line: line})
}

// refill lowers `x = x or e` and `x = x and e`.
func (f *fn) refill(v *ir.Var, e *ast.Logical) {
	cond := ir.Expr(f.op(ir.Truthy, nil, &ir.Ref{Var: v}))
	if e.Op == "or" {
		cond = not(cond)
	}
	then := f.into(func() {
		x := f.to(f.expr(e.R), v.Type)
		f.emit(&ir.Assign{Vars: []*ir.Var{v}, X: []ir.Expr{x}, Line: e.R.ExprPos().Line})
	})
	f.emit(&ir.If{Cond: cond, Then: then, Line: e.Pos.Line})
}

// operandsStore evaluates table, key and value of t[k] = e, in this order.
func (f *fn) operandsStore(t *ast.Index, e ast.Expr) []ir.Expr {
	x := f.operands([]ast.Expr{t.Obj, t.Key, e}, f.expr)
	x[0], x[2] = f.to(x[0], ir.Value), f.to(x[2], ir.Value)
	return x
}

// emitStore stores x[2] in table x[0] under key x[1].
func (f *fn) emitStore(x []ir.Expr, t *ast.Index) {
	where := whereOf(t.Obj)
	var op *ir.Op
	switch k := t.Key.(type) {
	case *ast.StringExpr:
		op = f.op(ir.SetField, f.site(nameOf(t.Obj), k.Value), x[0], x[2])
	default:
		code := ir.SetIndex
		switch x[1].Type() {
		case ir.Int:
			code = ir.SetIndexInt
		case ir.Float:
			code = ir.SetIndexNum
		default:
			x[1] = f.to(x[1], ir.Value)
		}
		op = f.op(code, nil, x...)
	}
	op.Where, op.Line = where, t.Line
	f.emit(&ir.Do{X: op, Line: t.Line})
}

// appends lowers t[#t+1] = e.
func (f *fn) appends(t *ast.Index, e ast.Expr) bool {
	b, ok := t.Key.(*ast.Binary)
	if !ok || b.Op != "+" {
		return false
	}
	u, ok := b.L.(*ast.Unary)
	one, ok2 := b.R.(*ast.NumberExpr)
	if !ok || !ok2 || u.Op != "#" || one.Value != 1 || one.Suffix != "" {
		return false
	}
	n, ok := u.X.(*ast.Name)
	o, ok2 := t.Obj.(*ast.Name)
	if !ok || !ok2 || n.Local == nil || n.Local != o.Local || f.effects(e) {
		return false
	}
	op := f.op(ir.Append, nil, f.value(t.Obj), f.value(e))
	op.Where, op.Line = whereOf(t.Obj), t.Line
	f.emit(&ir.Do{X: op, Line: t.Line})
	return true
}

// effects reports whether evaluating e can run the script's code, which could
// change the table's length in between.
func (f *fn) effects(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.NilExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.NumberExpr, *ast.StringExpr, *ast.FuncExpr:
		return false
	case *ast.Name:
		return e.Local == nil
	case *ast.Binary:
		return f.effects(e.L) || f.effects(e.R) || rep(f.c.facts.Expr(e)) == ir.Value
	case *ast.Table:
		for _, fl := range e.Fields {
			if fl.Key != nil && f.effects(fl.Key) || f.effects(fl.Value) {
				return true
			}
		}
		return false
	}
	return true
}

// target is the left side of an assignment, evaluated.
type target struct {
	name *ast.Name
	idx  *ast.Index
	x    []ir.Expr // table and key
}

// assignMany lowers an assignment of several values: tables and keys first,
// then the values, then the stores from right to left, as LuaJIT does.
func (f *fn) assignMany(s *ast.AssignStmt) {
	targets := make([]target, len(s.Targets))
	allLocal := true
	for i, t := range s.Targets {
		switch t := t.(type) {
		case *ast.Name:
			targets[i] = target{name: t}
			allLocal = allLocal && t.Local != nil
		case *ast.Index:
			allLocal = false
			x := f.operands([]ast.Expr{t.Obj, t.Key}, f.expr)
			for j := range x {
				if !stable(x[j]) || f.assigns(s, x[j]) {
					x[j] = f.keep("t", x[j], t.Line)
				}
			}
			targets[i] = target{idx: t, x: x}
		}
	}
	vals, line := f.exprList(s.Exprs, len(s.Targets)), s.Pos.Line
	if allLocal && f.parallel(targets, vals, line) {
		return
	}
	f.keepAll(vals, func(x ir.Expr) bool { _, ok := x.(*ir.Const); return !ok })
	for i := len(targets) - 1; i >= 0; i-- {
		t := targets[i]
		switch {
		case t.idx != nil:
			f.emitStore([]ir.Expr{f.to(t.x[0], ir.Value), t.x[1], f.to(vals[i], ir.Value)}, t.idx)
		case t.name.Local == nil:
			f.emit(&ir.Do{X: f.global(ir.SetGlobal, t.name, f.to(vals[i], ir.Value)), Line: line})
		default:
			v := f.c.vars[t.name.Local]
			f.emit(&ir.Assign{Vars: []*ir.Var{v}, X: []ir.Expr{f.to(vals[i], v.Type)}, Line: line})
		}
	}
}

// assigns reports whether s gives a new value to a variable that x reads.
func (f *fn) assigns(s *ast.AssignStmt, x ir.Expr) bool {
	found := false
	for _, t := range s.Targets {
		if n, ok := t.(*ast.Name); ok && n.Local != nil {
			v := f.c.vars[n.Local]
			ir.Walk(x, func(e ir.Expr) {
				if r, ok := e.(*ir.Ref); ok && r.Var == v {
					found = true
				}
			})
		}
	}
	return found
}

// parallel assigns to local variables in one Go statement.
func (f *fn) parallel(targets []target, vals []ir.Expr, line int) bool {
	set := &ir.Assign{Line: line}
	seen := map[*ir.Var]bool{}
	for _, t := range targets {
		v := f.c.vars[t.name.Local]
		if v == nil || seen[v] {
			return false
		}
		seen[v] = true
		set.Vars = append(set.Vars, v)
	}
	for i := range vals {
		set.X = append(set.X, f.to(vals[i], set.Vars[i].Type))
	}
	f.emit(set)
	return true
}
