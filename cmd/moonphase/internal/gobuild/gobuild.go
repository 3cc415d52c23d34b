// Package gobuild turns a generated package and a main function into a static
// binary, in a cache folder of the user's so that a build without change
// costs next to nothing.
package gobuild

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"time"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/outdir"
)

// modulePath is the module that generated programs import.
const modulePath = "github.com/moonphase/moonphase"

// Job is one binary to build.
type Job struct {
	// ID names what is built: what stays the same from build to build, such as
	// the absolute path of the nginx.conf.
	ID string
	// Files are the generated package, imported as "moonphase.build/lua".
	Files []outdir.File
	// Main is the source of package main.
	Main []byte
	// Progress gets a line a step; nil is silence.
	Progress io.Writer
}

// Built is a binary in the cache. Until Release, and over an exec of it, no other
// process changes or removes it.
type Built struct {
	Path     string
	Compiled bool // it was not in the cache
	entry    *entry
}

// Release gives the binary back to the cache.
func (b *Built) Release() { b.entry.release() }

// Run builds the job in the cache.
func (j *Job) Run() (*Built, error) {
	cache, err := OpenCache()
	if err != nil {
		return nil, err
	}
	src, err := sourceRoot()
	if err != nil {
		return nil, err
	}
	tool, err := findToolchain(src, cache.Dir)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(j.ID + "\n" + tool.target))
	e, err := cache.enter(hex.EncodeToString(sum[:8]), func() { j.step("waiting for another build of the same program") })
	if err != nil {
		return nil, err
	}
	compiled, err := j.build(e, src, tool)
	if err != nil {
		e.release()
		return nil, err
	}
	if compiled {
		// Trimming is housekeeping: the build is good without it.
		_, _ = cache.Trim(cache.Limit)
	}
	return &Built{e.path(binaryFile), compiled, e}, nil
}

// build brings the entry's binary up to date and returns whether it had to be
// compiled.
func (j *Job) build(e *entry, src string, tool *toolchain) (compiled bool, err error) {
	stamp, err := j.stamp(src, tool)
	if err != nil {
		return false, err
	}
	if old, err := os.ReadFile(e.path(stampFile)); err == nil && string(old) == stamp && ownFile(e.path(binaryFile)) {
		now := time.Now()
		return false, os.Chtimes(e.path(stampFile), now, now)
	}
	// Without a stamp the binary counts for nothing, whenever this process ends.
	if err := os.Remove(e.path(stampFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	if err := j.compile(e, src, tool); err != nil {
		return true, err
	}
	return true, outdir.WriteFile(e.path(stampFile), []byte(stamp), 0o600)
}

// compile writes the sources and builds them. The binary comes under its name when
// it is whole: one that runs keeps its file, and a build that was killed leaves only
// what the next one removes.
func (j *Job) compile(e *entry, src string, tool *toolchain) error {
	j.step("compiling %d Go files", len(j.Files))
	if _, err := outdir.Write(e.path("lua"), j.Files); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(src, "go.mod"))
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(src, "go.sum"))
	if err != nil {
		return err
	}
	for _, f := range []outdir.File{
		{Name: "main.go", Data: j.Main},
		{Name: "go.mod", Data: buildModule(mod, src)},
		{Name: "go.sum", Data: sum},
	} {
		path := e.path(f.Name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, f.Data) {
			continue
		}
		if err := outdir.WriteFile(path, f.Data, 0o600); err != nil {
			return err
		}
	}
	left, _ := filepath.Glob(e.path(binaryFile + ".*"))
	for _, path := range left {
		_ = os.Remove(path)
	}
	fresh := e.path(fmt.Sprintf("%s.%d", binaryFile, os.Getpid()))
	cmd := exec.Command(tool.path, append(append([]string{"build"}, buildArgs...), "-o", fresh, ".")...)
	cmd.Dir, cmd.Env = e.dir, tool.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build failed in %s (an internal error when it names a _lua.go file):\n%s", e.dir, bytes.TrimSpace(out))
	}
	return os.Rename(fresh, e.path(binaryFile))
}

// ownFile reports whether path is a plain file.
func ownFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// buildModule derives the go.mod of the cache folder from the one of our own
// module: the same requirements, so that go.sum fits, and our module taken
// from src.
func buildModule(mod []byte, src string) []byte {
	text := strings.Replace(string(mod), "module "+modulePath, "module moonphase.build", 1)
	return []byte(text + "\nrequire " + modulePath + " v0.0.0\n\nreplace " + modulePath + " => " + quoteModPath(src) + "\n")
}

func quoteModPath(path string) string {
	if strings.ContainsAny(path, " \t\"'`()") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

// Install puts a copy of the binary at path, aside and renamed: a server that
// runs from path keeps its own file.
func (b *Built) Install(path string) error {
	in, err := os.Open(b.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp, err := os.CreateTemp(filepath.Dir(path), ".moonphase-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, in)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o755)
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	return err
}

// sourceRoot finds the folder of our own module: $MOONPHASE_SRC, or where
// this very file was compiled, be it a clone or Go's module cache.
func sourceRoot() (string, error) {
	root := os.Getenv("MOONPHASE_SRC")
	if root == "" {
		_, file, _, _ := goruntime.Caller(0)
		root = filepath.Join(filepath.Dir(file), "..", "..", "..", "..")
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil || !strings.HasPrefix(string(mod), "module "+modulePath+"\n") {
		return "", fmt.Errorf("cannot find the sources of %s at %s (set MOONPHASE_SRC to a clone)", modulePath, root)
	}
	return root, nil
}

func (j *Job) step(format string, args ...any) {
	if j.Progress != nil {
		fmt.Fprintf(j.Progress, "moonphase: "+format+"\n", args...)
	}
}
