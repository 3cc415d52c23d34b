package ast

import "fmt"

// Unknown stops a walk at a statement or expression that it has no case for: one
// that it passed over in silence would be left out of the program.
func Unknown(walk string, node any) {
	panic(fmt.Sprintf("%s does not know %T", walk, node))
}

// Walk calls visit for every statement and expression below n, n itself
// included, in program order, and into functions. n is a *Block, Stmt or Expr.
// visit returns false to skip what is inside.
func Walk(n any, visit func(n any) bool) {
	switch n := n.(type) {
	case *Block:
		for _, s := range n.Stmts {
			Walk(s, visit)
		}
	case Stmt:
		if visit(n) {
			walkStmt(n, visit)
		}
	case Expr:
		if visit(n) {
			walkExpr(n, visit)
		}
	default:
		Unknown("ast.Walk", n)
	}
}

func walkExprs(es []Expr, visit func(any) bool) {
	for _, e := range es {
		Walk(e, visit)
	}
}

func walkStmt(s Stmt, visit func(any) bool) {
	switch s := s.(type) {
	case *LocalStmt:
		walkExprs(s.Exprs, visit)
	case *LocalFuncStmt:
		Walk(s.Func, visit)
	case *AssignStmt:
		walkExprs(s.Targets, visit)
		walkExprs(s.Exprs, visit)
	case *CallStmt:
		Walk(s.Call, visit)
	case *DoStmt:
		Walk(s.Body, visit)
	case *WhileStmt:
		Walk(s.Cond, visit)
		Walk(s.Body, visit)
	case *RepeatStmt:
		Walk(s.Body, visit)
		Walk(s.Cond, visit)
	case *IfStmt:
		for _, c := range s.Clauses {
			Walk(c.Cond, visit)
			Walk(c.Body, visit)
		}
		if s.Else != nil {
			Walk(s.Else, visit)
		}
	case *NumForStmt:
		Walk(s.Start, visit)
		Walk(s.Stop, visit)
		if s.Step != nil {
			Walk(s.Step, visit)
		}
		Walk(s.Body, visit)
	case *GenForStmt:
		walkExprs(s.Exprs, visit)
		Walk(s.Body, visit)
	case *ReturnStmt:
		walkExprs(s.Exprs, visit)
	case *BreakStmt, *GotoStmt, *LabelStmt:
	default:
		Unknown("ast.Walk", s)
	}
}

func walkExpr(e Expr, visit func(any) bool) {
	switch e := e.(type) {
	case *Index:
		Walk(e.Obj, visit)
		Walk(e.Key, visit)
	case *Call:
		if e.Fn != nil {
			Walk(e.Fn, visit)
		} else {
			Walk(e.Obj, visit)
		}
		walkExprs(e.Args, visit)
	case *FuncExpr:
		Walk(e.Func.Body, visit)
	case *Binary:
		Walk(e.L, visit)
		Walk(e.R, visit)
	case *Logical:
		Walk(e.L, visit)
		Walk(e.R, visit)
	case *Unary:
		Walk(e.X, visit)
	case *Table:
		for _, f := range e.Fields {
			if f.Key != nil {
				Walk(f.Key, visit)
			}
			Walk(f.Value, visit)
		}
	case *NilExpr, *TrueExpr, *FalseExpr, *VarargExpr, *NumberExpr, *StringExpr, *Name:
	default:
		Unknown("ast.Walk", e)
	}
}

// GlobalPath is the path of globals that e surely reads, as "ngx.req.socket": the
// names themselves, or those that a never-reassigned local was declared with
// (`local sock = ngx.req.socket`); _G.x is x. It is "" for everything else. It
// needs resolve.
func GlobalPath(e Expr) string { return globalPath(e, maxPath) }

// maxPath bounds the names in a path; no API comes near it.
const maxPath = 16

func globalPath(e Expr, left int) string {
	if left == 0 {
		return ""
	}
	switch e := e.(type) {
	case *Name:
		switch {
		case e.Local == nil:
			return e.Name
		case e.Local.Assigned == 0 && e.Local.Init != nil:
			return globalPath(e.Local.Init, left-1)
		}
	case *Index:
		key, ok := e.Key.(*StringExpr)
		if !ok {
			return ""
		}
		switch obj := globalPath(e.Obj, left-1); obj {
		case "":
		case "_G":
			return key.Value
		default:
			return obj + "." + key.Value
		}
	}
	return ""
}
