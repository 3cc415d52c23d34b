package guard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// A panic on a goroutine that nobody guards ends the process.
func TestGo(t *testing.T) {
	reports := make(chan *Defect, 1)
	before := receiver.Load()
	ReportTo(func(d *Defect) { reports <- d })
	defer receiver.Store(before)
	Go(func() { panic("boom") })
	d := <-reports
	if text := d.Error(); !strings.HasPrefix(text, "internal error: boom in guard.TestGo.") || !strings.Contains(text, "guard_test.go:") || strings.Contains(text, "\n") {
		t.Errorf("got %q", text)
	}
}

// TestGoroutines walks the source: goroutines start in Go, and functions of timers
// begin with a deferred guard.Stop.
func TestGoroutines(t *testing.T) {
	for _, dir := range []string{"..", "../../phases"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && path != "../guard/guard.go" {
				checkGoroutines(t, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func checkGoroutines(t *testing.T, path string) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	guarded := map[string]bool{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && beginsGuarded(f.Body) {
			guarded[f.Name.Name] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: a bare go statement: use Go of package guard, which survives a panic", set.Position(n.Pos()))
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "AfterFunc" && !isGuarded(n.Args[len(n.Args)-1], guarded) {
				t.Errorf("%s: the function of AfterFunc must begin with: defer guard.Stop()", set.Position(n.Pos()))
			}
		}
		return true
	})
}

// isGuarded reports whether the function that e names or is begins with a guard.Stop.
func isGuarded(e ast.Expr, guarded map[string]bool) bool {
	switch e := e.(type) {
	case *ast.FuncLit:
		return beginsGuarded(e.Body)
	case *ast.SelectorExpr:
		return guarded[e.Sel.Name]
	case *ast.Ident:
		return guarded[e.Name]
	}
	return false
}

func beginsGuarded(body *ast.BlockStmt) bool {
	if body == nil || len(body.List) == 0 {
		return false
	}
	d, ok := body.List[0].(*ast.DeferStmt)
	if !ok {
		return false
	}
	f, ok := d.Call.Fun.(*ast.SelectorExpr)
	return ok && f.Sel.Name == "Stop"
}
