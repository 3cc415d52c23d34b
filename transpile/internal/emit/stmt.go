package emit

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// stmts prints a list of statements.
func (e *emitter) stmts(g *jen.Group, list []ir.Stmt) {
	blank := func(s ir.Stmt) bool { _, ok := s.(*ir.Blank); return ok }
	for len(list) > 0 && blank(list[0]) {
		list = list[1:]
	}
	for len(list) > 0 && blank(list[len(list)-1]) {
		list = list[:len(list)-1]
	}
	for i := 0; i < len(list); i++ {
		if c, ok := list[i].(*ir.Comment); ok {
			g.Comment(comment(c.Text))
			continue
		}
		if _, ok := list[i].(*ir.Blank); ok {
			g.Line()
			continue
		}
		s := e.stmt(g, list[i])
		if s == nil {
			continue
		}
		if i+1 < len(list) {
			if c, ok := list[i+1].(*ir.Comment); ok && c.Trail && oneLine(list[i]) {
				s.Comment(comment(c.Text))
				i++
			}
		}
		g.Add(s)
	}
}

// oneLine reports whether a statement surely prints on one line.
func oneLine(s ir.Stmt) bool {
	switch s.(type) {
	case *ir.Define, *ir.Assign, *ir.Do, *ir.Return:
	default:
		return false
	}
	one := true
	for _, x := range ir.Exprs(s) {
		ir.Walk(x, func(x ir.Expr) {
			if _, ok := x.(*ir.Closure); ok {
				one = false
			}
		})
	}
	return one
}

// at marks the line of the first operation that can fail.
func (e *emitter) at(g *jen.Group, xs ...ir.Expr) {
	if line := ir.FirstLine(xs...); line > 0 {
		g.Comment(mark(line))
		e.cur = line
	}
}

// stmt prints one statement; nil when it has none or printed it into g itself.
func (e *emitter) stmt(g *jen.Group, s ir.Stmt) *jen.Statement {
	switch s := s.(type) {
	case *ir.Define:
		return e.define(g, s)
	case *ir.Assign:
		return e.assign(g, s)
	case *ir.Declare:
		return e.declare(g, s)
	case *ir.Do:
		e.at(g, s.X)
		return e.effect(s.X)
	case *ir.DefineFunc:
		return e.defineFunc(s)
	case *ir.If:
		e.at(g, s.Cond)
		return e.ifs(s)
	case *ir.For:
		return e.loop(g, s)
	case *ir.ForIn:
		return e.forIn(g, s)
	case *ir.Poll:
		return jen.Id("th").Dot("Poll").Call()
	case *ir.Block:
		return jen.BlockFunc(func(g *jen.Group) { e.stmts(g, s.Body) })
	case *ir.Break:
		return label(jen.Break(), s.Label)
	case *ir.Continue:
		return label(jen.Continue(), s.Label)
	case *ir.Goto:
		return jen.Goto().Id(s.Label)
	case *ir.Label:
		return jen.Id(s.Name).Op(":")
	case *ir.Return:
		return e.ret(g, s)
	case *ir.ReturnList:
		e.at(g, s.X)
		return jen.Return(rt("ReturnList").Call(jen.Id("th"), e.expr(s.X)))
	case *ir.Leave:
		return jen.Id("th").Dot("Leave").Call(jen.Lit(s.Weight))
	}
	panic(fmt.Sprintf("emit does not know %T", s))
}

func label(s *jen.Statement, name string) *jen.Statement {
	if name != "" {
		s.Id(name)
	}
	return s
}

// names lists the variables on the left side, _ for those nobody reads.
func names(vars []*ir.Var) (list []jen.Code, used bool) {
	for _, v := range vars {
		if v == nil || v.Reads == 0 {
			list = append(list, jen.Id("_"))
			continue
		}
		used = true
		list = append(list, jen.Id(v.Name))
	}
	return list, used
}

// define prints a definition; what nobody reads is only evaluated.
func (e *emitter) define(g *jen.Group, s *ir.Define) *jen.Statement {
	left, used := names(s.Vars)
	if !used {
		return e.dropped(g, s.X)
	}
	e.at(g, s.X...)
	return jen.List(left...).Op(":=").Add(e.values(s.X, true))
}

