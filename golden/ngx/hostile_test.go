package ngx

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases"
)

// hostileConf runs the calls of testdata/hostile.lua in every phase. An argument i
// names the function, from the first call to make.
const hostileConf = `worker_processes 1; error_log logs/error.log info; pid logs/nginx.pid; events { worker_connections 512; }
http {
access_log off; default_type text/plain; lua_package_path "$prefix/?.lua;;"; client_body_temp_path body; lua_max_pending_timers 64; lua_max_running_timers 16;
lua_shared_dict hostile 1m; lua_shared_dict progress 1m; lua_socket_connect_timeout 20ms; lua_socket_read_timeout 20ms; lua_socket_send_timeout 20ms; lingering_close off;
init_by_lua_block {
  hostile = require "hostile" hostile.port = PORT
  function attempt(wait, thorough)
    local progress, i = ngx.shared.progress, tonumber(ngx.var.arg_i)
    local function note(n) progress:set("at", n) end
    if ngx.var.arg_methods then hostile.methods(i, tonumber(ngx.var.arg_from), wait, note)
    else hostile.attempt(i, tonumber(ngx.var.arg_from), wait, thorough, note) end
  end
  hostile.everything()
}
init_worker_by_lua_block { hostile.everything() ngx.shared.hostile:flush_all() ngx.shared.progress:set("started", true) }
upstream balanced { server 127.0.0.1:1; balancer_by_lua_block { attempt() ngx.exit(503) } }
server {
  listen 127.0.0.1:PORT;
  location = /ok { content_by_lua_block { ngx.say("ok ", ngx.var.arg_x, " ", ngx.shared.progress:get("started")) } }
  location = /at { content_by_lua_block { ngx.say(ngx.shared.progress:get("at")) } }
  location = /list { content_by_lua_block { for _, f in ipairs(hostile.functions()) do ngx.say(f.name) end } }
  location = /name { return 200 "x"; }
  location = /deep { content_by_lua_block { ngx.print(hostile.deep()) } }
  location = /self { content_by_lua_block { ngx.print(tonumber(ngx.var.arg_n) + 1, " ") ngx.print(ngx.location.capture("/self?n=" .. tonumber(ngx.var.arg_n) + 1).body) } }
  location = /content { content_by_lua_block { attempt(true, true) } }
  location = /rewrite { rewrite_by_lua_block { attempt(true) ngx.exit(204) } }
  location = /access { access_by_lua_block { attempt(true) ngx.exit(204) } }
  location = /set { set_by_lua_block $x { attempt() } return 204; }
  location = /header_filter { header_filter_by_lua_block { attempt() } return 200 "x"; }
  location = /body_filter { body_filter_by_lua_block { attempt() } return 200 "x"; }
  location = /log { log_by_lua_block { attempt() } return 204; }
  location = /balancer { proxy_pass http://balanced; }
  location = /timer { content_by_lua_block { local i, from, done = ngx.var.arg_i, ngx.var.arg_from ngx.timer.at(0, function() hostile.attempt(tonumber(i), tonumber(from), true, false, function(n) ngx.shared.progress:set("at", n) end) end) for _ = 1, 5000 do ngx.sleep(0.001) if ngx.timer.running_count() == 0 then break end end } }
} }
`

// deepEnds is how the calls of M.deep end.
const deepEnds = `called: false attempt to call upvalue 'called' (a table value)
calls: false stack overflow
chain: false loop in gettable
coroutines: true true
dag: false string length overflow
pcall: true true
say hole: false string length overflow
say nested: false stack overflow
say own: false stack overflow
send hole: false bad argument #2 to '?' (bad data type nil found)
send nested: false stack overflow
send own: false stack overflow
spawn: true 32769
text: false string length overflow
texts: false stack overflow
udp hole: false bad argument #2 to '?' (bad data type nil found)
udp nested: false stack overflow
udp own: false stack overflow
`

