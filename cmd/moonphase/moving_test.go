package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ssh stands for a way to the old server, which is a folder: paths on it start there.
const sshStub = `#!/bin/bash
shift
for a in "$@"; do
  [[ $a == /* ]] && a=$EDGE1$a
  args+=("$a")
done
exec "${args[@]}"
`

// scp copies to the old server.
const scpStub = `#!/bin/bash
to=$EDGE1${2#edge1:}
mkdir -p "$(dirname "$to")" && cp "$1" "$to"
`

var commands = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestMoving runs every command of docs/MOVING.md, in order, in one shell, with a folder as the old server
// and a server of the same configuration on its port.
func TestMoving(t *testing.T) {
	page, err := os.ReadFile("../../docs/MOVING.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	edge1 := filepath.Join(dir, "edge1")
	if err := os.CopyFS(edge1, os.DirFS("testdata/moving/edge1")); err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Join(edge1, "usr/local/openresty/nginx")
	if err := os.MkdirAll(filepath.Join(prefix, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	ports := strings.NewReplacer("18080", freePort(t), "8080", freePort(t), "/tmp/move", filepath.Join(dir, "move"))
	if err := rewrite(filepath.Join(prefix, "conf/nginx.conf"), ports); err != nil {
		t.Fatal(err)
	}
	steps := []string{"set -euo pipefail"}
	for _, m := range commands.FindAllStringSubmatch(string(page), -1) {
		steps = append(steps, ports.Replace(m[1]))
	}
	if len(steps) < 10 {
		t.Fatalf("the page has only %d blocks of commands", len(steps)-1)
	}
	bin := filepath.Join(dir, "bin")
	for name, text := range map[string]string{"ssh": sshStub, "scp": scpStub, "make": "#!/bin/sh\n"} {
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "moonphase"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script := exec.Command("bash", "-c", strings.Join(steps, "\n"))
	script.Dir = dir
	script.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "EDGE1="+edge1,
		"MOONPHASE_CACHE="+filepath.Join(dir, "cache"), "GOFLAGS=-mod=mod")
	old := oldServer(t, bin, edge1, script.Env)
	out, err := script.CombinedOutput()
	stop(t, old)
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"unknown directive \"stream\": nginx has this", "hello, world", "test is successful", "C1007: a directive that nginx has",
		"ngx.location.capture", "configure arguments",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nothing says %q", want)
		}
	}
	if strings.Contains(string(out), "differs: ") {
		t.Error("the two servers answer differently")
	}
	await(t, "the page leaves a server behind", func() bool {
		left, _ := filepath.Glob(filepath.Join(prefix, "logs/*.pid"))
		return len(left) == 0
	})
}

// oldServer serves what is in the folder of the old server, without its stream part, on its port.
func oldServer(t *testing.T, bin, edge1 string, env []string) *exec.Cmd {
	t.Helper()
	root := filepath.Join(edge1, "usr/local/openresty")
	cmd := exec.Command(filepath.Join(bin, "moonphase"), "run", "--ignore", "stream", "--map", "/usr/local/openresty="+root,
		filepath.Join(root, "nginx/conf/nginx.conf"))
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := filepath.Join(root, "nginx/logs/nginx.pid")
	await(t, "the old server does not start", func() bool {
		_, err := os.Stat(pid)
		return err == nil
	})
	return cmd
}

// await looks until something has happened; a build may be behind it.
func await(t *testing.T, otherwise string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !happened(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}

func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

func rewrite(file string, by *strings.Replacer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(by.Replace(string(text))), 0o644)
}
