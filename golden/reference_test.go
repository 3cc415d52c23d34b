package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases"
	"github.com/moonphase/moonphase/transpile"
)

// TestDocsReference: docs/reference says what the tables of the source say; -update writes it.
func TestDocsReference(t *testing.T) {
	const folder = "../docs/reference"
	have, err := phases.APINames()
	if err != nil {
		t.Fatal(err)
	}
	pages := phases.ReferencePages()
	pages["api.md"] = transpile.APIPage(have)
	stale := false
	for name, want := range pages {
		file := filepath.Join(folder, name)
		got, _ := os.ReadFile(file)
		if string(got) == want {
			continue
		}
		stale = true
		if !*update {
			t.Errorf("%s is stale:\n%s", file, firstChange(string(got), want))
		} else if err := write(file, want); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(folder + "/*")
	for _, file := range files {
		if _, ok := pages[filepath.Base(file)]; ok {
			continue
		}
		stale = true
		if !*update {
			t.Errorf("%s is of no module", file)
		} else if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if stale && !*update {
		t.Error("a directive, a variable or a function has come or gone: run go test ./golden -run DocsReference -update")
	}
}

// firstChange shows the first line of two texts that differs.
func firstChange(got, want string) string {
	is, shall := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(is)-1 && i < len(shall)-1 && is[i] == shall[i] {
		i++
	}
	return fmt.Sprintf("line %d is    %s\n     should be %s", i+1, is[i], shall[i])
}

func write(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
