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

	"github.com/moonphase/moonphase/phases/internal/testserver"
	rt "github.com/moonphase/moonphase/runtime"
)

var oracle = flag.Bool("oracle", false, "record the answers of real nginx in testdata/serve")

// TestServe answers the requests of testdata/serve/*.txtar and compares with
// what nginx 1.22.1 answered (go test -oracle records that). An archive holds
// the directives of one server (server), more for http (http), files below the
// prefix, and pairs of request N and response N.
func TestServe(t *testing.T) {
	t.Setenv("MOONPHASE_COMPAT", "1.22.1")
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
			c.start(t)
			for _, req := range c.requests {
				got := c.ask(t, req.text)
				if got != req.want {
					t.Errorf("%s:\n%s\ngot:\n%s\nwant:\n%s", req.name, req.text, got, req.want)
				}
			}
		})
	}
}

type serveCase struct {
	prefix   string
	port     string
	conf     string
	chunks   rt.ChunkSet // compiled Lua, for cases that bring some
	requests []serveRequest
}

type serveRequest struct {
	name, text, want string
}

// newServeCase lays the files of an archive out in a folder.
func newServeCase(t testing.TB, ar *txtar.Archive) *serveCase {
	t.Helper()
	addr := testserver.FreeAddr(t)
	c := &serveCase{prefix: t.TempDir() + "/", port: addr[strings.LastIndexByte(addr, ':')+1:]}
	part := map[string]string{}
	for _, f := range ar.Files {
		name, data := f.Name, string(f.Data)
		switch {
		case name == "server" || name == "http":
			part[name] = strings.ReplaceAll(data, "$PORT", c.port)
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
http { access_log off; keepalive_requests 1000000000; default_type text/plain; client_body_temp_path %[1]sbody; proxy_temp_path %[1]sproxy;
%[3]s
server { listen 127.0.0.1:%[2]s; server_name localhost;
%[4]s
} }
`, c.prefix, c.port, part["http"], part["server"])
	if err := os.WriteFile(c.prefix+"conf/nginx.conf", []byte(c.conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

// start serves the configuration until the test ends.
func (c *serveCase) start(t testing.TB) {
	t.Helper()
	testserver.Run(t, c.chunks, "-p", c.prefix, "-c", c.prefix+"conf/nginx.conf", "-e", c.prefix+"logs/error.log")
	t.Cleanup(func() {
		if t.Failed() {
			if log, err := os.ReadFile(c.prefix + "logs/error.log"); err == nil {
				t.Logf("error.log:\n%s", log[max(0, len(log)-4000):])
			}
		}
	})
}

// ask sends a request and returns all that comes back.
func (c *serveCase) ask(t testing.TB, text string) string {
	t.Helper()
	nc, err := net.Dial("tcp", "127.0.0.1:"+c.port)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(nc, text)
	answer, _ := io.ReadAll(nc)
	return c.normal(string(answer))
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
	answer = strings.ReplaceAll(answer, c.port, "PORT")
	return strings.TrimSuffix(answer, "\n")
}

// record asks a real nginx and writes its answers into the archive.
func (c *serveCase) record(t testing.TB, file string, ar *txtar.Archive) {
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
	addr := "127.0.0.1:" + c.port
	for range 100 {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	answers := map[string]string{}
	for _, req := range c.requests {
		answers["response "+strings.TrimPrefix(req.name, "request ")] = c.ask(t, req.text) + "\n"
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
