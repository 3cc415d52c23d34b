//go:build linux

package serve_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/modules"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/serve"
)

// rightsEnv is set in the copy of the test binary that serves.
const rightsEnv = "PHASES_TEST_RIGHTS"

// TestRightsServer is the server that TestRights watches.
func TestRightsServer(t *testing.T) {
	prefix := os.Getenv(rightsEnv)
	if prefix == "" {
		return // it does nothing on its own
	}
	os.Exit(serve.Main([]string{"-p", prefix}, serve.Program{Modules: modules.All()}))
}

// TestRights starts a server of its own process, whose user, limits and folder
// change.
func TestRights(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for d := dir; d != filepath.Dir(d) && strings.HasPrefix(d, os.TempDir()) && d != os.TempDir(); d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o755) // so that others may enter
	}
	for name, text := range map[string]string{
		"conf/nginx.conf": `daemon off; user nobody ` + group.Name + `; worker_rlimit_nofile 321; worker_rlimit_core 1k; worker_priority 3; working_directory ` + dir + `/html;
			pid logs/nginx.pid; error_log logs/error.log notice; events {} http { access_log off; server { listen unix:` + dir + `/s.sock; } }`,
		"html/index.html": "x", "logs/error.log": "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRightsServer$")
	cmd.Env = append(os.Environ(), rightsEnv+"="+dir)
	stderr, err := os.Create(filepath.Join(dir, "logs/stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill(); <-ended }()
	log := func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "logs/error.log"))
		early, _ := os.ReadFile(filepath.Join(dir, "logs/stderr"))
		return string(early) + string(text)
	}
	for range 500 {
		if strings.Contains(log(), "start worker processes") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	proc := "/proc/" + ngxtext.Itoa(int64(cmd.Process.Pid))
	read := func(name string) string {
		text, err := os.ReadFile(proc + "/" + name)
		if err != nil {
			t.Fatalf("%v\n%s", err, log())
		}
		return strings.Join(strings.Fields(string(text)), " ")
	}
	if cwd, _ := os.Readlink(proc + "/cwd"); cwd != dir+"/html" {
		t.Errorf("the folder is %s\n%s", cwd, log())
	}
	if got := read("limits"); !strings.Contains(got, "Max open files 321 321") || !strings.Contains(got, "Max core file size 1024 1024") {
		t.Errorf("limits: %s", got)
	}
	tasks, err := os.ReadDir(proc + "/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		stat := read("task/" + task.Name() + "/stat")
		if nice := strings.Fields(stat[strings.LastIndex(stat, ")"):])[17]; nice != "3" {
			t.Errorf("thread %s has priority %s", task.Name(), nice)
		}
		status := read("task/" + task.Name() + "/status")
		want := "Uid: " + strings.TrimSpace(strings.Repeat(nobody.Uid+" ", 4)) + " "
		if os.Geteuid() != 0 {
			want = "Uid: " + ngxtext.Itoa(int64(os.Geteuid())) + " "
		}
		if !strings.Contains(status, want) {
			t.Errorf("thread %s: no %q in %s", task.Name(), want, status)
		}
	}
	if ignored := strings.Contains(log(), "super-user privileges, ignored"); ignored != (os.Geteuid() != 0) {
		t.Errorf("the log of user %d:\n%s", os.Geteuid(), log())
	}
}
