// Command http measures a built server beside nginx with ngx_lua on the same
// nginx.conf: one worker each, runs of both in turn, requests per CPU-second
// of the server process (from /proc/PID/stat), medians and ratios. It also
// times the start of the built server until its port answers.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed nginx.conf
var confText string

// modules is what stands before the config for nginx, whose Lua support comes
// as loadable modules on Debian.
const modules = `user root;
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
`

// A probe is one kind of request.
type probe struct {
	name string
	path string
	args []string // wrk's
}

var probes = []probe{
	{name: "hello by content_by_lua", path: "/hello"},
	{name: "rewrite+access+content", path: "/phases?user=ann&page=2", args: []string{"-H", "X-Token: secret", "-H", "User-Agent: bench"}},
}

func main() {
	moonphase := flag.String("moonphase", "bin/moonphase", "the moonphase command")
	runs := flag.Int("runs", 3, "runs of each probe on each server")
	seconds := flag.Int("seconds", 3, "seconds a run")
	flag.Parse()
	os.Setenv("MOONPHASE_COMPAT", "1.22.1") // as the nginx beside it
	if err := bench(*moonphase, *runs, *seconds); err != nil {
		fmt.Fprintln(os.Stderr, "bench-http:", err)
		os.Exit(2)
	}
}

func bench(moonphase string, runs, seconds int) error {
	for _, tool := range []string{"nginx", "wrk"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed; this comparison needs it", tool)
		}
	}
	tmp, err := os.MkdirTemp("", "moonphase-bench-http-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	binary := filepath.Join(tmp, "server")
	ours, err := prepare(filepath.Join(tmp, "ours"), "")
	if err != nil {
		return err
	}
	if out, err := exec.Command(moonphase, "build", "-p", ours.prefix, "-c", "nginx.conf", "-o", binary).CombinedOutput(); err != nil {
		return fmt.Errorf("build: %v\n%s", err, out)
	}
	theirs, err := prepare(filepath.Join(tmp, "theirs"), modules)
	if err != nil {
		return err
	}
	ours.name, ours.binary = "moonphase", binary
	theirs.name, theirs.binary = "nginx+ngx_lua", "nginx"

	starts, err := startTimes(ours, 9)
	if err != nil {
		return err
	}
	fmt.Printf("start until the port answers, median of %d: %.1f ms\n\n", len(starts), float64(starts[len(starts)/2].Microseconds())/1000)

	servers := []*server{ours, theirs}
	for _, s := range servers {
		if err := s.start(); err != nil {
			return err
		}
		defer s.stop()
	}
	fmt.Printf("%-26s %18s %18s %8s\n", "requests per CPU-second", ours.name, theirs.name, "ratio")
	for _, p := range probes {
		results := map[*server][]float64{}
		for range runs {
			for _, s := range servers {
				rate, err := s.load(p, seconds)
				if err != nil {
					return err
				}
				results[s] = append(results[s], rate)
			}
		}
		for _, s := range servers {
			slices.Sort(results[s])
		}
		a, b := results[ours][runs/2], results[theirs][runs/2]
		fmt.Printf("%-26s %18.0f %18.0f %8.2f\n", p.name, a, b, a/b)
	}
	return nil
}

type server struct {
	name, binary, prefix string
	port                 int
	cmd                  *exec.Cmd
}

// prepare lays out a server root with the config on a free port.
func prepare(prefix, head string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	if err := os.MkdirAll(filepath.Join(prefix, "logs"), 0o755); err != nil {
		return nil, err
	}
	text := head + strings.ReplaceAll(confText, "@PORT@", strconv.Itoa(port))
	return &server{prefix: prefix + "/", port: port}, os.WriteFile(filepath.Join(prefix, "nginx.conf"), []byte(text), 0o644)
}

func (s *server) start() error {
	s.cmd = exec.Command(s.binary, "-p", s.prefix, "-c", filepath.Join(s.prefix, "nginx.conf"), "-g", "daemon off; master_process off;")
	s.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	var stderr bytes.Buffer
	s.cmd.Stderr = &stderr
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Microsecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			return c.Close()
		}
	}
	s.stop()
	return fmt.Errorf("%s does not listen:\n%s", s.name, stderr.Bytes())
}

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
}

func startTimes(s *server, n int) ([]time.Duration, error) {
	var times []time.Duration
	for range n {
		begin := time.Now()
		if err := s.start(); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin))
		s.stop()
	}
	slices.Sort(times)
	return times, nil
}

var (
	wrkTotal  = regexp.MustCompile(`(\d+) requests in`)
	wrkFailed = regexp.MustCompile(`(?m)^\s*(Non-2xx.*|Socket errors.*)$`)
)

// load sends p for some seconds over 32 connections and returns the requests
// answered per second of the server's CPU time.
func (s *server) load(p probe, seconds int) (float64, error) {
	before, err := cpuTime(s.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	args := append([]string{"-t1", "-c32", fmt.Sprintf("-d%ds", seconds)}, p.args...)
	out, err := exec.Command("wrk", append(args, fmt.Sprintf("http://127.0.0.1:%d%s", s.port, p.path))...).Output()
	if err != nil {
		return 0, fmt.Errorf("wrk: %v", err)
	}
	after, err := cpuTime(s.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	if m := wrkFailed.Find(out); m != nil {
		return 0, fmt.Errorf("%s on %s: %s", s.name, p.path, bytes.TrimSpace(m))
	}
	m := wrkTotal.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk printed no total:\n%s", out)
	}
	total, err := strconv.ParseFloat(string(m[1]), 64)
	return total / (after - before).Seconds(), err
}

// cpuTime is the user and system time of a process, in clock ticks of 10 ms
// (proc(5), fields 14 and 15 of stat).
func cpuTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
