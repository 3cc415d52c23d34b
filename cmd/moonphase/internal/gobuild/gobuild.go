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
	"sort"
	"strings"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/outdir"
)

// modulePath is the module that generated programs import.
const modulePath = "github.com/moonphase/moonphase"

// Job is one binary to build.
type Job struct {
	// ID names the cache folder: what stays the same from build to build,
	// such as the absolute path of the nginx.conf.
	ID string
	// Files are the generated package, imported as "moonphase.build/lua".
	Files []outdir.File
	// Main is the source of package main.
	Main []byte
	// Output is where the binary goes.
	Output string
	// Progress gets a line a step; nil is silence.
	Progress io.Writer
}

// Run builds the job and returns whether anything had to be compiled.
func (j *Job) Run() (compiled bool, err error) {
	dir, err := j.folder()
	if err != nil {
		return false, err
	}
	src, err := sourceRoot()
	if err != nil {
		return false, err
	}
	if _, err := outdir.Write(filepath.Join(dir, "lua"), j.Files); err != nil {
		return false, err
	}
	stamp, err := j.stamp(src)
	if err != nil {
		return false, err
	}
	stampPath, bin := filepath.Join(dir, "stamp"), filepath.Join(dir, "bin")
	if old, err := os.ReadFile(stampPath); err != nil || string(old) != stamp || !exists(bin) {
		compiled = true
		os.Remove(stampPath)
		if err := j.compile(dir, src, bin); err != nil {
			return true, err
		}
		if err := outdir.WriteFile(stampPath, []byte(stamp), 0o644); err != nil {
			return true, err
		}
	}
	return compiled, install(bin, j.Output)
}

// folder is the job's cache folder: $MOONPHASE_CACHE or the user's cache.
func (j *Job) folder() (string, error) {
	base := os.Getenv("MOONPHASE_CACHE")
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			cache = os.TempDir()
		}
		base = filepath.Join(cache, "moonphase")
	}
	sum := sha256.Sum256([]byte(j.ID))
	dir := filepath.Join(base, hex.EncodeToString(sum[:8]))
	return dir, os.MkdirAll(dir, 0o755)
}

func (j *Job) compile(dir, src, bin string) error {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return errors.New("no Go toolchain: `go` is not on PATH (moonphase compiles to Go; install Go 1.26 or later)")
	}
	j.step("compiling %d Go files", len(j.Files))
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
		path := filepath.Join(dir, f.Name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, f.Data) {
			continue
		}
		if err := outdir.WriteFile(path, f.Data, 0o644); err != nil {
			return err
		}
	}
	// The tag and the lifted check belong together; see runtime/stack_switch.go.
	cmd := exec.Command(goTool, "build", "-trimpath", "-tags=moonphase_coroswitch", "-ldflags=-checklinkname=0", "-o", bin, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build failed in %s (an internal error when it names a _lua.go file):\n%s", dir, bytes.TrimSpace(out))
	}
	return nil
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

// stamp hashes everything that decides the binary: the generated files, main,
// the Go toolchain and the sources of our own packages (by name, size and
// time, which is what a person working on them changes).
func (j *Job) stamp(src string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d\n", goruntime.Version(), len(j.Main))
	h.Write(j.Main)
	for _, f := range j.Files {
		fmt.Fprintf(h, "%s %d\n", f.Name, len(f.Data))
		h.Write(f.Data)
	}
	var lines []string
	for _, part := range []string{"runtime", "phases", "go.mod"} {
		err := filepath.WalkDir(filepath.Join(src, part), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			lines = append(lines, fmt.Sprintf("%s %d %d\n", path, info.Size(), info.ModTime().UnixNano()))
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	sort.Strings(lines)
	for _, l := range lines {
		io.WriteString(h, l)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// install puts the built binary at path, aside and renamed: a server that
// runs from path keeps its own file.
func install(bin, path string) error {
	if path == bin {
		return nil
	}
	in, err := os.Open(bin)
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

// CachedBinary is where Run leaves the binary of the job with the given ID,
// for callers that want no copy.
func (j *Job) CachedBinary() (string, error) {
	dir, err := j.folder()
	return filepath.Join(dir, "bin"), err
}

func (j *Job) step(format string, args ...any) {
	if j.Progress != nil {
		fmt.Fprintf(j.Progress, "moonphase: "+format+"\n", args...)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
