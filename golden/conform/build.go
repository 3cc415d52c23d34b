package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moonphase/moonphase/phases"
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/transpile"
)

// buildDir is where the generated packages and the binary go. A folder whose name
// begins with a dot is outside of ./... and can still be built by path.
const buildDir = "golden/.build/conform"

// packages is how many Go packages the chunks are spread over: a change of one chunk
// compiles one of them.
const packages = 8

// chooseTarget returns the server to test: the given nginx, or ours with the chunks
// of all blocks compiled in.
func chooseTarget(server string, all []*block, work string, race bool) (target, error) {
	if server != "" {
		return oracleTarget(server), nil
	}
	c := newCollection()
	for _, b := range all {
		if err := c.addBlock(b, work); err != nil {
			return target{}, fmt.Errorf("%s: %w", b.ID, err)
		}
	}
	bin, err := c.build(race)
	return target{binary: bin}, err
}

// A collection is the chunks of many blocks on their way into one binary. Inline
// code has ngx_lua's key, so equal code is there once. The files of a block have
// keys that begin with the block's scope, because other blocks have other files of
// the same name; the binary is told the scope when it starts.
type collection struct {
	chunks [packages][]transpile.Chunk
	seen   map[string]bool
	native map[string]bool
}

func newCollection() *collection {
	c := &collection{seen: map[string]bool{}, native: map[string]bool{}}
	names, err := phases.NativeModules()
	if err == nil {
		for _, n := range names {
			c.native[n] = true
		}
	}
	return c
}

// scope is whose files a server sees: those of the block, or of all blocks that HUP
// loads into one server.
func (b *block) scope() string {
	if b.UseHUP {
		return b.file()
	}
	return b.ID
}

// addBlock lays the block's files out as they will be at run time and collects the
// chunks. A configuration that cannot be read is left for the server to refuse.
func (c *collection) addBlock(b *block, work string) error {
	s := b.server(work, target{})
	defer os.RemoveAll(s.dir())
	if err := s.lay(b); err != nil {
		return err
	}
	tree, err := conf.ParseFile(filepath.Join(s.root, "conf", "nginx.conf"))
	if err != nil {
		return nil
	}
	refs, _ := phases.FindChunks(tree.Directives, s.root+"/")
	for _, ref := range refs {
		switch {
		case ref.Path == "":
			c.add(b, transpile.Chunk{Key: ref.Key, Name: ref.Name, Source: []byte(ref.Source)})
		case ref.HasVars:
			files, _ := ref.Files()
			for _, path := range files {
				c.addFile(b, phases.FileKey(path), path)
			}
		default:
			c.addFile(b, ref.Key, ref.Path)
		}
	}
	return c.addModules(b, s.root)
}

// add collects a chunk, and the modules of the system that it requires.
func (c *collection) add(b *block, chunk transpile.Chunk) {
	if c.seen[chunk.Key] {
		return
	}
	c.seen[chunk.Key] = true
	h := fnv.New32a()
	h.Write([]byte(chunk.Key))
	n := h.Sum32() % packages
	chunk.GoName = fmt.Sprintf("p%d_chunk_%d", n, len(c.chunks[n]))
	c.chunks[n] = append(c.chunks[n], chunk)
	facts, _ := transpile.Modules(chunk.Name, chunk.Module, chunk.Source)
	for _, r := range facts.Requires {
		path := filepath.Join("/usr/share/lua/5.1", strings.ReplaceAll(r.Module, ".", "/")+".lua")
		if src, err := os.ReadFile(path); err == nil && !c.native[r.Module] {
			c.add(b, transpile.Chunk{Key: "module " + r.Module, Name: "@" + path, Module: r.Module, Source: src})
		}
	}
}

// scopeMark ends the scope in a key.
const scopeMark = "\t"

func (c *collection) addFile(b *block, key, path string) {
	if src, err := os.ReadFile(path); err == nil {
		c.add(b, transpile.Chunk{Key: b.scope() + scopeMark + key, Name: "@" + path, Source: src})
	}
}

// addModules collects the block's Lua files as modules, named by their path below
// the folder they are in.
func (c *collection) addModules(b *block, root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".lua") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		name := strings.TrimSuffix(rel, ".lua")
		if _, below, ok := strings.Cut(name, "/"); ok {
			name = below
		}
		module := strings.ReplaceAll(name, "/", ".")
		c.add(b, transpile.Chunk{Key: b.scope() + scopeMark + "module " + module, Name: "@" + path,
			Module: b.scope() + scopeMark + module, Source: src})
		return nil
	})
}

// build writes the packages and compiles the binary, unless nothing has changed.
func (c *collection) build(race bool) (string, error) {
	bin, err := filepath.Abs(filepath.Join(buildDir, "server"))
	if err != nil {
		return "", err
	}
	var imports, sets []string
	for n, chunks := range c.chunks {
		name := fmt.Sprintf("lua%d", n)
		res, err := transpile.Transpile(chunks, transpile.Options{Package: name})
		if err != nil {
			return "", err
		}
		if err := writePackage(filepath.Join(buildDir, name), res.Files); err != nil {
			return "", err
		}
		imports = append(imports, fmt.Sprintf("\t%q", "github.com/moonphase/moonphase/"+buildDir+"/"+name))
		sets = append(sets, name+".Chunks")
	}
	text := fmt.Sprintf(serverMain, strings.Join(imports, "\n"), strings.Join(sets, ", "), scopeMark)
	if err := writeChanged(filepath.Join(buildDir, "main.go"), []byte(text)); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-tags=moonphase_coroswitch", "-ldflags=-checklinkname=0", "-o", bin, "./"+buildDir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if race {
		bin += "-race"
		cmd = exec.Command("go", "build", "-race", "-o", bin, "./"+buildDir)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // the detector is a C library
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%.4000s", err, out)
	}
	return bin, nil
}

// serverMain is the binary: it serves with the chunks of one scope.
const serverMain = `// Code generated by golden/conform; DO NOT EDIT.

// Command conform is the server with the Lua of all conformance blocks.
package main

import (
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases"
	rt "github.com/moonphase/moonphase/runtime"

%s
)

func main() {
	scope := os.Getenv("CONFORM_SCOPE")
	var chunks rt.ChunkSet
	for _, set := range []rt.ChunkSet{%s} {
		for _, c := range set {
			if of, key, ok := strings.Cut(c.Key, %q); ok {
				if of != scope {
					continue
				}
				c.Key, c.Module = key, strings.TrimPrefix(c.Module, of+"\t")
			}
			chunks = append(chunks, c)
		}
	}
	// The blocks' files are not where they were when their Lua was compiled.
	os.Exit(phases.Main(os.Args[1:], phases.Binary{Chunks: chunks, Sealed: true}))
}
`

// writePackage makes dir hold exactly the files, leaving unchanged ones alone.
func writePackage(dir string, files []transpile.File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, f := range files {
		keep[f.Name] = true
		if err := writeChanged(filepath.Join(dir, f.Name), f.Data); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !keep[e.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func writeChanged(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return os.WriteFile(path, data, 0o644)
}

// server is the place of a block's server: root and port are the same in every run,
// because code with a path or port in it is compiled.
func (b *block) server(work string, t target) *server {
	port := fmt.Sprint(firstPort + b.place)
	return &server{target: t, root: filepath.Join(work, port, "t", "servroot"), port: port, scope: b.scope()}
}

// firstPort is the port of the first block; the others follow. The range is below
// the one that Linux takes ports of outgoing connections from.
const firstPort = 20000
