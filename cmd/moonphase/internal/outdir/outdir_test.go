package outdir

import (
	"os"
	"path/filepath"
	"testing"
)

func gen(name, body string) File {
	return File{name, []byte(mark + ". DO NOT EDIT.\n" + body)}
}

func TestWriteChangesOnlyWhatDiffers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "edge")
	first := []File{gen("a_lua.go", "a"), gen("b_lua.go", "b")}
	if changes, err := Write(dir, first); err != nil || len(changes) != 2 {
		t.Fatalf("first write: %v changes, error %v; want 2", len(changes), err)
	}
	if changes, err := Write(dir, first); err != nil || len(changes) != 0 {
		t.Fatalf("second write: %v changes, error %v; want none", len(changes), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hand.go"), []byte("package edge\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	changes, err := Write(dir, []File{gen("a_lua.go", "a2")})
	if err != nil {
		t.Fatal(err)
	}
	if len(changes) != 2 || changes[0].Name != "a_lua.go" || changes[1].Name != "b_lua.go" || changes[1].New != nil {
		t.Errorf("changes = %+v; want a_lua.go rewritten and the orphan b_lua.go deleted", changes)
	}
	if _, err := os.Stat(filepath.Join(dir, "hand.go")); err != nil {
		t.Errorf("a hand-written file was touched: %v", err)
	}
}

func TestHandWrittenFileInTheWay(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a_lua.go")
	if err := os.WriteFile(path, []byte("package mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir, []File{gen("a_lua.go", "a")}); err == nil {
		t.Error("a hand-written file was overwritten")
	}
	if data, _ := os.ReadFile(path); string(data) != "package mine\n" {
		t.Errorf("file now holds %q", data)
	}
}
