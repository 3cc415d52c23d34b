package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBuildWithoutGoToolchain(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", filepath.Join(dir, "empty"))
	t.Setenv("MOONPHASE_CACHE", filepath.Join(dir, "cache"))
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte("events {}\nhttp {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := Main([]string{"build", "-c", conf, "-o", filepath.Join(dir, "server")}, &stdout, &stderr)
	if code != exitTrouble || !strings.Contains(stderr.String(), "no Go toolchain") {
		t.Errorf("exit %d, stderr %q; want %d and a word about the missing Go toolchain", code, stderr.String(), exitTrouble)
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout = %q, want nothing", stdout.String())
	}
}
