package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A target is the server under test: a program that takes nginx's flags.
type target struct {
	binary string
	args   []string
}

// oracleTarget is real nginx with the modules of the suite loaded. Filters run in the
// reverse order of loading; some blocks see it.
func oracleTarget(binary string) target {
	const dir = "/usr/lib/nginx/modules/"
	var load strings.Builder
	for _, m := range []string{"ndk_http", "ngx_http_echo", "ngx_http_lua", "ngx_http_headers_more_filter"} {
		fmt.Fprintf(&load, "load_module %s%s_module.so; ", dir, m)
	}
	if os.Getuid() == 0 {
		load.WriteString("user root;") // workers send signals to the master
	}
	return target{binary: binary, args: []string{"-g", load.String()}}
}

// A server is one running instance with its own root folder and port.
type server struct {
	target target
	root   string
	port   string
	scope  string // whose files the server shall see
	pid    int
	logPos int64
}

// dir is the folder of everything that belongs to the server.
func (s *server) dir() string { return filepath.Join(s.root, "..", "..") }

func (s *server) logFile() string { return filepath.Join(s.root, "logs", "error.log") }

// raceLog is where a server with the race detector writes reports, the process id added.
func (s *server) raceLog() string { return filepath.Join(s.root, "logs", "race") }

// races returns the first report of the race detector, nil when there is none.
func (s *server) races() error {
	reports, _ := filepath.Glob(s.raceLog() + ".*")
	for _, path := range reports {
		text, _ := os.ReadFile(path)
		os.Remove(path)
		return fmt.Errorf("data race: %.6000s", text)
	}
	return nil
}

// lay writes the block's configuration and files below the server's root.
func (s *server) lay(b *block) error {
	for _, dir := range []string{"logs", "conf", "html", "../cert"} {
		if err := os.MkdirAll(filepath.Join(s.root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := writeCertificate(filepath.Join(s.root, "../cert")); err != nil {
		return err
	}
	for _, lib := range []string{"lua-resty-core", "lua-resty-lrucache"} {
		os.Mkdir(filepath.Join(s.root, "..", lib), 0o755)
		os.Symlink("/usr/share/lua/5.1", filepath.Join(s.root, "..", lib, "lib"))
	}
	if err := os.WriteFile(filepath.Join(s.root, "conf", "nginx.conf"), []byte(s.expand(string(b.Conf))), 0o644); err != nil {
		return err
	}
	return s.layFiles(b)
}

// layFiles writes the block's files; a block may move or change them, so they are
// written anew each time it is repeated.
func (s *server) layFiles(b *block) error {
	for name, content := range b.Files {
		path := filepath.Join(s.root, name)
		if abs, ok := strings.CutPrefix(name, "abs/"); ok {
			path = "/" + abs
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(s.expand(string(content))), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// expand replaces the places of the server root and the port.
func (s *server) expand(text string) string {
	return strings.NewReplacer("@SERVROOT@", s.root, "@PORT@", s.port, "$ServerPort", s.port).Replace(text)
}

// start runs the server, which goes to the background once it listens.
func (s *server) start(env []string) error {
	stderr, err := os.Create(filepath.Join(s.root, "logs", "start.err"))
	if err != nil {
		return err
	}
	defer stderr.Close()
	args := []string{"-e", s.logFile(), "-p", s.root + "/", "-c", filepath.Join(s.root, "conf", "nginx.conf")}
	cmd := exec.Command(s.target.binary, append(args, s.target.args...)...)
	cmd.Stderr = stderr
	cmd.Dir = s.root
	cmd.Env = append(append(os.Environ(), "CONFORM_SCOPE="+s.scope, "GORACE=log_path="+s.raceLog()), env...)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-time.After(10 * time.Second):
		cmd.Process.Kill()
		<-done
		err = fmt.Errorf("did not go to the background")
	}
	if err != nil {
		said, _ := os.ReadFile(stderr.Name())
		return fmt.Errorf("start: %v: %.300s", err, strings.TrimSpace(string(said)))
	}
	return s.readPid()
}

func (s *server) readPid() error {
	for range 100 {
		text, _ := os.ReadFile(filepath.Join(s.root, "logs", "nginx.pid"))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			s.pid = pid
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("start: no pid file")
}

// stop ends the server the way the suite does: politely, then not.
func (s *server) stop() {
	if s.pid == 0 {
		return
	}
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGQUIT, 3 * time.Second}, {syscall.SIGTERM, time.Second}, {syscall.SIGKILL, 2 * time.Second}} {
		syscall.Kill(s.pid, step.signal)
		for end := time.Now().Add(step.wait); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if !alive(s.pid) {
				s.pid = 0
				return
			}
		}
	}
}

// alive reports whether a process runs; one that nobody has reaped does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

// reload makes the server take up what lay has written and gives it time to.
func (s *server) reload() {
	syscall.Kill(s.pid, syscall.SIGHUP)
	time.Sleep(500 * time.Millisecond)
}

// environment is what the suite sets for the server of a block.
func (b *block) environment() []string {
	env := []string{"TEST_NGINX_MEMCACHED_PORT=11211", "TEST_NGINX_REDIS_PORT=6379"}
	if b.file() == "123-lua-path" {
		env = append(env, "LUA_PATH=../lua-resty-core/lib/?.lua;../lua-resty-lrucache/lib/?.lua;/foo/bar/baz", "LUA_CPATH=/baz/bar/foo")
	}
	return env
}

// newLog returns what was logged since the last call.
func (s *server) newLog() string {
	data, err := os.ReadFile(s.logFile())
	if err != nil || int64(len(data)) < s.logPos {
		return string(data)
	}
	out := string(data[s.logPos:])
	s.logPos = int64(len(data))
	return out
}
