package syntax

import (
	"bytes"
	"testing"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/source"
)

// checkPositions wants every position of a tree to point at the text it is for.
func checkPositions(t testing.TB, src []byte, chunk *ast.Chunk) {
	t.Helper()
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		return // columns of the first line are shifted by the mark
	}
	text := source.New(src)
	at := func(p ast.Pos, what string, starts ...string) {
		t.Helper()
		line := text.Line(p.Line)
		if line == nil || p.Col < 1 || p.Col > len(line)+1 {
			t.Fatalf("%s: position %v is outside the text", what, p)
		}
		for _, s := range starts {
			if bytes.HasPrefix(line[p.Col-1:], []byte(s)) {
				return
			}
		}
		if len(starts) > 0 {
			t.Fatalf("%s: %v is at %q, want one of %q", what, p, line[p.Col-1:], starts)
		}
	}
	locals := func(ls []*ast.Local) {
		for _, l := range ls {
			if l.Kind == ast.SelfParam {
				at(l.Pos, "self", "(")
				continue
			}
			at(l.Pos, "local", l.Name)
		}
	}
	ast.Walk(chunk.Main.Body, func(n any) bool {
		switch n := n.(type) {
		case *ast.LocalStmt:
			at(n.Pos, "local statement", "local")
			locals(n.Locals)
		case *ast.LocalFuncStmt:
			at(n.Pos, "local function", "local")
			at(n.Local.Pos, "local function", n.Local.Name)
		case *ast.IfStmt:
			for _, c := range n.Clauses {
				at(c.Pos, "clause", "if", "elseif")
			}
		case *ast.NumForStmt:
			at(n.Pos, "for", "for")
			at(n.Var.Pos, "loop variable", n.Var.Name)
		case *ast.GenForStmt:
			at(n.Pos, "for", "for")
			locals(n.Vars)
		case *ast.LabelStmt:
			at(n.Pos, "label", "::")
			at(n.NamePos, "label", n.Name)
		case *ast.GotoStmt:
			at(n.Pos, "goto", "goto")
			at(n.LabelPos, "goto", n.Label)
		case *ast.BreakStmt:
			at(n.Pos, "break", "break")
		case *ast.ReturnStmt:
			at(n.Pos, "return", "return")
		case *ast.Name:
			at(n.Pos, "name", n.Name)
		case *ast.StringExpr:
			at(n.Pos, "string", "\"", "'", "[", n.Value)
		case *ast.NumberExpr:
			at(n.Pos, "number", ".", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
		case *ast.VarargExpr:
			at(n.Pos, "vararg", "...")
		case *ast.Index:
			at(n.OpPos, "index", ".", "[", ":")
			inside(t, n.Line, text)
		case *ast.Call:
			if n.OpPos.Col != 0 {
				at(n.OpPos, "call", "(", "{", "\"", "'", "[")
			}
			if n.Obj != nil {
				at(n.MPos, "method", n.Method)
			}
		case *ast.FuncExpr:
			at(n.Func.Pos, "function", "function")
			at(n.Func.End, "end of function", "end")
			locals(n.Func.Params)
		case *ast.Binary:
			at(n.OpPos, "operator", n.Op)
			inside(t, n.Line, text)
		case *ast.Logical:
			at(n.OpPos, "operator", n.Op)
		case *ast.Unary:
			at(n.Pos, "operator", n.Op)
			inside(t, n.Line, text)
		case *ast.Table:
			at(n.Pos, "table", "{")
			at(n.End, "end of table", "}")
		}
		switch n := n.(type) {
		case ast.Stmt:
			at(n.StmtPos(), "statement")
		case ast.Expr:
			at(n.ExprPos(), "expression")
		}
		return true
	})
}

func inside(t testing.TB, line int, text *source.File) {
	t.Helper()
	if line < 1 || line > text.Lines() {
		t.Fatalf("line %d is outside the text", line)
	}
}
