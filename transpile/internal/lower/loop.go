package lower

import (
	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/goname"
	"github.com/moonphase/moonphase/transpile/internal/infer"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// maxUnpolled is the number of rounds below which a loop with constant bounds
// need not look whether it shall stop.
const maxUnpolled = 256

// loopBody lowers the body of a loop. first runs inside the body's block
// before it.
func (f *fn) loopBody(s ast.Stmt, label *string, b *ast.Block, first, last func()) []ir.Stmt {
	f.loops = append(f.loops, &loop{stmt: s, label: label})
	list := f.into(func() {
		if first != nil {
			first()
		}
		f.block(b)
		if last != nil {
			last()
		}
	})
	f.loops = f.loops[:len(f.loops)-1]
	f.dead = false
	return list
}

func (f *fn) poll() { f.emit(&ir.Poll{}) }

// breaks reports whether something inside b leaves the loop s.
func breaks(s ast.Stmt, b *ast.Block) bool {
	if b == nil {
		return false
	}
	for _, t := range b.Stmts {
		switch t := t.(type) {
		case *ast.BreakStmt:
			if t.Target == s {
				return true
			}
		case *ast.DoStmt:
			if breaks(s, t.Body) {
				return true
			}
		case *ast.IfStmt:
			for _, c := range t.Clauses {
				if breaks(s, c.Body) {
					return true
				}
			}
			if breaks(s, t.Else) {
				return true
			}
		}
	}
	return false
}

func (f *fn) while(s *ast.WhileStmt) {
	out := &ir.For{Line: s.Pos.Line}
	var cond ir.Expr
	f.loops = append(f.loops, &loop{stmt: s, label: &out.Label}) // the condition is inside the loop
	pre := f.aside(func() { cond = f.cond(s.Cond) })
	f.loops = f.loops[:len(f.loops)-1]
	k, constant := cond.(*ir.Const)
	if constant && k.V == false && len(pre) == 0 {
		return
	}
	endless := constant && k.V == true
	if len(pre) == 0 && !endless {
		out.Cond = cond
		pre = nil
	}
	out.Body = f.loopBody(s, &out.Label, s.Body, func() {
		f.poll()
		if out.Cond == nil {
			f.emit(pre...)
			if !endless {
				f.emit(&ir.If{Cond: not(cond), Then: []ir.Stmt{&ir.Break{}}, Line: s.Pos.Line})
			}
		}
	}, nil)
	f.emit(out)
	f.dead = endless && !breaks(s, s.Body)
}

func (f *fn) repeat(s *ast.RepeatStmt) {
	out := &ir.For{Line: s.Pos.Line}
	endless := false
	out.Body = f.loopBody(s, &out.Label, s.Body, f.poll, func() {
		if f.dead {
			return
		}
		cond := f.cond(s.Cond)
		k, constant := cond.(*ir.Const)
		switch {
		case constant && k.V == false:
			endless = true
		case constant:
			f.emit(&ir.Break{})
		default:
			f.emit(&ir.If{Cond: cond, Then: []ir.Stmt{&ir.Break{}}, Line: s.Cond.ExprPos().Line})
		}
	})
	f.emit(out)
	f.dead = endless && !breaks(s, s.Body)
}

// numFor lowers a numeric for to a Go for over int or float64.
func (f *fn) numFor(s *ast.NumForStmt) {
	out := &ir.For{Line: s.Pos.Line}
	integer := f.c.facts.LoopVar(s).Is(infer.Int)
	step, constStep := 1.0, true
	if s.Step != nil {
		step, constStep = infer.Const(s.Step)
		constStep = constStep && step != 0
	}
	exprs := []ast.Expr{s.Start, s.Stop}
	if s.Step != nil && !constStep {
		exprs = append(exprs, s.Step)
	}
	vals := f.operands(exprs, f.expr)
	start, limit := f.forStart(s, vals[0], integer), f.forLimit(s, vals[1], integer, step)
	limit = f.once(limit, "limit")
	var by ir.Expr
	if !constStep {
		by = f.once(f.forValue(vals[2], "step", s.Line), "step")
	}

	t := ir.Float
	if integer {
		t = ir.Int
	}
	outer := f.scope
	f.scope = goname.NewScope(outer)
	i := f.loopVar(s, t)
	out.Init = &ir.Define{Vars: []*ir.Var{i}, X: []ir.Expr{start}, Line: s.Line}
	if constStep {
		out.Cond, out.Post = countTest(i, limit, step, t)
	} else {
		out.Cond = stepTest(i, limit, by)
		out.Post = &ir.Assign{Vars: []*ir.Var{i}, X: []ir.Expr{f.typed(ir.AddF, &ir.Ref{Var: i}, by)}}
	}
	out.Body = f.loopBody(s, &out.Label, s.Body, func() {
		if !short(s, step, constStep) {
			f.poll()
		}
		if f.c.vars[s.Var] == i {
			return
		}
		v := f.variable(s.Var, true)
		f.emit(&ir.Define{Vars: []*ir.Var{v}, X: []ir.Expr{f.to(&ir.Ref{Var: i}, v.Type)}})
	}, nil)
	f.scope = outer
	f.emit(out)
}

// loopVar makes the variable that counts: the script's own unless the body
// assigns to it.
func (f *fn) loopVar(s *ast.NumForStmt, t ir.Type) *ir.Var {
	if s.Var.Assigned == 0 && rep(f.c.facts.Local(s.Var)) == t {
		v := f.variable(s.Var, false)
		v.Type = t
		return v
	}
	return f.temp("at", t)
}

// once makes an expression that is cheap and safe to evaluate every round.
func (f *fn) once(x ir.Expr, wish string) ir.Expr {
	switch y := x.(type) {
	case *ir.Const:
		return x
	case *ir.Ref:
		// A variable that is assigned could change inside the loop.
		if y.Var.Fixed {
			return x
		}
	}
	return f.keep(wish, x, 0)
}

func (f *fn) forValue(x ir.Expr, what string, line int) ir.Expr {
	switch x.Type() {
	case ir.Float, ir.Int:
		return f.to(x, ir.Float)
	}
	return f.raising(ir.ForNum, what, line, f.to(x, ir.Value))
}

func (f *fn) forStart(s *ast.NumForStmt, x ir.Expr, integer bool) ir.Expr {
	if integer {
		return f.to(x, ir.Int)
	}
	return f.forValue(x, "initial value", s.Line)
}

func (f *fn) forLimit(s *ast.NumForStmt, x ir.Expr, integer bool, step float64) ir.Expr {
	if !integer {
		return f.forValue(x, "limit", s.Line)
	}
	if x.Type() == ir.Int {
		return x
	}
	code := ir.ForLimitUp
	if step < 0 {
		code = ir.ForLimitDown
	}
	return f.typed(code, f.forValue(x, "limit", s.Line))
}

// countTest is the condition and the step of a loop whose step is a constant.
func countTest(i *ir.Var, limit ir.Expr, step float64, t ir.Type) (ir.Expr, ir.Stmt) {
	le, ge, add := ir.LeF, ir.GeF, ir.AddF
	var by ir.Expr = &ir.Const{V: step}
	if t == ir.Int {
		le, ge, add = ir.LeI, ir.GeI, ir.AddI
		by = &ir.Const{V: int(step)}
	}
	code := le
	if step < 0 {
		code = ge
	}
	ref := &ir.Ref{Var: i}
	return &ir.Op{Code: code, Args: []ir.Expr{ref, limit}},
		&ir.Assign{Vars: []*ir.Var{i}, X: []ir.Expr{&ir.Op{Code: add, Args: []ir.Expr{ref, by}}}}
}

// stepTest is the condition of a loop whose step is zero or only known at run time.
func stepTest(i *ir.Var, limit, step ir.Expr) ir.Expr {
	return &ir.Op{Code: ir.ForStep, Args: []ir.Expr{&ir.Ref{Var: i}, limit, step}}
}

// short reports whether the loop has few rounds.
func short(s *ast.NumForStmt, step float64, constStep bool) bool {
	a, ok := infer.Const(s.Start)
	b, ok2 := infer.Const(s.Stop)
	return ok && ok2 && constStep && (b-a)/step < maxUnpolled
}

// genFor lowers a generic for.
func (f *fn) genFor(s *ast.GenForStmt) {
	out := &ir.ForIn{Line: s.Line}
	if c, ok := s.Exprs[0].(*ast.Call); ok && len(s.Exprs) == 1 && !c.Paren && f.c.fixedArity(c) < 0 {
		out.X = []ir.Expr{f.finished(f.call(c, false))}
	} else {
		out.X = f.exprList(s.Exprs, 3)
		for i := range out.X {
			out.X[i] = f.to(out.X[i], ir.Value)
		}
	}
	out.Iter = f.temp("it", ir.Void)
	out.Body = f.loopBody(s, &out.Label, s.Body, func() {
		d := &ir.Define{}
		for i, l := range s.Vars {
			v := f.variable(l, true)
			d.Vars = append(d.Vars, v)
			d.X = append(d.X, &ir.IterValue{Iter: out.Iter, I: i})
		}
		f.emit(d)
	}, nil)
	f.emit(out)
}
