package ngx

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestIsolateGlobals checks S90 and S91: with lua_isolate_globals, which nginx does
// not know, what a handler writes to its globals is seen in the same run and gone
// with it, and the phases of a request share none.
func TestIsolateGlobals(t *testing.T) {
	if *oracle { // there is nothing to record
		return
	}
	holder, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := holder.Addr().(*net.TCPAddr).Port
	prefix := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(prefix, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("lua/module.lua", "of_module = 'm'\n")
	write("lua/count.lua", "count = (count or 0) + 1\nngx.print(count)\n")
	write("logs/error.log", "")
	write("nginx.conf", fmt.Sprintf(`worker_processes 1; pid logs/nginx.pid; error_log logs/error.log warn; events {}
http {
  lua_package_path "$prefix/lua/?.lua;;"; lua_isolate_globals on;
  init_by_lua_block { function helper() return "helper" end }
  server {
    listen 127.0.0.1:%d;
    location /phases {
      rewrite_by_lua_block { x = 1 ngx.ctx.x = function() return x end }
      access_by_lua_block { ngx.ctx.access = tostring(x) x = 2 }
      content_by_lua_block { ngx.print(tostring(x), ngx.ctx.access, ngx.ctx.x(), helper()) }
    }
    location /same { content_by_lua_block {
      x = 3 _G.y = 4
      local function f() z = 5 end f()
      local co = coroutine.wrap(function() w = 6 end) co()
      ngx.thread.wait(ngx.thread.spawn(function() v = 7 end))
      ngx.print(x, _G.x, y, z, w, v, type(string.format), tostring(getfenv(1) == _G))
    } }
    location /gone { content_by_lua_block { ngx.print(tostring(x), tostring(y), tostring(z), tostring(w), tostring(v)) } }
    location /module { content_by_lua_block { require "module" ngx.print(of_module) } }
    location /later { content_by_lua_block { ngx.print(of_module) } }
    location /file { content_by_lua_file lua/count.lua; }
    location /named { set $name count; content_by_lua_file lua/$name.lua; }
    location /set { set_by_lua_block $set { n = (n or 0) + 1 return n } return 200 $set; }
    location /filter { content_by_lua_block { ngx.print("a") } body_filter_by_lua_block { n = (n or 0) + 1 if not ngx.arg[2] then ngx.arg[1] = ngx.arg[1] .. n end } }
    location /shared { lua_isolate_globals off; content_by_lua_block { n = (n or 0) + 1 ngx.print(n) } }
  }
}
`, port))
	binary := filepath.Join(prefix, "server")
	build := exec.Command("go", "run", "github.com/moonphase/moonphase/cmd/moonphase", "build", "-p", prefix, "-c", "nginx.conf", "-o", binary)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	holder.Close()
	serve(t, exec.Command(binary, "-p", prefix+"/", "-c", "nginx.conf", "-g", "daemon off;"), port)
	for _, tt := range []struct{ path, want string }{
		{"/phases", "nilnil1helper"}, {"/phases", "nilnil1helper"},
		{"/same", "334567functiontrue"}, {"/gone", "nilnilnilnilnil"},
		{"/module", "m"}, {"/later", "m"}, // a module's globals are the worker's
		{"/file", "1"}, {"/file", "1"}, {"/named", "1"}, {"/named", "1"},
		{"/set", "1"}, {"/set", "1"}, {"/filter", "a1"}, {"/filter", "a1"},
		{"/shared", "1"}, {"/shared", "2"},
	} {
		request := "GET " + tt.path + " HTTP/1.0\nHost: h\n\n"
		c := &testCase{port: port, archive: &txtar.Archive{Files: []txtar.File{{Name: "request", Data: []byte(request)}}}}
		answer := exchange(t, c)
		_, body, _ := strings.Cut(answer, "\n\n")
		if got := strings.TrimSuffix(body, "\\\n"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
		}
	}
	log, err := os.ReadFile(filepath.Join(prefix, "logs/error.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"of_module", "'n'"} {
		if !strings.Contains(string(log), name) {
			t.Errorf("no warning about the global %s", name)
		}
	}
	if strings.Contains(string(log), "'x'") {
		t.Error("a warning about an isolated global")
	}
}
