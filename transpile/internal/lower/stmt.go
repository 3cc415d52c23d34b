package lower

import (
	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/infer"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// block lowers the statements of b into the current Go block.
func (f *fn) block(b *ast.Block) {
	f.dead = false
	f.stmts(b, 0, len(b.Stmts))
	f.comments(b.End)
}

// body lowers b as a Go block of its own.
func (f *fn) body(b *ast.Block) []ir.Stmt {
	return f.into(func() { f.block(b) })
}

// run lowers statements lo to hi, which contain no goto target that needs a
// block. What cannot be reached is left out.
func (f *fn) run(b *ast.Block, lo, hi int) {
	for i := lo; i < hi; i++ {
		s := b.Stmts[i]
		if _, ok := s.(*ast.LabelStmt); f.dead && !ok {
			continue
		}
		f.comments(s.StmtPos())
		f.stmt(s)
	}
}

func (f *fn) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.LocalStmt:
		f.local(s)
	case *ast.LocalFuncStmt:
		f.localFunc(s)
	case *ast.AssignStmt:
		f.assign(s)
	case *ast.CallStmt:
		f.effect(s.Call)
	case *ast.DoStmt:
		f.emit(&ir.Block{Body: f.body(s.Body)})
	case *ast.WhileStmt:
		f.while(s)
	case *ast.RepeatStmt:
		f.repeat(s)
	case *ast.IfStmt:
		f.ifs(s, 0)
	case *ast.NumForStmt:
		f.numFor(s)
	case *ast.GenForStmt:
		f.genFor(s)
	case *ast.ReturnStmt:
		f.ret(s)
		f.dead = true
	case *ast.BreakStmt:
		f.emit(&ir.Break{})
		f.dead = true
	case *ast.GotoStmt:
		f.jump(s)
		f.dead = true
	case *ast.LabelStmt:
		f.place(s)
	default:
		ast.Unknown("lower", s)
	}
}

// effect evaluates a call and drops its results.
func (f *fn) effect(c *ast.Call) {
	x := f.call(c, false)
	f.emit(&ir.Do{X: f.finished(x), Line: c.OpPos.Line})
}

// ifs lowers the clauses of s from the i-th on.
func (f *fn) ifs(s *ast.IfStmt, i int) {
	c := s.Clauses[i]
	cond := f.cond(c.Cond)
	st := &ir.If{Cond: cond, Line: c.Pos.Line}
	if k, ok := cond.(*ir.Const); ok {
		f.decided(s, i, k.V == true)
		return
	}
	st.Then = f.body(c.Body)
	dead := f.dead
	f.dead = false
	switch {
	case i+1 < len(s.Clauses):
		st.Else = f.into(func() { f.ifs(s, i+1) })
		dead = dead && f.dead
	case s.Else != nil:
		st.Else = f.body(s.Else)
		dead = dead && f.dead
	default:
		dead = false
	}
	f.dead = dead
	f.emit(st)
}

// decided lowers an if whose i-th condition is a constant.
func (f *fn) decided(s *ast.IfStmt, i int, yes bool) {
	switch {
	case yes:
		f.emit(&ir.Block{Body: f.body(s.Clauses[i].Body)})
	case i+1 < len(s.Clauses):
		f.ifs(s, i+1)
	case s.Else != nil:
		f.emit(&ir.Block{Body: f.body(s.Else)})
	}
}

// ret lowers a return statement.
func (f *fn) ret(s *ast.ReturnStmt) {
	if len(s.Exprs) == 1 && ast.IsOpen(s.Exprs[0]) {
		f.tail, _ = s.Exprs[0].(*ast.Call)
	}
	if f.static != nil {
		f.retStatic(s)
		return
	}
	f.retOpen(s)
}

// retOpen returns any number of values.
func (f *fn) retOpen(s *ast.ReturnStmt) {
	line := s.Pos.Line
	n := len(s.Exprs)
	if n == 1 && ast.IsOpen(s.Exprs[0]) {
		if c, ok := s.Exprs[0].(*ast.Call); ok && f.retCall(c) {
			return
		}
	}
	fixed, open := f.list(s.Exprs)
	if open == nil {
		x := f.operandsTail(fixed)
		f.leave()
		f.emit(&ir.Return{X: x, Line: line})
		return
	}
	list := ir.Expr(open)
	if len(fixed) > 0 || open.Type() == ir.Multi {
		list = &ir.Join{Fixed: fixed, Open: open}
	}
	if f.out.Weight > 0 && calls(list) {
		list = f.keep("list", list, line)
	}
	f.leave()
	f.emit(&ir.ReturnList{X: list, Line: line})
}

// operandsTail makes sure that no direct call happens after Leave.
func (f *fn) operandsTail(x []ir.Expr) []ir.Expr {
	if f.out.Weight == 0 {
		return x
	}
	last := -1
	for i := range x {
		if calls(x[i]) {
			last = i
		}
	}
	for i := 0; i <= last; i++ {
		if !stable(x[i]) || calls(x[i]) {
			x[i] = f.keep("r", x[i], 0)
		}
	}
	return x
}

