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
	"os/user"
	"path/filepath"
	"slices"
	"strings"
)

// targetVars are the settings of the Go command that change what it builds, from
// the environment or from `go env -w`. What it is never asked for (GOCACHE, GOPROXY)
// is not here; CGO_ENABLED and GOWORK are always the same (see goEnv).
var targetVars = []string{
	"GOOS", "GOARCH",
	"GO386", "GOAMD64", "GOARM", "GOARM64", "GOMIPS", "GOMIPS64", "GOPPC64", "GORISCV64", "GOWASM",
	"GOEXPERIMENT", "GOFIPS140", "GODEBUG", "GOFLAGS", "GOVERSION", "GOROOT", "GO_EXTLINK_ENABLED",
}

// toolchain is the Go command with the settings it would build with.
type toolchain struct {
	path   string
	env    []string
	target string // the values of targetVars, one a line
}

// findToolchain asks the Go command on PATH what it would build for. src is our own
// module, whose go.mod may ask for another Go version.
func findToolchain(src, cache string) (*toolchain, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, errors.New("no Go toolchain: `go` is not on PATH (moonphase compiles to Go; install Go 1.26 or later)")
	}
	t := &toolchain{path: path, env: goEnv(cache)}
	cmd := exec.Command(path, append([]string{"env"}, targetVars...)...)
	cmd.Dir, cmd.Env = src, t.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w\n%s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	values := strings.Split(string(out), "\n")
	for i, name := range targetVars {
		if i < len(values) {
			t.target += name + "=" + values[i] + "\n"
		}
	}
	return t, nil
}

// goEnv is the environment that the Go command runs in. Without a home it would not
// find its own caches: then it gets the one of the user database, else folders in
// the build cache.
func goEnv(cache string) []string {
	env := append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if os.Getenv("HOME") != "" {
		return env
	}
	if u, err := user.Current(); err == nil {
		if info, err := os.Stat(u.HomeDir); err == nil && info.IsDir() {
			return append(env, "HOME="+u.HomeDir)
		}
	}
	for name, dir := range map[string]string{"GOCACHE": "go-build", "GOPATH": "go"} {
		if os.Getenv(name) == "" {
			env = append(env, name+"="+filepath.Join(cache, dir))
		}
	}
	return env
}

// buildArgs are the arguments of `go build` besides its output. The tag and the
// lifted check belong together; see runtime/stack_switch.go.
var buildArgs = []string{"-mod=mod", "-trimpath", "-tags=moonphase_coroswitch", "-ldflags=-checklinkname=0"}

// stamp hashes everything that decides the binary: the generated files, main, the Go
// toolchain and its settings, and the sources of our own packages (by name, size and
// time, which is what a person working on them changes).
func (j *Job) stamp(src string, t *toolchain) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s%q\n", t.target, buildArgs)
	fmt.Fprintf(h, "%d\n", len(j.Main))
	h.Write(j.Main)
	for _, f := range j.Files {
		fmt.Fprintf(h, "%s %d\n", f.Name, len(f.Data))
		h.Write(f.Data)
	}
	var lines []string
	for _, part := range []string{"runtime", "phases", "go.mod", "go.sum"} {
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
	slices.Sort(lines)
	for _, l := range lines {
		io.WriteString(h, l)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
