package phases

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/modules"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/serve"
	rt "github.com/moonphase/moonphase/runtime"
)

// testServer is a process that serves a configuration inside the test.
type testServer struct {
	t   testing.TB
	p   *serve.Process
	dir string
	// addr is the address that stands for ADDR in the configuration.
	addr string
}

// startServer serves conf, in which ADDR stands for a free address and DIR for a
// folder of the test.
func startServer(t testing.TB, conf string) *testServer {
	t.Helper()
	return startServerWith(t, conf, nil)
}

// startServerWith serves conf with the Lua code in chunks.
func startServerWith(t testing.TB, conf string, chunks rt.ChunkSet) *testServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{t: t, dir: t.TempDir(), addr: l.Addr().String()}
	l.Close()
	for _, name := range []string{"logs", "conf", "html"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("conf/nginx.conf", s.expand(conf))
	o, err := serve.ParseArgs([]string{"-p", s.dir, "-e", "logs/error.log"})
	if err != nil {
		t.Fatal(err)
	}
	s.p = serve.NewProcess(o, serve.Program{Modules: modules.All(), Prepare: lua.BinaryCode{Chunks: chunks}.Prepare})
	s.p.Logs.LeaveConsole()
	env := s.p.Env
	t.Cleanup(func() {
		for _, e := range env {
			k, v, _ := strings.Cut(e, "=")
			_ = os.Setenv(k, v)
		}
	})
	c, err := s.p.Load()
	if err == nil {
		err = s.p.Activate(c)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, s.read("logs/error.log"))
	}
	t.Cleanup(func() {
		if !s.p.Stopping.Load() {
			s.p.Shutdown()
		}
	})
	return s
}

func (s *testServer) expand(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "ADDR", s.addr), "DIR", s.dir)
}

