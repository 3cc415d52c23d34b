package serve_test

import (
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/testserver"
	rt "github.com/moonphase/moonphase/runtime"
)

const stopConf = `error_log logs/error.log info; MAIN
events {}
http {
	log_format stop '$uri $status';
	access_log logs/access.log stop;
	server {
		listen ADDR;
		location / { return 200 "hi\n"; }
		location /long { content_by_lua_block { long } }
	}
}
`

// stopServer serves stopConf, where /long waits until it is ended.
func stopServer(t *testing.T, main string) *testserver.Server {
	return testserver.Start(t, strings.Replace(stopConf, "MAIN", main, 1), testserver.Chunk("content_by_lua", " long ", func(th *rt.Thread) {
		wake := make(chan struct{})
		th.Block(func() { close(wake) }, func() {
			select {
			case <-wake:
			case <-time.After(30 * time.Second):
			}
		})
	}))
}

// quit sends SIGQUIT's handler on its way.
func quit(s *testserver.Server) { s.Signal(syscall.SIGQUIT) }

// ends waits for the shutdown that quit began.
func ends(s *testserver.Server, within time.Duration) bool {
	select {
	case <-s.Drained():
		return true
	case <-time.After(within):
		return false
	}
}

// TestQuitAndTerm ends a shutdown that a request holds up.
func TestQuitAndTerm(t *testing.T) {
	s := stopServer(t, "")
	c := s.Dial()
	defer c.Close()
	io.WriteString(c, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
	time.Sleep(100 * time.Millisecond)
	quit(s)
	quit(s) // a second one changes nothing
	if ends(s, 300*time.Millisecond) {
		t.Fatal("the server ends before its request does")
	}
	start := time.Now()
	if !s.Signal(syscall.SIGTERM) {
		t.Error("SIGTERM does not end the process")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("SIGTERM takes %v", took)
	}
	s.CutConns()
	if !ends(s, 10*time.Second) {
		t.Error("a request that was cut off does not end")
	}
}

// TestShutdownTimeout has a request cut off; it is logged all the same.
func TestShutdownTimeout(t *testing.T) {
	s := stopServer(t, "worker_shutdown_timeout 200ms;")
	c := s.Dial()
	defer c.Close()
	io.WriteString(c, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
	time.Sleep(100 * time.Millisecond)
	quit(s)
	if b, _ := io.ReadAll(c); len(b) > 0 {
		t.Errorf("the client gets %q", b)
	}
	if !ends(s, 10*time.Second) {
		t.Fatal("the server does not end")
	}
	if got := s.Read("logs/access.log"); got != "/long 000\n" {
		t.Errorf("access log %q", got)
	}
}

// TestQuitWaiting has clients that have not asked for anything yet, or only begun,
// when the server stops: they may. Who has had an answer may not.
func TestQuitWaiting(t *testing.T) {
	s := stopServer(t, "")
	fresh, begun, kept := s.Dial(), s.Dial(), s.Dial()
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	io.WriteString(begun, get[:7])
	io.WriteString(kept, get)
	buf := make([]byte, 1000)
	if n, _ := kept.Read(buf); !strings.Contains(string(buf[:n]), "Connection: keep-alive") {
		t.Errorf("%q", buf[:n])
	}
	time.Sleep(100 * time.Millisecond)
	quit(s)
	if n, err := kept.Read(buf); err != io.EOF {
		t.Errorf("a kept connection gets %q, %v", buf[:n], err)
	}
	io.WriteString(fresh, get)
	io.WriteString(begun, get[7:])
	for name, c := range map[string]io.Reader{"fresh": fresh, "begun": begun} {
		if b, err := io.ReadAll(c); !strings.Contains(string(b), "Connection: close\r\n\r\nhi\n") {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if !ends(s, 10*time.Second) {
		t.Error("the server does not end")
	}
}

// TestReloadCloses has idle connections closed by a reload.
func TestReloadCloses(t *testing.T) {
	s := stopServer(t, "")
	c := s.Dial()
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	buf := make([]byte, 1000)
	if n, err := c.Read(buf); n == 0 {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	s.Signal(syscall.SIGHUP)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := c.Read(buf); err != io.EOF {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
