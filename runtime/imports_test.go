package runtime

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestImports keeps the package to the standard library and guard, so that scripts build
// without the server, and unsafe to one file, so that its invariants can be reviewed.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if strings.Contains(strings.SplitN(path, "/", 2)[0], ".") && path != "github.com/moonphase/moonphase/runtime/guard" {
				t.Errorf("%s imports %s", name, path)
			}
			// stack_switch.go needs the import for linkname and uses nothing of it.
			linkname := name == "stack_switch.go" && spec.Name != nil && spec.Name.Name == "_"
			if path == "unsafe" && name != "value_unsafe.go" && !linkname {
				t.Errorf("%s imports unsafe", name)
			}
		}
	}
}