func (s *testServer) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testServer) read(name string) string {
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// wantLog waits until the error log has a text: lines are written when the client
// may have its answer already.
func (s *testServer) wantLog(want string) {
	s.t.Helper()
	var log string
	for range 200 {
		if log = s.read("logs/error.log"); strings.Contains(log, want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Errorf("no %q in\n%s", want, log)
}

func (s *testServer) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// ask sends raw text and returns what comes back until the server closes.
func (s *testServer) ask(text string) string {
	s.t.Helper()
	c := s.dial()
	_, _ = io.WriteString(c, text)
	b, _ := io.ReadAll(c)
	return string(b)
}

// get asks for a URI and returns status line, headers and body.
func (s *testServer) get(uri string, headers ...string) string {
	s.t.Helper()
	lines := append([]string{"GET " + uri + " HTTP/1.1", "Host: h", "Connection: close"}, headers...)
	return s.ask(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// TestWire sends the probes of package http1 to a whole server and compares
// status and end of the connection with nginx's. Probes whose answer depends on
// reading the body are that package's.
func TestWire(t *testing.T) {
	s := startServer(t, `events {}
http { access_log off; keepalive_timeout 200ms; lingering_timeout 100ms;
  server { listen ADDR; location / { return 200 x; } } }`)
	f, err := os.Open("http1/testdata/nginx.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	repeat := regexp.MustCompile(`(?s)<<(.)\*(\d+)>>`)
	for dec := json.NewDecoder(f); ; {
		var p struct {
			Name    string
			Send    []string
			Shut    bool
			Answers []struct {
				Status int
				Close  bool
			}
		}
		if err := dec.Decode(&p); err != nil {
			break
		}
		send := strings.Join(p.Send, "")
		if strings.Contains(send, "POST") && !strings.HasPrefix(p.Name, "0.9") || p.Name == "length on get" {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			c := s.dial()
			send = repeat.ReplaceAllStringFunc(send, func(m string) string {
				sub := repeat.FindStringSubmatch(m)
				n, _ := strconv.Atoi(sub[2])
				return strings.Repeat(sub[1], n)
			})
			raw := make([]byte, 0, len(send))
			for _, r := range send {
				raw = append(raw, byte(r))
			}
			_, _ = c.Write(raw)
			if p.Shut {
				_ = c.(*net.TCPConn).CloseWrite()
			}
			in := bufio.NewReader(c)
			for i, want := range p.Answers {
				if want.Status == 0 {
					b, err := in.Peek(5)
					if err != nil && err != io.EOF || string(b) == "HTTP/" {
						t.Errorf("answer %d starts with %q, %v, want none of a head", i, b, err)
					}
					return
				}
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("answer %d: %v, want %d", i, err, want.Status)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				if resp.StatusCode != want.Status || resp.Close != want.Close {
					t.Errorf("answer %d: %d, close %v; want %d, %v", i, resp.StatusCode, resp.Close, want.Status, want.Close)
				}
			}
			if b, err := io.ReadAll(in); len(b) > 0 || err != nil {
				t.Errorf("then %q, %v", b, err)
			}
		})
	}
}

func TestStatic(t *testing.T) {
	s := startServer(t, `events {}
http { server { listen ADDR; root html; log_not_found on;
  location /alias/ { alias html/; }
} }`)
	s.write("html/index.html", "index")
	s.write("html/a.txt", "0123456789")
	s.write("html/big", strings.Repeat("0123456789abcdef", 20000))
	if err := os.Mkdir(filepath.Join(s.dir, "html/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		uri, header string
		want        []string // parts of the answer
	}{
		{"/", "", []string{"HTTP/1.1 200 OK", "Content-Type: text/html", "Content-Length: 5", "\r\n\r\nindex"}},
		{"/a.txt", "", []string{"Content-Type: text/plain", "ETag: \"", "Accept-Ranges: bytes", "Last-Modified: ", "0123456789"}},
		{"/a.txt", "Range: bytes=2-4", []string{"HTTP/1.1 206 Partial Content", "Content-Range: bytes 2-4/10", "\r\n\r\n234"}},
		{"/a.txt", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", []string{"HTTP/1.1 200 OK"}},
		{"/alias/a.txt", "", []string{"HTTP/1.1 200 OK", "\r\n\r\n0123456789"}},
		{"/big", "", []string{"Content-Length: 320000", "abcdef"}},
		{"/sub", "", []string{"HTTP/1.1 301 Moved Permanently", "Location: http://h:"}},
		{"/sub/", "", []string{"HTTP/1.1 403 Forbidden"}},
		{"/missing", "", []string{"HTTP/1.1 404 Not Found", "<center>nginx/1.22.1</center>"}},
		{"/a.txt/", "", []string{"HTTP/1.1 404 Not Found"}},
	}
	for _, tt := range tests {
		got := s.get(tt.uri, tt.header+"\r\nX: y")
		if tt.header == "" {
			got = s.get(tt.uri)
		}
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s %s: no %q in\n%.600s", tt.uri, tt.header, want, got)
			}
		}
	}
	modified, err := os.Stat(filepath.Join(s.dir, "html/a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	since := "If-Modified-Since: " + ngxtext.FormatHTTPTime(modified.ModTime().Unix())
	if got := s.get("/a.txt", since); !strings.HasPrefix(got, "HTTP/1.1 304 Not Modified") {
		t.Errorf("%s gives %.100s", since, got)
	}
	if got := s.ask("POST /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 405 ") {
		t.Errorf("POST gives %.100s", got)
	}
	want := fmt.Sprintf("open() \"%s/html/missing\" failed (2: No such file or directory), client: 127.0.0.1, server: , request: \"GET /missing HTTP/1.1\", host: \"h\"", s.dir)
	s.wantLog(want)
}

func TestAccessLog(t *testing.T) {
	s := startServer(t, `events {}
http {
  log_format plain '$remote_addr "$request" $status $body_bytes_sent "$http_x"';
  log_format json escape=json '{"x":"$http_x","none":"$http_none"}';
  log_format none escape=none '$http_x|$http_none|';
  server { listen ADDR; access_log logs/a.log plain; access_log logs/b.log json; access_log logs/c.log none;
    location / { return 200 ok; }
    location /off { access_log off; return 200; }
    location /if { access_log logs/d.log plain if=$arg_log; return 200; }
  } }`)
	s.get("/x", "X: a\"\\\x01\xe9")
	s.get("/off")
	s.get("/if?log=0")
	s.get("/if?log=1")
	tests := []struct{ file, want string }{
		{"logs/a.log", `127.0.0.1 "GET /x HTTP/1.1" 200 2 "a\x22\x5C\x01\xE9"` + "\n"},
		{"logs/b.log", `{"x":"a\"\\\u0001` + "\xe9" + `","none":""}` + "\n"},
		{"logs/c.log", "a\"\\\x01\xe9||\n"},
		{"logs/d.log", `127.0.0.1 "GET /if?log=1 HTTP/1.1" 200 0 "-"` + "\n"},
	}
	for _, tt := range tests {
		var got string
		for range 100 { // the log phase runs after the answer
			if got = s.read(tt.file); got == tt.want {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if got != tt.want {
			t.Errorf("%s\ngot  %q\nwant %q", tt.file, got, tt.want)
		}
	}
}

// TestDefaultAccessLog logs without an access_log.
func TestDefaultAccessLog(t *testing.T) {
	s := startServer(t, `events {} http { server { listen ADDR; location / { return 200; } } }`)
	s.get("/x")
	for range 200 {
		if strings.Contains(s.read("logs/access.log"), `127.0.0.1 - - [`) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the log is %q", s.read("logs/access.log"))
}

// TestReload changes the configuration.
func TestReload(t *testing.T) {
	const conf = `events {}
http { access_log off; server { listen ADDR; location / { return 200 %s; } } }`
	s := startServer(t, fmt.Sprintf(conf, "one"))
	ask := func() string {
		_, body, _ := strings.Cut(s.get("/"), "\r\n\r\n")
		return body
	}
	if got := ask(); got != "one" {
		t.Fatalf("got %q", got)
	}
	s.write("conf/nginx.conf", s.expand(fmt.Sprintf(conf, "two")))
	s.p.Reload()
	if got := ask(); got != "two" {
		t.Errorf("after the reload %q", got)
	}
	s.write("conf/nginx.conf", "events {} http { bad; }")
	s.p.Reload()
	if got := ask(); got != "two" {
		t.Errorf("after a bad reload %q", got)
	}
	s.wantLog(`unknown directive "bad" in ` + s.dir + "/conf/nginx.conf:1")
}

// TestShutdown ends idle connections at once and lets requests finish.
func TestShutdown(t *testing.T) {
	s := startServer(t, `events {}
http { access_log off; server { listen ADDR; location / { return 200 x; } location /slow { echo_sleep 0.2; echo done; } } }`)
	idle := s.dial()
	in := bufio.NewReader(idle)
	_, _ = io.WriteString(idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	slow := s.dial()
	_, _ = io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	time.Sleep(50 * time.Millisecond) // let the request arrive
	start := time.Now()
	s.p.Shutdown()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("shutdown took %v", took)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection gives %v", err)
	}
	b, _ := io.ReadAll(slow)
	if !strings.Contains(string(b), "done\n") || !strings.Contains(string(b), "Connection: close") {
		t.Errorf("the slow request got %q", b)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("the address is still open")
	}
}

func TestParseArgs(t *testing.T) {
	tests := []struct {
		args []string
		want string // error, or prefix, conf, error log
	}{
		{[]string{"-p", "/x", "-c", "a.conf"}, "/x/ /x/a.conf stderr"},
		{[]string{"-p/x/", "-c/y/a.conf", "-elogs/e"}, "/x/ /y/a.conf /x/logs/e"},
		{[]string{"-tqp", "/x"}, "/x/ /x/conf/nginx.conf stderr"},
		{[]string{"-x"}, `invalid option: "x"`},
		{[]string{"foo"}, `invalid option: "foo"`},
		{[]string{"-c"}, `option "-c" requires file name`},
		{[]string{"-p"}, `option "-p" requires directory name`},
		{[]string{"-s"}, `option "-s" requires parameter`},
		{[]string{"-s", "foo"}, `invalid option: "-s foo"`},
	}
	for _, tt := range tests {
		o, err := serve.ParseArgs(tt.args)
		got := o.Prefix + " " + o.Conf + " " + o.ErrorLog
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.args, got, tt.want)
		}
	}
}

// TestAddressInUse gives nginx's message.
func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = serve.Listen(&core.Listen{Addr: l.Addr().String()})
	if got := conf.Errno(err); got != "98: Address already in use" {
		t.Errorf("got %s", got)
	}
}

// TestSyslog sends both logs to a syslog server.
func TestSyslog(t *testing.T) {
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	s := startServer(t, strings.ReplaceAll(`error_log syslog:server=SYSLOG,tag=err,nohostname,facility=local0 info; events {}
http { access_log syslog:server=SYSLOG,severity=notice,nohostname;
  server { listen ADDR; location / { return 200; } location /404 { root html; } } }`, "SYSLOG", peer.LocalAddr().String()))
	s.get("/404")
	_ = peer.SetReadDeadline(time.Now().Add(5 * time.Second))
	for _, want := range []string{
		`^<131>\w\w\w [ \d]\d \d\d:\d\d:\d\d err: \d+/\d+/\d+ \d+:\d+:\d+ \[error\] \d+#\d+: \*\d+ open\(\) ".*" failed \(2: No such file or directory\), client: .*host: "h"$`,
		`^<189>\w\w\w [ \d]\d \d\d:\d\d:\d\d nginx: 127.0.0.1 - - \[.*\] "GET /404 HTTP/1.1" 404 153 "-" "-"$`,
	} {
		b := make([]byte, 4096)
		n, _, err := peer.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := regexp.Match(want, b[:n]); !ok {
			t.Errorf("got  %s\nwant %s", b[:n], want)
		}
	}
}
