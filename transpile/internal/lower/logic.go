package lower

import (
	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/goname"
	"github.com/moonphase/moonphase/transpile/internal/infer"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// not negates a condition.
func not(x ir.Expr) ir.Expr {
	switch x := x.(type) {
	case *ir.Const:
		return &ir.Const{V: x.V != true}
	case *ir.Not:
		return x.X
	}
	return &ir.Not{X: x}
}

// cond lowers e as a condition.
func (f *fn) cond(e ast.Expr) ir.Expr {
	switch e := e.(type) {
	case *ast.Unary:
		if e.Op == "not" {
			return not(f.cond(e.X))
		}
	case *ast.Logical:
		return f.condLogical(e)
	}
	x := f.expr(e)
	if k, ok := x.(*ir.Const); ok {
		return &ir.Const{V: k.V != nil && k.V != false}
	}
	if x.Type() == ir.Bool {
		return x
	}
	if k := f.c.facts.Expr(e); k.AlwaysTrue() || k.AlwaysFalse() {
		if !stable(x) {
			f.emit(&ir.Do{X: x, Line: e.ExprPos().Line})
		}
		return &ir.Const{V: k.AlwaysTrue()}
	}
	return f.op(ir.Truthy, nil, f.to(x, ir.Value))
}

func (f *fn) condLogical(e *ast.Logical) ir.Expr {
	and := e.Op == "and"
	l := f.cond(e.L)
	if k, ok := l.(*ir.Const); ok {
		if (k.V == true) != and {
			return l
		}
		return f.cond(e.R)
	}
	var r ir.Expr
	var pre []ir.Stmt
	// If the right side needs statements, they run only when it is reached: a
	// block of its own then, so it is lowered in one.
	scope := f.scope
	f.scope = goname.NewScope(scope)
	pre = f.aside(func() { r = f.cond(e.R) })
	f.scope = scope
	if len(pre) == 0 {
		return logic(and, l, r)
	}
	v := f.keep("ok", l, e.Pos.Line)
	test := ir.Expr(v)
	if !and {
		test = not(v)
	}
	f.emit(&ir.If{Cond: test, Then: append(pre, &ir.Assign{Vars: []*ir.Var{v.Var}, X: []ir.Expr{r}})})
	return v
}

func logic(and bool, l, r ir.Expr) ir.Expr {
	if k, ok := r.(*ir.Const); ok && (k.V == true) == and {
		return l
	}
	return &ir.Logic{And: and, L: l, R: r}
}

// simpleLogic reports whether e needs no branches: it is a condition, or its
// right sides cost nothing and do nothing.
func (f *fn) simpleLogic(e *ast.Logical) bool {
	switch rep(f.c.facts.Expr(e)) {
	case ir.Bool:
		return true
	case ir.Value:
		l, ok := e.L.(*ast.Logical)
		return pure(e.R) && (!ok || f.simpleLogic(l))
	}
	return false
}

// pure reports whether evaluating e has no effect, cannot fail and is cheap.
func pure(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.NilExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.StringExpr:
		return true
	case *ast.NumberExpr:
		return e.Suffix == ""
	case *ast.Name:
		return e.Local != nil
	}
	return false
}

// logical lowers `and` and `or` as a value.
func (f *fn) logical(e *ast.Logical) ir.Expr {
	k := f.c.facts.Expr(e)
	if rep(k) == ir.Bool && f.c.facts.Expr(e.L).Is(infer.Boolean) {
		return f.condLogical(e)
	}
	if rep(k) != ir.Bool && f.simpleLogic(e) {
		code := ir.Or
		if e.Op == "and" {
			code = ir.And
		}
		x := f.operands([]ast.Expr{e.L, e.R}, f.expr)
		return f.op(code, nil, f.to(x[0], ir.Value), f.to(x[1], ir.Value))
	}
	v := f.temp("v", rep(k))
	f.fill(v, e, true)
	return &ir.Ref{Var: v}
}

// fill puts the value of e into v, which it declares if define is set.
func (f *fn) fill(v *ir.Var, e ast.Expr, define bool) {
	lg, ok := e.(*ast.Logical)
	if !ok || f.simpleLogic(lg) && (v.Type != ir.Bool || f.c.facts.Expr(lg.L).Is(infer.Boolean)) {
		f.set(v, f.expr(e), define)
		return
	}
	facts := f.c.facts
	if lg.Op == "or" {
		if l, ok := lg.L.(*ast.Logical); ok && l.Op == "and" && facts.Expr(l.R).AlwaysTrue() {
			// c and x or y, with x never false: a plain choice.
			f.choose(v, l.L, define,
				func() { f.fill(v, l.R, false) },
				func() { f.fill(v, lg.R, false) })
			return
		}
	} else if facts.Expr(lg.L).Is(infer.Boolean) {
		f.choose(v, lg.L, define,
			func() { f.fill(v, lg.R, false) },
			func() { f.set(v, &ir.Const{V: false}, false) })
		return
	}
	if v.Type != ir.Value {
		f.fillTyped(v, lg, define)
		return
	}
	f.fill(v, lg.L, define)
	test := ir.Expr(f.op(ir.Truthy, nil, &ir.Ref{Var: v}))
	if lg.Op == "or" {
		test = not(test)
	}
	f.emit(&ir.If{Cond: test, Then: f.into(func() { f.fill(v, lg.R, false) }), Line: lg.Pos.Line})
}

