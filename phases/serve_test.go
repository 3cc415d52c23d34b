package phases

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/http1"
)

var oracle = flag.Bool("oracle", false, "record the answers of real nginx in testdata/serve")

// TestServe answers the requests of testdata/serve/*.txtar and compares with
// what nginx 1.22.1 answered (go test -oracle records that). An archive holds
// the directives of one server (server), more for http (http), files below the
// prefix, and pairs of request N and response N.
func TestServe(t *testing.T) {
	files, err := filepath.Glob("testdata/serve/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := newServeCase(t, ar)
			if *oracle {
				c.record(t, file, ar)
				return
			}
			cycle := c.compile(t)
			for _, req := range c.requests {
				got := c.normal(serveBytes(cycle, req.text))
				if got != req.want {
					t.Errorf("%s:\n%s\ngot:\n%s\nwant:\n%s", req.name, req.text, got, req.want)
				}
			}
		})
	}
}

type serveCase struct {
	prefix   string
	port     int
	conf     string
	requests []serveRequest
}

type serveRequest struct {
	name, text, want string
}

// newServeCase lays the files of an archive out in a folder.
func newServeCase(t *testing.T, ar *txtar.Archive) *serveCase {
	t.Helper()
	c := &serveCase{prefix: t.TempDir() + "/", port: freePort(t)}
	part := map[string]string{}
	for _, f := range ar.Files {
		name, data := f.Name, string(f.Data)
		switch {
		case name == "server" || name == "http":
			part[name] = data
		case strings.HasPrefix(name, "request "):
			text := strings.ReplaceAll(strings.TrimSuffix(data, "\n"), "\n", "\r\n")
			if !strings.Contains(text, "\r\n\r\n") {
				text += "\r\nHost: localhost\r\nConnection: close\r\n\r\n"
			}
			c.requests = append(c.requests, serveRequest{name: name, text: text})
		case strings.HasPrefix(name, "response "):
			c.requests[len(c.requests)-1].want = strings.TrimSuffix(data, "\n")
		default:
			path := c.prefix + name
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, dir := range []string{"logs", "conf", "html"} {
		if err := os.MkdirAll(c.prefix+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.conf = fmt.Sprintf(`worker_processes 1; daemon off; master_process off; error_log %[1]slogs/error.log debug; pid %[1]slogs/nginx.pid;
events { worker_connections 64; }
http { access_log off; default_type text/plain; client_body_temp_path %[1]sbody; proxy_temp_path %[1]sproxy;
%[3]s
server { listen 127.0.0.1:%[2]d; server_name localhost;
%[4]s
} }
`, c.prefix, c.port, part["http"], part["server"])
	if err := os.WriteFile(c.prefix+"conf/nginx.conf", []byte(c.conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (c *serveCase) compile(t *testing.T) *Cycle {
	t.Helper()
	tree, err := conf.ParseFile(c.prefix + "conf/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	cycle, err := Compile(tree.Directives, CompileOptions{Prefix: c.prefix, ConfPath: c.prefix + "conf/nginx.conf"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cycle.InitWorkers(); err != nil {
		t.Fatal(err)
	}
	return cycle
}

var (
	dateLine = regexp.MustCompile(`(?m)^Date: .*GMT`)
	etagLine = regexp.MustCompile(`(?m)^ETag: .*"`)
	modLine  = regexp.MustCompile(`(?m)^Last-Modified: .*GMT`)
)

// normal takes out what differs from run to run.
func (c *serveCase) normal(answer string) string {
	answer = strings.ReplaceAll(answer, "\r\n", "\n")
	answer = dateLine.ReplaceAllString(answer, "Date: DATE")
	answer = etagLine.ReplaceAllString(answer, "ETag: TAG")
	answer = modLine.ReplaceAllString(answer, "Last-Modified: TIME")
	answer = strings.ReplaceAll(answer, c.prefix, "PREFIX/")
	answer = strings.ReplaceAll(answer, fmt.Sprint(c.port), "PORT")
	return strings.TrimSuffix(answer, "\n")
}

// record asks a real nginx and writes its answers into the archive.
func (c *serveCase) record(t *testing.T, file string, ar *txtar.Archive) {
	t.Helper()
	modules := ""
	for _, m := range []string{"ndk_http", "ngx_http_lua", "ngx_http_echo", "ngx_http_headers_more_filter"} {
		modules += "load_module /usr/lib/nginx/modules/" + m + "_module.so;\n"
	}
	if err := os.WriteFile(c.prefix+"conf/nginx.conf", []byte(modules+c.conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", c.prefix, "-c", c.prefix+"conf/nginx.conf", "-e", c.prefix+"logs/error.log")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	addr := fmt.Sprintf("127.0.0.1:%d", c.port)
	for range 100 {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	answers := map[string]string{}
	for _, req := range c.requests {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("nginx: %v\n%s", err, out.String())
		}
		nc.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(nc, req.text)
		answer, _ := io.ReadAll(nc)
		nc.Close()
		answers["response "+strings.TrimPrefix(req.name, "request ")] = c.normal(string(answer)) + "\n"
	}
	var files []txtar.File
	for _, f := range ar.Files {
		if strings.HasPrefix(f.Name, "response ") {
			continue
		}
		files = append(files, f)
		if n, ok := strings.CutPrefix(f.Name, "request "); ok {
			files = append(files, txtar.File{Name: "response " + n, Data: []byte(answers["response "+n])})
		}
	}
	ar.Files = files
	if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serveBytes gives a request to the first address of a cycle and returns all
// that is sent back.
func serveBytes(cycle *Cycle, text string) string {
	conn := &memConn{in: strings.NewReader(text)}
	limits := &http1.Limits{HeaderBuffer: 1024, LargeBuffer: 8192, LargeCount: 4, MaxHeaders: 1000, HeaderTimeout: time.Minute}
	conn.listen = cycle.Listens[0]
	conn.rd.Reset(conn, limits)
	var h http1.Head
	err := conn.rd.ReadHead(&h, time.Minute)
	r := cycle.NewRequest(conn, conn.listen)
	defer r.Release()
	r.Method, r.URI, r.Args = h.Method, h.Path, h.Args
	r.RequestURI, r.RequestLine, r.HeaderText = h.Target, h.Line, h.Text
	r.HTTPMajor, r.HTTPMinor, r.Host = h.Major, h.Minor, h.Host
	for _, f := range h.Fields {
		r.In.Add(f.Name, f.Value)
	}
	r.ContentLength, r.Chunked, r.KeepAlive = h.ContentLength, h.Chunked, h.KeepAlive
	r.HeaderBytes = int64(len(h.Text))
	r.Server = conn.listen.FindServer(r, h.Host)
	if err != nil {
		r.ServeError(400)
	} else {
		r.Serve()
	}
	return conn.out.String()
}

// memConn is a connection in memory: a Downstream, and the net.Conn below it.
type memConn struct {
	in     *strings.Reader
	out    bytes.Buffer
	rd     http1.Reader
	listen *Listen
}

func (c *memConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *memConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *memConn) Close() error                     { return nil }
func (c *memConn) SetDeadline(time.Time) error      { return nil }
func (c *memConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }
func (c *memConn) Push() error                      { return nil }
func (c *memConn) Flush() error                     { return nil }
func (c *memConn) Buffered() int                    { return 0 }
func (c *memConn) Sent() int64                      { return int64(c.out.Len()) }
func (c *memConn) ReadBody(p []byte) (int, error)   { return c.rd.ReadBody(p) }
func (c *memConn) Aborted() <-chan struct{}         { return nil }
func (c *memConn) Number() int64                    { return 1 }
func (c *memConn) Requests() int64                  { return 1 }
func (c *memConn) NetConn() (net.Conn, []byte)      { return c, c.rd.Take() }
func (c *memConn) TLS() bool                        { return false }
func (c *memConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }
func (c *memConn) LocalAddr() net.Addr {
	addr, _ := net.ResolveTCPAddr("tcp", c.listen.Addr)
	return addr
}
