package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"moonphase": main})
}

// TestScript runs testdata/script/<verb>_<case>.txtar: what the commands
// print, write and return.
func TestScript(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// A script's home is empty; the Go build cache is shared, so that
			// each build costs a link and not the whole runtime.
			env.Setenv("GOCACHE", filepath.Join(cache, "go-build"))
			env.Setenv("GOMODCACHE", goModCache())
			env.Setenv("MOONPHASE_CACHE", filepath.Join(env.WorkDir, ".cache"))
			env.Setenv("GOFLAGS", "-mod=mod")
			return nil
		},
	})
}

// goModCache is where the modules of this test itself came from.
func goModCache() string {
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		return dir
	}
	if path := os.Getenv("GOPATH"); path != "" {
		return filepath.Join(path, "pkg", "mod")
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, "go", "pkg", "mod")
}
