package infer

import "github.com/moonphase/moonphase/transpile/internal/ast"

// walker visits the calls and returns of one function, inner functions left out.
type walker struct {
	// call gets every call: open when any number of its results is used, tail
	// when it is all of a return statement.
	call func(c *ast.Call, open, tail bool)
	ret  func(r *ast.ReturnStmt)
	name func(n *ast.Name) // may be nil
}

func (w *walker) block(b *ast.Block) {
	if b == nil {
		return
	}
	for _, s := range b.Stmts {
		w.stmt(s)
	}
}

func (w *walker) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.LocalStmt:
		w.list(s.Exprs, false)
	case *ast.AssignStmt:
		w.list(s.Targets, false)
		w.list(s.Exprs, false)
	case *ast.CallStmt:
		w.expr(s.Call, false)
	case *ast.DoStmt:
		w.block(s.Body)
	case *ast.WhileStmt:
		w.expr(s.Cond, false)
		w.block(s.Body)
	case *ast.RepeatStmt:
		w.block(s.Body)
		w.expr(s.Cond, false)
	case *ast.IfStmt:
		for _, c := range s.Clauses {
			w.expr(c.Cond, false)
			w.block(c.Body)
		}
		w.block(s.Else)
	case *ast.NumForStmt:
		w.list([]ast.Expr{s.Start, s.Stop}, false)
		if s.Step != nil {
			w.expr(s.Step, false)
		}
		w.block(s.Body)
	case *ast.GenForStmt:
		w.list(s.Exprs, false)
		w.block(s.Body)
	case *ast.ReturnStmt:
		w.ret(s)
		if len(s.Exprs) == 1 && ast.IsOpen(s.Exprs[0]) {
			if c, ok := s.Exprs[0].(*ast.Call); ok {
				w.callee(c)
				w.call(c, true, true)
				return
			}
		}
		w.list(s.Exprs, true)
	case *ast.LocalFuncStmt, *ast.BreakStmt, *ast.GotoStmt, *ast.LabelStmt:
	default:
		ast.Unknown("infer", s)
	}
}

func (w *walker) list(es []ast.Expr, open bool) {
	for i, e := range es {
		w.expr(e, open && i == len(es)-1 && ast.IsOpen(e))
	}
}

func (w *walker) callee(c *ast.Call) {
	if c.Fn != nil {
		w.expr(c.Fn, false)
	} else {
		w.expr(c.Obj, false)
	}
	w.list(c.Args, true)
}

func (w *walker) expr(e ast.Expr, open bool) {
	switch e := e.(type) {
	case *ast.Name:
		if w.name != nil {
			w.name(e)
		}
	case *ast.Index:
		w.expr(e.Obj, false)
		w.expr(e.Key, false)
	case *ast.Call:
		w.callee(e)
		w.call(e, open, false)
	case *ast.Binary:
		w.expr(e.L, false)
		w.expr(e.R, false)
	case *ast.Logical:
		w.expr(e.L, false)
		w.expr(e.R, false)
	case *ast.Unary:
		w.expr(e.X, false)
	case *ast.Table:
		for i, f := range e.Fields {
			if f.Key != nil {
				w.expr(f.Key, false)
			}
			w.expr(f.Value, f.Key == nil && i == len(e.Fields)-1 && ast.IsOpen(f.Value))
		}
	case *ast.NilExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.VarargExpr, *ast.NumberExpr, *ast.StringExpr, *ast.FuncExpr:
	default:
		ast.Unknown("infer", e)
	}
}