// dropped evaluates what has an effect.
func (e *emitter) dropped(g *jen.Group, xs []ir.Expr) *jen.Statement {
	var last *jen.Statement
	for _, x := range xs {
		if ir.Inert(x) {
			continue
		}
		if last != nil {
			g.Add(last)
		}
		e.at(g, x)
		last = e.effect(x)
	}
	return last
}

func (e *emitter) values(xs []ir.Expr, define bool) *jen.Statement {
	var list []jen.Code
	for _, x := range xs {
		if k, ok := x.(*ir.Const); ok && define {
			list = append(list, e.constant(k, true))
			continue
		}
		list = append(list, e.expr(x))
	}
	return jen.List(list...)
}

func (e *emitter) assign(g *jen.Group, s *ir.Assign) *jen.Statement {
	left, used := names(s.Vars)
	if !used {
		return e.dropped(g, s.X)
	}
	e.at(g, s.X...)
	return jen.List(left...).Op("=").Add(e.values(s.X, false))
}

// declare prints var declarations, a line for each type.
func (e *emitter) declare(g *jen.Group, s *ir.Declare) *jen.Statement {
	var last *jen.Statement
	for i := 0; i < len(s.Vars); {
		t := s.Vars[i].Type
		var list []jen.Code
		for ; i < len(s.Vars) && s.Vars[i].Type == t; i++ {
			if s.Vars[i].Reads > 0 {
				list = append(list, jen.Id(s.Vars[i].Name))
			}
		}
		if len(list) == 0 {
			continue
		}
		if last != nil {
			g.Add(last)
		}
		last = jen.Var().List(list...).Add(goType(t))
	}
	return last
}

// effect prints an expression statement: Go only allows calls.
func (e *emitter) effect(x ir.Expr) *jen.Statement {
	switch y := x.(type) {
	case *ir.First:
		return e.effect(y.X)
	case *ir.Op:
		if len(y.Args) == 1 && !ir.Ops[y.Code].Raises() {
			return e.effect(y.Args[0])
		}
		if ir.Ops[y.Code].Raises() || y.Code == ir.SetList {
			return e.expr(x)
		}
	case *ir.Call, *ir.StaticCall, *ir.Finish:
		return e.expr(x)
	case *ir.Select, *ir.EnvCall:
		return e.expr(x)
	}
	return jen.Id("_").Op("=").Add(e.expr(x))
}

// defineFunc prints a static function that needs its surroundings.
func (e *emitter) defineFunc(s *ir.DefineFunc) *jen.Statement {
	f := s.Func
	if s.Mode == ir.DeclareOnly {
		if f.Calls == 0 {
			return nil
		}
		return jen.Var().Id(f.Name).Func().Add(e.staticParams(f)).Add(results(f))
	}
	e.names.literal(f, e.fn)
	lit := jen.Func().Add(e.staticParams(f)).Add(results(f)).BlockFunc(e.body(f))
	switch {
	case f.Calls == 0:
		return jen.Id("_").Op("=").Add(lit)
	case s.Mode == ir.AssignOnly:
		return jen.Id(f.Name).Op("=").Add(lit)
	case f.Recursive:
		return jen.Var().Id(f.Name).Func().Add(e.staticParams(f)).Add(results(f)).
			Line().Id(f.Name).Op("=").Add(lit)
	}
	return jen.Id(f.Name).Op(":=").Add(lit)
}

func (e *emitter) block(list []ir.Stmt) func(*jen.Group) {
	return func(g *jen.Group) { e.stmts(g, list) }
}

func (e *emitter) ifs(s *ir.If) *jen.Statement {
	out := jen.If(e.expr(s.Cond)).BlockFunc(e.block(s.Then))
	if len(s.Else) == 0 {
		return out
	}
	if next, ok := s.Else[0].(*ir.If); ok && len(s.Else) == 1 {
		e.cur = -1 // the line of "} else if" is not known
		return out.Else().Add(e.ifs(next))
	}
	return out.Else().BlockFunc(e.block(s.Else))
}

