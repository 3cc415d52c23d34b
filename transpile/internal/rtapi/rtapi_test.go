package rtapi_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/transpile/internal/ir"
	"github.com/moonphase/moonphase/transpile/internal/rtapi"
)

// TestNames finds every name that generated code uses in the runtime's source.
func TestNames(t *testing.T) {
	files, err := filepath.Glob("../../../runtime/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	have := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			declare(have, d)
		}
	}
	want := append(append([]string{}, rtapi.Names...), rtapi.Methods...)
	for _, o := range ir.Ops {
		switch {
		case o.Infix != "" || o.Name == "float64" || o.Name == "int":
		case o.Method:
			want = append(want, "Value."+o.Name)
		default:
			want = append(want, o.Name)
		}
	}
	for _, name := range want {
		if !have[name] {
			t.Errorf("the runtime has no %s", name)
		}
	}
}

func declare(have map[string]bool, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			typ := d.Recv.List[0].Type
			if p, ok := typ.(*ast.StarExpr); ok {
				typ = p.X
			}
			if id, ok := typ.(*ast.Ident); ok {
				name = id.Name + "." + name
			}
		}
		have[name] = true
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				have[s.Name.Name] = true
			case *ast.ValueSpec:
				for _, n := range s.Names {
					have[n.Name] = true
				}
			}
		}
	}
}
