package infer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// Kinds that no walk knows.
type (
	newStmt struct{ ast.S }
	newExpr struct{ ast.E }
)

// TestUnknownKinds feeds the walks of this package a statement and an expression
// that they do not know.
func TestUnknownKinds(t *testing.T) {
	for name, walk := range map[string]func(){
		"statement":           func() { (&Facts{}).stmt(newStmt{}) },
		"expression":          func() { (&Facts{}).visit(newExpr{}) },
		"kind":                func() { (&Facts{}).expr(newExpr{}) },
		"walker's statement":  func() { (&walker{}).stmt(newStmt{}) },
		"walker's expression": func() { (&walker{}).expr(newExpr{}, false) },
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
