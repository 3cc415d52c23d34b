package golden

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/transpile"
)

// luaShare is where Debian keeps Lua modules: Penlight, lua-resty-core, ngx.*
// and the lua-nginx-* libraries.
const luaShare = "/usr/share/lua/5.1"

// TestCorpus compiles real modules and builds all of the Go at once: the Go
// compiler must take everything that we print, and in seconds.
func TestCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("builds tens of thousands of lines")
	}
	if _, err := os.Stat(luaShare); err != nil {
		t.Skipf("no Lua modules: %v", err)
	}
	var chunks []transpile.Chunk
	err := filepath.WalkDir(luaShare, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".lua") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(luaShare, path)
		module := strings.ReplaceAll(strings.TrimSuffix(rel, ".lua"), "/", ".")
		chunks = append(chunks, transpile.Chunk{Key: module, Name: "@" + path, Module: module, File: path, Source: src})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	dir := filepath.Join(".build", "corpus")
	res := writePackage(t, dir, chunks)
	size := 0
	for _, f := range res.Files {
		size += len(f.Data)
	}
	for _, d := range res.Diagnostics {
		if d.Severity == transpile.Error {
			t.Errorf("%s:%d: %s", d.File, d.Line, d.Msg)
		}
	}
	t.Logf("%d modules, %d kB of Go, transpiled in %v", len(chunks), size/1000, time.Since(start).Round(time.Millisecond))
	start = time.Now()
	goTool(t, "vet", "./"+dir)
	t.Logf("go vet took %v", time.Since(start).Round(time.Millisecond))
	start = time.Now()
	goTool(t, "build", "./"+dir)
	t.Logf("go build took %v", time.Since(start).Round(time.Millisecond))
}
