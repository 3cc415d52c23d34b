package transpile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/emit"
	"github.com/moonphase/moonphase/transpile/internal/ir"
	"github.com/moonphase/moonphase/transpile/internal/resolve"
)

// Kinds that no walk knows.
type (
	newStmt   struct{ ast.S }
	newExpr   struct{ ast.E }
	newIRStmt struct{ ir.Stmt }
	newIRExpr struct{ ir.Expr }
)

func (newIRExpr) Type() ir.Type { return ir.Value }

// TestUnknownKinds feeds walks over a tree a kind of statement and of expression
// that it does not know: whoever adds one must hear of every walk. infer and lower
// have tests of their own, as they run upon each other.
func TestUnknownKinds(t *testing.T) {
	chunk := func(s ast.Stmt) *ast.Chunk {
		return &ast.Chunk{Main: &ast.Func{Body: &ast.Block{Stmts: []ast.Stmt{s}}}}
	}
	expr := func() ast.Stmt { return &ast.ReturnStmt{Exprs: []ast.Expr{newExpr{}, &ast.NilExpr{}}} }
	irChunk := func(s ir.Stmt) *ir.Chunk {
		return &ir.Chunk{Name: "X", Main: &ir.Func{Name: "X", Body: []ir.Stmt{s}}}
	}
	irExpr := func() ir.Stmt { return &ir.Return{X: []ir.Expr{newIRExpr{}}} }
	visit := func(any) bool { return true }
	for name, walk := range map[string]func(){
		"ast.Walk":              func() { ast.Walk("no node at all", visit) },
		"ast.Walk statement":    func() { ast.Walk(newStmt{}, visit) },
		"ast.Walk expression":   func() { ast.Walk(newExpr{}, visit) },
		"resolve statement":     func() { resolve.Resolve("x", chunk(newStmt{})) },
		"resolve expression":    func() { resolve.Resolve("x", chunk(expr())) },
		"ir.Walk":               func() { ir.Walk(newIRExpr{}, func(ir.Expr) {}) },
		"ir.Exprs":              func() { ir.Exprs(newIRStmt{}) },
		"ir.Inner":              func() { ir.Inner(newIRStmt{}) },
		"ir.CountReads":         func() { ir.CountReads(irChunk(irExpr())) },
		"ir.Check statement":    func() { _ = ir.Check(irChunk(newIRStmt{})) },
		"ir.Check expression":   func() { _ = ir.Check(irChunk(irExpr())) },
		"ir.Print statement":    func() { ir.Print(irChunk(newIRStmt{})) },
		"ir.Print expression":   func() { ir.Print(irChunk(irExpr())) },
		"emit.Chunk statement":  func() { _, _ = emit.Chunk(irChunk(newIRStmt{}), emit.Options{}) },
		"emit.Chunk expression": func() { _, _ = emit.Chunk(irChunk(irExpr()), emit.Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, "does not know") {
					t.Errorf("got %s", got)
				}
			}()
			walk()
		})
	}
}
