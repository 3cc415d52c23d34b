// Command demo shows the main job from end to end: it compiles
// examples/gateway to a server, starts it beside an embedded Redis, sends it
// requests, and prints what came back and what each phase did.
//
// Run it from the project's root: go run ./examples/gateway/demo
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

const address = "http://127.0.0.1:18080"

func main() {
	if err := demo(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo() error {
	prefix, err := filepath.Abs("examples/gateway")
	if err != nil {
		return err
	}
	logs := filepath.Join(prefix, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	errorLog := filepath.Join(logs, "error.log")
	if err := os.WriteFile(errorLog, nil, 0o644); err != nil {
		return err
	}

	// Whoever holds the port would answer in the server's place.
	probe, err := net.Listen("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		return fmt.Errorf("the config's port is taken: %w", err)
	}
	probe.Close()

	redis, err := miniredis.Run()
	if err != nil {
		return err
	}
	defer redis.Close()
	redis.Set("token:annskey", "ann")
	redis.Set("token:bobskey", "bob")
	say("Redis (embedded) listens on %s and knows two tokens.", redis.Addr())

	server := filepath.Join(logs, "gateway-server")
	start := time.Now()
	build := exec.Command("bin/moonphase", "build", "-p", prefix, "-c", "nginx.conf", "-o", server)
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	say("$ moonphase build -p examples/gateway -c nginx.conf -o gateway-server")
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	say("built in %.1f s", time.Since(start).Seconds())

	run := exec.Command(server, "-p", prefix, "-c", "nginx.conf", "-g", "daemon off;")
	run.Env = append(os.Environ(), "REDIS_PORT="+redis.Port())
	run.Stderr = os.Stderr
	say("$ ./gateway-server -p examples/gateway -c nginx.conf -g 'daemon off;'")
	if err := run.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	defer run.Process.Kill() // on the way out of an error; harmless once it ended

	if err := waitForServer(ended); err != nil {
		return err
	}
	log := &tail{path: errorLog}
	log.rest() // what the start said
	for _, r := range []struct {
		say, path, token, beta string
		status                 int
	}{
		{"no token", "/orders/7", "", "", 401},
		{"a token nobody has", "/orders/7", "guessed", "", 403},
		{"Ann reads an order: its card number is masked on the way out", "/orders/7", "annskey", "", 200},
		{"Ann again: the Redis connection comes from the pool", "/whoami", "annskey", "", 200},
		{"Bob asks for the beta, by header: three orders, three light threads", "/orders/1,2,3", "bobskey", "1", 200},
		{"a path without a route", "/nowhere", "bobskey", "", 404},
		{"what the log phase counted", "/counts", "", "", 200},
	} {
		say("\n# %s", r.say)
		if err := request(r.path, r.token, r.beta, r.status); err != nil {
			return err
		}
		log.print()
	}

	say("\nStopping the server (SIGQUIT: it finishes what it began).")
	if err := run.Process.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("the server ended badly: %w", err)
		}
	case <-time.After(5 * time.Second):
		return errors.New("the server did not stop within 5 seconds")
	}
	say("Stopped. The same nginx.conf and Lua files run unchanged under OpenResty.")
	return nil
}

// waitForServer returns once the server answers, or with why it will not.
func waitForServer(ended <-chan error) error {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		select {
		case err := <-ended:
			return fmt.Errorf("the server did not start: %v", err)
		default:
		}
		resp, err := http.Get(address + "/counts")
		if err == nil {
			return resp.Body.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("the server did not answer within 5 seconds")
}

func request(path, token, beta string, status int) error {
	req, err := http.NewRequest("GET", address+path, nil)
	if err != nil {
		return err
	}
	line := "$ curl"
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
		line += " -H 'Authorization: Bearer " + token + "'"
	}
	if beta != "" {
		req.Header.Set("X-Beta", beta)
		line += " -H 'X-Beta: 1'"
	}
	say("%s %s%s", line, address, path)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	say("%s  X-Gateway: %s", resp.Status, resp.Header.Get("X-Gateway"))
	say("%s", bytes.TrimSpace(body))
	if resp.StatusCode != status {
		return fmt.Errorf("%s answered %d, expected %d", path, resp.StatusCode, status)
	}
	return nil
}

// tail prints what the phases logged since it was last asked.
type tail struct {
	path string
	seen int
}

func (t *tail) rest() []byte {
	data, err := os.ReadFile(t.path)
	if err != nil || len(data) < t.seen {
		return nil
	}
	fresh := data[t.seen:]
	t.seen = len(data)
	return fresh
}

func (t *tail) print() {
	time.Sleep(50 * time.Millisecond) // the log phase comes after the answer
	for _, line := range strings.Split(string(t.rest()), "\n") {
		// ... [lua] log.lua:11: message while logging request, client: ...
		_, rest, ok := strings.Cut(line, "[lua] log.lua:")
		if !ok {
			continue
		}
		_, rest, _ = strings.Cut(rest, ": ")
		rest, _, _ = strings.Cut(rest, " while ")
		say("  | %s", rest)
	}
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
