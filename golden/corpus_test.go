package golden

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/transpile"
)

var corpus = flag.String("corpus", "", "a folder of Lua modules for TestCorpus, besides this project's own")

// TestCorpus compiles real Lua files and builds all of the Go at once: the Go compiler
// and go vet must take everything that we print, and in seconds. What LuaJIT refuses
// (collections of modules hold drafts, and code for other Luas) is compiled to the error.
func TestCorpus(t *testing.T) {
	roots := []string{"../examples", "bench/programs"}
	if *corpus != "" {
		roots = append(roots, *corpus)
	}
	var chunks []transpile.Chunk
	for _, root := range roots {
		chunks = append(chunks, corpusChunks(t, root)...)
	}
	if len(chunks) < 10 {
		t.Fatalf("only %d Lua files in %q", len(chunks), roots)
	}
	start := time.Now()
	dir := filepath.Join(".build", "corpus")
	res := writePackage(t, dir, chunks)
	size := 0
	for _, f := range res.Files {
		size += len(f.Data)
	}
	for _, d := range res.Diagnostics {
		if d.Severity == transpile.Error && d.Lua == "" {
			t.Errorf("%s:%d: %s", d.File, d.Line, d.Msg)
		}
	}
	t.Logf("%d modules, %d kB of Go, transpiled in %v", len(chunks), size/1000, time.Since(start).Round(time.Millisecond))
	start = time.Now()
	goTool(t, "vet", "-assign=false", "./"+dir) // what the Lua says twice, the Go says twice
	t.Logf("go vet took %v", time.Since(start).Round(time.Millisecond))
	start = time.Now()
	goTool(t, "build", "./"+dir)
	t.Logf("go build took %v", time.Since(start).Round(time.Millisecond))
}

// corpusChunks are the Lua files below root, each a module.
func corpusChunks(t *testing.T, root string) (chunks []transpile.Chunk) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".lua") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		module := strings.ReplaceAll(strings.TrimSuffix(rel, ".lua"), "/", ".")
		chunks = append(chunks, transpile.Chunk{Key: root + " " + module, Name: "@" + path, Module: module, File: path, Source: src})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return chunks
}
