package lua_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/testserver"
	rt "github.com/moonphase/moonphase/runtime"
)

// boom panics as a fault of the server's own code would.
func boom() { panic("boom") }

// boomChunks are chunks that do what their code says.
func boomChunks() rt.ChunkSet {
	chunk := func(phase, code string, f func(*rt.Thread)) *rt.Chunk {
		return testserver.Chunk(phase+"_by_lua", code, f)
	}
	native := func(f func(*rt.Thread)) rt.Value {
		return rt.NewGoFunction("boom", func(th *rt.Thread, _ []rt.Value) (rt.Value, int) { f(th); return rt.Nil, 0 })
	}
	return rt.ChunkSet{
		chunk("content", " lua ", func(*rt.Thread) { boom() }),
		chunk("content", " wait ", func(th *rt.Thread) { th.Block(nil, boom) }),
		chunk("content", " thread ", func(th *rt.Thread) {
			th.Spawn(native(func(*rt.Thread) {}), nil, nil)
			th.Spawn(native(func(th *rt.Thread) { th.Errorf("x") }), nil, func(*rt.Thread, *rt.Error) { boom() })
		}),
		chunk("content", " timer ", func(th *rt.Thread) {
			lua.StartTimer(th, native(func(*rt.Thread) { boom() }))
			lua.Print(th, "timer\n")
		}),
		chunk("content", " sent ", func(th *rt.Thread) { lua.Print(th, "sent\n"); boom() }),
		chunk("content", " engine ", func(th *rt.Thread) { lua.RequestOf(th).Main = nil }),
		chunk("content", " ok ", func(th *rt.Thread) { lua.Print(th, "ok\n") }),
		chunk("header_filter", " filter ", func(*rt.Thread) { boom() }),
		chunk("log", " log ", func(th *rt.Thread) { lua.RequestOf(th).Loc = nil }),
	}
}

// TestGuard has Go code panic at every kind of place. The request is answered with 500
// or cut, the log has a line, and the server goes on.
func TestGuard(t *testing.T) {
	s := testserver.Start(t, `events {} error_log DIR/logs/error.log info;
http { access_log off; server { listen ADDR;
location /lua { content_by_lua_block { lua } }
location /wait { content_by_lua_block { wait } }
location /thread { content_by_lua_block { thread } }
location /timer { content_by_lua_block { timer } }
location /sent { content_by_lua_block { sent } }
location /engine { content_by_lua_block { engine } }
location /filter { content_by_lua_block { ok } header_filter_by_lua_block { filter } }
location /log { content_by_lua_block { ok } log_by_lua_block { log } }
location / { content_by_lua_block { ok } } } }`, boomChunks()...)
	tests := []struct {
		path string
		want string // status and body, "" for an answer that is cut
		log  string
	}{
		{"/lua", "500", "internal error: boom in lua_test.boom"},
		{"/wait", "500", "internal error: boom in lua_test.boom"},
		{"/thread", "500", "internal error: boom in lua_test.boom"},
		{"/timer", "200 timer\n", "internal error: boom in lua_test.boom"},
		{"/sent", "", "internal error: boom in lua_test.boom"},
		{"/engine", "", "internal error: runtime error: invalid memory address"},
		{"/filter", "", "internal error: boom in lua_test.boom"},
		{"/log", "200 ok\n", "internal error: runtime error: invalid memory address"},
	}
	for _, tt := range tests {
		t.Run(tt.path[1:], func(t *testing.T) {
			s.T = t
			if got := status(s, tt.path); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			s.WantLog(tt.log)
			s.WantLog("[alert]")
			s.Write("logs/error.log", "")
			if got := status(s, "/"); got != "200 ok\n" {
				t.Errorf("the next request got %q", got)
			}
		})
	}
}

// status is the status of an answer, with the body of a 200; "" when it is cut.
func status(s *testserver.Server, path string) string {
	s.T.Helper()
	res, err := http.Get("http://" + s.Addr + path)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return ""
	case res.StatusCode != 200:
		return strings.Fields(res.Status)[0]
	}
	return "200 " + string(body)
}