// retCall returns all results of a call; false when it has a fixed number.
func (f *fn) retCall(c *ast.Call) bool {
	x := f.call(c, true)
	switch x := x.(type) {
	case *ir.Call:
		f.leave()
		x.Tail = true
		f.emit(&ir.Return{X: []ir.Expr{x}, Line: c.OpPos.Line})
		return true
	case *ir.StaticCall:
		if len(x.Func.Results) == 1 && x.Func.Results[0] == ir.Multi {
			var m ir.Expr = x
			if f.static != nil && !f.static.Marker {
				m = f.finished(x)
			}
			f.retMulti(m, c.OpPos.Line)
			return true
		}
		vals := f.results(x, len(x.Func.Results), c.OpPos.Line)
		for i := range vals {
			vals[i] = f.to(vals[i], ir.Value)
		}
		vals = f.operandsTail(vals)
		f.leave()
		f.emit(&ir.Return{X: vals, Line: c.OpPos.Line})
		return true
	}
	f.retMulti(x, c.OpPos.Line)
	return true
}

func (f *fn) retMulti(x ir.Expr, line int) {
	if f.out.Weight > 0 {
		v, n := f.temp("v", ir.Value), f.temp("n", ir.Int)
		f.emit(&ir.Define{Vars: []*ir.Var{v, n}, X: []ir.Expr{x}, Line: line})
		f.leave()
		f.emit(&ir.Return{X: []ir.Expr{&ir.Pair{V: v, N: n}}, Line: line})
		return
	}
	f.emit(&ir.Return{X: []ir.Expr{x}, Line: line})
}

// retStatic returns from a static function.
func (f *fn) retStatic(s *ast.ReturnStmt) {
	st := f.static
	if len(s.Exprs) == 1 && f.selfTail(s.Exprs[0]) {
		return
	}
	if st.Arity < 0 {
		f.retOpen(s)
		return
	}
	x := f.exprList(s.Exprs, st.Arity)
	for i := range x {
		x[i] = f.to(x[i], f.out.Results[i])
	}
	x = f.operandsTail(x)
	f.leave()
	f.emit(&ir.Return{X: x, Line: s.Pos.Line})
}

// selfTail lowers `return f(...)` inside f as a jump to its start.
func (f *fn) selfTail(e ast.Expr) bool {
	c, ok := e.(*ast.Call)
	if !ok || f.self == nil || c.Paren || f.c.facts.Callee(c) != f.static {
		return false
	}
	vals := f.exprList(c.Args, len(f.ast.Params))
	set := &ir.Assign{Line: c.OpPos.Line}
	for i, p := range f.ast.Params {
		v := f.c.vars[p]
		x := f.to(vals[i], v.Type)
		if r, ok := x.(*ir.Ref); ok && r.Var == v {
			continue
		}
		set.Vars = append(set.Vars, v)
		set.X = append(set.X, x)
	}
	if len(set.Vars) > 0 {
		f.emit(set)
	}
	next := &ir.Continue{}
	if len(f.loops) > 0 {
		f.self.Label = "again"
		next.Label = "again"
	}
	f.emit(next)
	return true
}

// localFunc lowers `local function`.
func (f *fn) localFunc(s *ast.LocalFuncStmt) {
	if f.defineStatic(s.Local, s.Func.Func, ir.Whole) {
		return
	}
	v := f.variable(s.Local, true)
	v.Type = ir.Value
	if refers(s.Func.Func, s.Local) {
		f.emit(&ir.Declare{Vars: []*ir.Var{v}})
		f.emit(&ir.Assign{Vars: []*ir.Var{v}, X: []ir.Expr{f.closure(s.Func.Func)}, Line: s.Pos.Line})
		return
	}
	f.emit(&ir.Define{Vars: []*ir.Var{v}, X: []ir.Expr{f.closure(s.Func.Func)}, Line: s.Pos.Line})
}

// refers reports whether fn uses l.
func refers(fn *ast.Func, l *ast.Local) bool {
	for _, u := range fn.Upvalues {
		if u == l {
			return true
		}
	}
	return false
}

// defineStatic lowers the definition of a local function that is only called.
func (f *fn) defineStatic(l *ast.Local, a *ast.Func, mode ir.DefineMode) bool {
	st := f.c.facts.Static(a)
	if st == nil {
		return false
	}
	out := f.c.staticFunc(st)
	if st.Lifted {
		out.Doc = f.takeComments()
		f.c.function(nil, a, out)
		f.c.out.Lifted = append(f.c.out.Lifted, out)
		return true
	}
	if mode != ir.AssignOnly {
		out.Name = f.scope.Declare(l.Name, false)
	}
	f.c.function(f, a, out)
	f.emit(&ir.DefineFunc{Func: out, Mode: mode})
	return true
}

// constant reports whether uses of l in function f are replaced by its value:
// it belongs to an enclosing function.
func (f *fn) constant(l *ast.Local) bool {
	return l.Func != f.ast && infer.Inlined(l)
}