// TestHostile gives hostile values to every function of the API in every phase. The
// process lives, the next request is answered right, no panic of Go is in the log, and
// no call takes long.
func TestHostile(t *testing.T) {
	if *oracle {
		return // it is our own guards that are tested
	}
	h := newHostile(t)
	names := strings.Fields(strings.ReplaceAll(h.get("/list"), " ", "_"))
	if len(names) < 300 {
		t.Fatalf("only %d functions", len(names))
	}
	t.Run("deep", func(t *testing.T) {
		h.t = t
		if got := strings.TrimLeft(h.get("/deep"), "\n"); got != deepEnds {
			t.Errorf("got %s\nwant %s", got, deepEnds)
		}
		if got, want := h.get("/self?n=0"), "1 2 3 "; !strings.HasPrefix(got, want) {
			t.Errorf("subrequests of themselves: got %q", got)
		}
		h.checkLog("deep")
	})
	for _, phase := range []string{"content", "rewrite", "access", "set", "header_filter", "body_filter", "log", "balancer", "timer"} {
		t.Run(phase, func(t *testing.T) {
			h.t = t
			for i, name := range names {
				h.all("/"+phase+"?i="+strconv.Itoa(i+1), name)
			}
		})
	}
	t.Run("methods", func(t *testing.T) {
		h.t = t
		for _, phase := range []string{"content", "header_filter"} {
			for i := 1; h.all("/"+phase+"?methods=1&i="+strconv.Itoa(i), "object "+strconv.Itoa(i)); i++ {
			}
		}
	})
}

// hostile is a server that gets hostile calls.
type hostile struct {
	t      *testing.T
	root   string
	port   int
	client http.Client
}

func newHostile(t *testing.T) *hostile {
	modules, err := phases.NativeModules()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{t: t, root: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port, client: http.Client{Timeout: time.Minute}}
	h.client.Transport = &http.Transport{DisableKeepAlives: true} // ngx.exit(1) gives no answer
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	l.Close()
	script, err := os.ReadFile("testdata/hostile.lua")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"logs/x": "", "nginx.conf": strings.ReplaceAll(hostileConf, "PORT", strconv.Itoa(h.port)),
		"hostile.lua": string(script), "hostile_modules.lua": fmt.Sprintf("return { %s }\n", luaList(modules)),
	}
	for name, text := range files {
		path := filepath.Join(h.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(h.root, "server")
	build := exec.Command("go", "run", "github.com/moonphase/moonphase/cmd/moonphase", "build", "-p", h.root, "-c", "nginx.conf", "-o", binary)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	server := exec.Command(binary, "-p", h.root+"/", "-c", "nginx.conf", "-g", "daemon off;")
	server.Dir = h.root // where functions that write files write them
	serve(t, server, h.port)
	return h
}

func luaList(names []string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%q, ", name)
	}
	return b.String()
}

// get asks for a path and returns the body, "" for an answer that was cut.
func (h *hostile) get(path string) string {
	res, err := h.client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", h.port, path))
	if err != nil {
		if e, ok := err.(net.Error); ok && e.Timeout() {
			h.t.Errorf("%s: no answer in time", path)
		}
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

// goPanic is what the log has after a panic of Go code.
var goPanic = regexp.MustCompile(`.*(internal error: |runtime error: (invalid memory|index out|slice bounds|makeslice|integer)|^panic: |^goroutine \d).*`)

// all makes all calls of one request path; a call that ends its request is followed by
// another request for the rest. It reports whether there were any.
func (h *hostile) all(path, name string) bool {
	h.t.Helper()
	h.get("/at") // a request that was cut must not answer for this one
	for from := 1; ; {
		h.get(path + "&from=" + strconv.Itoa(from))
		if got, want := h.get("/ok?x="+strconv.Itoa(from)), "ok "+strconv.Itoa(from)+" true\n"; got != want {
			h.t.Fatalf("%s: after call %d the server answers %q", name, from, got)
		}
		at, err := strconv.Atoi(strings.TrimSpace(h.get("/at")))
		if err != nil {
			h.t.Fatalf("%s: %v", name, err)
		}
		h.checkLog(fmt.Sprintf("%s %s, calls %d to %d", path, name, from, at))
		if at <= 0 {
			return at == 0
		}
		if from = at + 1; from > 10000 {
			h.t.Fatalf("%s does not end", name)
		}
	}
}

// checkLog fails for a panic of Go code in the log, and empties it.
func (h *hostile) checkLog(what string) {
	path := filepath.Join(h.root, "logs", "error.log")
	log, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	if line := goPanic.Find(log); line != nil {
		h.t.Errorf("%s: %s", what, line)
	}
	if err := os.Truncate(path, 0); err != nil {
		h.t.Fatal(err)
	}
}
