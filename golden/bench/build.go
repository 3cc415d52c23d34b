package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// penlight is where Debian's lua-penlight has its 40-odd modules.
const penlight = "/usr/share/lua/5.1/pl"

// buildTime prints what it takes to compile Penlight to Go and that Go to
// machine code, from nothing but a warm runtime.
func buildTime(moonphase string) error {
	if _, err := os.Stat(penlight); err != nil {
		fmt.Println("Penlight is not installed; its build is not timed")
		return nil
	}
	dir, err := os.MkdirTemp("", "moonphase-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	src, err := os.Getwd()
	if err != nil {
		return err
	}
	// The module's name is new each time, so Go's cache cannot answer.
	mod := fmt.Sprintf("module %s\n\ngo 1.26\n\nrequire github.com/moonphase/moonphase v0.0.0\n\nreplace github.com/moonphase/moonphase => %s\n", filepath.Base(dir), src)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(src, "go.sum"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644); err != nil {
		return err
	}
	run := func(name string, args ...string) (time.Duration, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
		start := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("%s: %v\n%s", name, err, out)
		}
		return time.Since(start), nil
	}
	command, err := filepath.Abs(moonphase)
	if err != nil {
		return err
	}
	if _, err := run("go", "build", "github.com/moonphase/moonphase/runtime"); err != nil {
		return err
	}
	gen, err := run(command, "gen", "-o", "pl", penlight)
	if err != nil {
		return err
	}
	build, err := run("go", "build", "./pl")
	if err != nil {
		return err
	}
	fmt.Printf("Penlight: %.1f s from Lua to Go, %.1f s from Go to machine code\n", gen.Seconds(), build.Seconds())
	return nil
}