// choose emits a choice between two ways to fill v.
func (f *fn) choose(v *ir.Var, c ast.Expr, define bool, yes, no func()) {
	if define {
		f.emit(&ir.Declare{Vars: []*ir.Var{v}})
	}
	cond := f.cond(c)
	if k, ok := cond.(*ir.Const); ok {
		if k.V == true {
			yes()
		} else {
			no()
		}
		return
	}
	f.emit(&ir.If{Cond: cond, Then: f.into(yes), Else: f.into(no), Line: c.ExprPos().Line})
}

// fillTyped fills a typed variable when the left side can be something else,
// which then is not the outcome: false or nil before `or`.
func (f *fn) fillTyped(v *ir.Var, e *ast.Logical, define bool) {
	l := f.keep("v", f.value(e.L), e.Pos.Line)
	if define {
		f.emit(&ir.Declare{Vars: []*ir.Var{v}})
	}
	take := func() { f.set(v, f.to(l, v.Type), false) }
	other := func() { f.fill(v, e.R, false) }
	if e.Op == "and" {
		take, other = other, take
	}
	f.emit(&ir.If{
		Cond: f.op(ir.Truthy, nil, l), Then: f.into(take), Else: f.into(other), Line: e.Pos.Line,
	})
}

func (f *fn) set(v *ir.Var, x ir.Expr, define bool) {
	x = f.to(x, v.Type)
	if define {
		f.emit(&ir.Define{Vars: []*ir.Var{v}, X: []ir.Expr{x}})
		return
	}
	f.emit(&ir.Assign{Vars: []*ir.Var{v}, X: []ir.Expr{x}})
}

// comparison operators: the dynamic, float64 and int forms.
var relations = map[string]struct{ dyn, float, int ir.Code }{
	"<":  {ir.Lt, ir.LtF, ir.LtI},
	"<=": {ir.Le, ir.LeF, ir.LeI},
	">":  {ir.Gt, ir.GtF, ir.GtI},
	">=": {ir.Ge, ir.GeF, ir.GeI},
}

func (f *fn) compare(e *ast.Binary) ir.Expr {
	if e.Op == "==" {
		return f.equal(e)
	}
	if e.Op == "~=" {
		switch x := f.equal(e).(type) {
		case *ir.Op:
			switch x.Code {
			case ir.EqF:
				return &ir.Op{Code: ir.NeF, Args: x.Args}
			case ir.EqI:
				return &ir.Op{Code: ir.NeI, Args: x.Args}
			case ir.EqB:
				return &ir.Op{Code: ir.NeB, Args: x.Args}
			}
			return not(x)
		default:
			return not(x)
		}
	}
	x := f.sides(e)
	r := relations[e.Op]
	if t := f.both(e); t == ir.Int {
		return f.typed(r.int, f.to(x[0], t), f.to(x[1], t))
	} else if t == ir.Float {
		return f.typed(r.float, f.to(x[0], t), f.to(x[1], t))
	}
	return f.guessCompare(r.float, f.raising(r.dyn, "", e.Line, f.to(x[0], ir.Value), f.to(x[1], ir.Value)))
}

// both is the numeric representation that the operands of e share, or Value.
func (f *fn) both(e *ast.Binary) ir.Type {
	l, r := f.c.facts.Expr(e.L), f.c.facts.Expr(e.R)
	switch {
	case l.Is(infer.Int) && r.Is(infer.Int):
		return ir.Int
	case l.Is(infer.Number) && r.Is(infer.Number):
		return ir.Float
	}
	return ir.Value
}

// equal lowers L == R.
func (f *fn) equal(e *ast.Binary) ir.Expr {
	x := f.sides(e)
	if t := f.both(e); t == ir.Int {
		return f.typed(ir.EqI, f.to(x[0], t), f.to(x[1], t))
	} else if t == ir.Float {
		return f.typed(ir.EqF, f.to(x[0], t), f.to(x[1], t))
	}
	if x[0].Type() == ir.Bool && x[1].Type() == ir.Bool {
		return f.typed(ir.EqB, x...)
	}
	if _, ok := x[0].(*ir.Const); ok { // the constant goes second
		x[0], x[1] = x[1], x[0]
	}
	l := f.to(x[0], ir.Value)
	if k, ok := x[1].(*ir.Const); ok {
		switch v := k.V.(type) {
		case nil:
			return f.typed(ir.IsNil, l)
		case string:
			return f.typed(ir.EqString, l, k)
		case int, float64:
			return f.typed(ir.EqNumber, l, f.to(k, ir.Float))
		case bool:
			return f.typed(ir.RawEq, l, f.to(k, ir.Value))
		default:
			_ = v
		}
	}
	for i := range x {
		if t := x[i].Type(); t == ir.Int || t == ir.Float {
			return f.typed(ir.EqNumber, f.to(x[1-i], ir.Value), f.to(x[i], ir.Float))
		}
	}
	r := f.to(x[1], ir.Value)
	const plain = infer.Nil | infer.Boolean | infer.Number | infer.Str | infer.Fun
	if f.c.facts.Expr(e.L).Is(plain) || f.c.facts.Expr(e.R).Is(plain) {
		return f.typed(ir.RawEq, l, r)
	}
	return f.raising(ir.Eq, "", e.Line, l, r)
}