func (e *emitter) loop(g *jen.Group, s *ir.For) *jen.Statement {
	out := jen.Null()
	if s.Label != "" {
		out = jen.Id(s.Label).Op(":").Line()
	}
	e.cur = -1
	if s.Init == nil && s.Post == nil {
		if s.Cond == nil {
			return out.For().BlockFunc(e.block(s.Body))
		}
		e.at(g, s.Cond)
		return out.For(e.expr(s.Cond)).BlockFunc(e.block(s.Body))
	}
	var head []jen.Code
	init := s.Init.(*ir.Define)
	e.at(g, append(ir.Exprs(init), s.Cond)...)
	head = append(head, jen.Id(init.Vars[0].Name).Op(":=").Add(e.values(init.X, true)))
	head = append(head, e.expr(s.Cond), e.post(s.Post))
	return out.For(head...).BlockFunc(e.block(s.Body))
}

// post prints the step of a loop: i++, i-- or i = i + step.
func (e *emitter) post(s ir.Stmt) *jen.Statement {
	a := s.(*ir.Assign)
	name := jen.Id(a.Vars[0].Name)
	if o, ok := a.X[0].(*ir.Op); ok {
		if k, ok := o.Args[1].(*ir.Const); ok {
			switch {
			case k.V == 1 || k.V == 1.0:
				return name.Op("++")
			case k.V == -1 || k.V == -1.0:
				return name.Op("--")
			}
		}
	}
	return name.Op("=").Add(e.expr(a.X[0]))
}

func (e *emitter) forIn(g *jen.Group, s *ir.ForIn) *jen.Statement {
	if s.Line > 0 && len(s.X) == 3 {
		g.Comment(mark(s.Line))
		e.cur = s.Line
	} else {
		e.at(g, s.X...)
	}
	it := jen.Id(s.Iter.Name)
	if len(s.X) == 1 {
		g.Add(it.Clone().Op(":=").Id("th").Dot("ForIn").Add(e.splat(s.X[0])))
	} else {
		g.Add(it.Clone().Op(":=").Add(rt("ForIn")).Call(
			jen.Id("th"), e.expr(s.X[0]), e.expr(s.X[1]), e.expr(s.X[2]), jen.Lit("")))
	}
	out := jen.Null()
	if s.Label != "" {
		out = jen.Id(s.Label).Op(":").Line()
	}
	if s.Line > 0 {
		g.Comment(mark(s.Line))
		e.cur = s.Line
	}
	return out.For(it.Clone().Dot("Next").Call(jen.Id("th"))).BlockFunc(e.block(s.Body))
}

// splat prints the argument list that a Multi makes.
func (e *emitter) splat(x ir.Expr) *jen.Statement {
	if p, ok := x.(*ir.Pair); ok {
		return jen.Call(jen.Id(p.V.Name), jen.Id(p.N.Name))
	}
	return jen.Call(e.expr(x))
}

func (e *emitter) ret(g *jen.Group, s *ir.Return) *jen.Statement {
	e.at(g, s.X...)
	multi := e.fn.Kind == ir.Main || e.fn.Kind == ir.Dynamic
	if len(e.fn.Results) == 1 && e.fn.Results[0] == ir.Multi {
		multi = true
	}
	if len(s.X) == 1 && s.X[0].Type() == ir.Multi {
		if p, ok := s.X[0].(*ir.Pair); ok {
			return jen.Return(jen.Id(p.V.Name), jen.Id(p.N.Name))
		}
		return jen.Return(e.expr(s.X[0]))
	}
	if !multi {
		return jen.Return(e.exprs(s.X)...)
	}
	switch n := len(s.X); n {
	case 0:
		return jen.Return(rt("Nil"), jen.Lit(0))
	case 1:
		return jen.Return(e.expr(s.X[0]), jen.Lit(1))
	case 2, 3:
		return jen.Return(rt("Return" + string(rune('0'+n))).Call(append([]jen.Code{jen.Id("th")}, e.exprs(s.X)...)...))
	}
	return jen.Return(rt("ReturnN").Call(append([]jen.Code{jen.Id("th")}, e.exprs(s.X)...)...))
}
