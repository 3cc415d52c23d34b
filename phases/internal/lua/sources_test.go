package lua_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/lua/sources"
	"github.com/moonphase/moonphase/phases/internal/modules"
	"github.com/moonphase/moonphase/phases/internal/testserver"
	rt "github.com/moonphase/moonphase/runtime"
)

// luaTree is a folder of Lua files with the binary that was built from it.
type luaTree struct {
	t      testing.TB
	dir    string // with a slash at its end
	binary sources.Binary
}

func newLuaTree(t testing.TB) *luaTree {
	dir := t.TempDir() + "/"
	tree := &luaTree{t: t, dir: dir, binary: sources.Binary{Prefix: dir, Modules: []string{"added"}}}
	tree.add("lua/a.lua", lua.FileKey("lua/a.lua"), "", "m", "plug.*", "gone.at.build")
	tree.add("lua/app/x.lua", lua.FileKey(dir+"lua/app/x.lua"), "", "deep")
	tree.add("lua/m.lua", "m", "m", "deep")
	tree.add("lua/deep.lua", "deep", "deep", "m")
	tree.add("lua/plug/one.lua", "one", "plug.one")
	tree.add("lua/added.lua", "added", "added")
	tree.add("lua/unused.lua", "unused", "unused")
	return tree
}

// add writes a file and compiles it, in a manner of speaking.
func (l *luaTree) add(file, key, module string, requires ...string) {
	text := "-- " + file
	l.write(file, text)
	sum := sha256.Sum256([]byte(text))
	name := "@" + l.dir + file
	l.binary.Chunks = append(l.binary.Chunks, &rt.Chunk{
		Key: key, Name: name, Module: module, Requires: requires, LineFile: file, Hash: hex.EncodeToString(sum[:]),
		Main: func(*rt.Thread, *rt.Env, []rt.Value) (rt.Value, int) { return rt.Nil, 0 },
	})
}

func (l *luaTree) write(file, text string) {
	l.t.Helper()
	path := l.dir + file
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func (l *luaTree) remove(file string) {
	if err := os.Remove(l.dir + file); err != nil {
		l.t.Fatal(err)
	}
}

const staleConf = `http {
  lua_package_path "$prefix/lua/?.lua;$prefix/later/?.lua";
  server {
    location /app { content_by_lua_file lua/app/$arg_app.lua; }
    location /a { access_by_lua_file lua/a.lua; }
  }
}
`

// compile gives staleConf its meaning with the binary of the tree.
func (l *luaTree) compile(prefix string) error {
	return l.compileConf(prefix, staleConf)
}

func (l *luaTree) compileConf(prefix, text string) error {
	tree, err := conf.Parse("nginx.conf", prefix, []byte("events {}\n"+text))
	if err != nil {
		l.t.Fatal(err)
	}
	_, err = core.Compile(tree.Directives, core.CompileOptions{Prefix: prefix, Modules: modules.All(), Prepare: lua.BinaryCode{Chunks: l.binary.Chunks, Sources: sources.New(l.binary)}.Prepare})
	return err
}

func TestStaleLua(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(l *luaTree)
		want   string // the error, with DIR for the folder; "" for none
	}{
		{"nothing", func(l *luaTree) {}, ""},
		{"same content", func(l *luaTree) { l.remove("lua/a.lua"); l.write("lua/a.lua", "-- lua/a.lua") }, ""},
		{"file", func(l *luaTree) { l.write("lua/a.lua", "other") },
			`the Lua file "DIR/lua/a.lua" has changed since this binary was built (rebuild it), used by "access_by_lua_file" in nginx.conf:6`},
		{"file of the same size", func(l *luaTree) { l.write("lua/a.lua", "-- lua/b.lua") },
			`the Lua file "DIR/lua/a.lua" has changed since this binary was built (rebuild it), used by "access_by_lua_file" in nginx.conf:6`},
		{"no file", func(l *luaTree) { l.remove("lua/a.lua") },
			`the Lua file "DIR/lua/a.lua" is no longer there, which this binary was built with (rebuild it), used by "access_by_lua_file" in nginx.conf:6`},
		{"a folder now", func(l *luaTree) { l.remove("lua/a.lua"); l.write("lua/a.lua/x", "") },
			`the Lua file "DIR/lua/a.lua" cannot be read (21: Is a directory) (rebuild it), used by "access_by_lua_file" in nginx.conf:6`},
		{"file that a variable chooses", func(l *luaTree) { l.write("lua/app/x.lua", "other") },
			`the Lua file "DIR/lua/app/x.lua" has changed since this binary was built (rebuild it), used by "content_by_lua_file" in nginx.conf:5`},
		{"it is gone", func(l *luaTree) { l.remove("lua/app/x.lua") }, ""}, // answered with 404, as nginx does
		{"another one", func(l *luaTree) { l.write("lua/app/y.lua", "") }, ""},
		{"module", func(l *luaTree) { l.write("lua/m.lua", "other") },
			`the Lua module "m" ("DIR/lua/m.lua") has changed since this binary was built (rebuild it), used by "content_by_lua_file" in nginx.conf:5`},
		{"module of a module", func(l *luaTree) { l.remove("lua/deep.lua") },
			`the Lua module "deep" ("DIR/lua/deep.lua") is no longer there, which this binary was built with (rebuild it), used by "content_by_lua_file" in nginx.conf:5`},
		{"module of a pattern", func(l *luaTree) { l.write("lua/plug/one.lua", "") },
			`the Lua module "plug.one" ("DIR/lua/plug/one.lua") has changed since this binary was built (rebuild it), used by "access_by_lua_file" in nginx.conf:6`},
		{"module added by hand", func(l *luaTree) { l.write("lua/added.lua", "") },
			`the Lua module "added" ("DIR/lua/added.lua") has changed since this binary was built (rebuild it)`},
		{"module that nothing uses", func(l *luaTree) { l.remove("lua/unused.lua") }, ""},
		{"module found earlier", func(l *luaTree) {
			l.write("later/m.lua", "")
			l.binary.Chunks[2].Name = "@" + l.dir + "elsewhere/m.lua"
		}, `the Lua module "m" is "DIR/lua/m.lua" now, and "DIR/elsewhere/m.lua" in this binary (rebuild it), used by "content_by_lua_file" in nginx.conf:5`},
		{"module found later", func(l *luaTree) { l.write("later/m.lua", "") }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLuaTree(t)
			tt.change(l)
			got := ""
			if err := l.compile(l.dir); err != nil {
				got = strings.ReplaceAll(err.Error(), strings.TrimSuffix(l.dir, "/"), "DIR")
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			l.binary.Sealed = true
			if err := l.compile(l.dir); err != nil {
				t.Errorf("sealed: %v", err)
			}
		})
	}
}

// TestMovedPrefix: a binary serves below another prefix than that of the build.
func TestMovedPrefix(t *testing.T) {
	l := newLuaTree(t)
	moved := newLuaTree(t).dir
	if err := os.RemoveAll(l.dir); err != nil {
		t.Fatal(err)
	}
	if err := l.compile(moved); err != nil {
		t.Error(err)
	}
	l.dir = moved
	l.write("lua/deep.lua", "other")
	if err := l.compile(moved); err == nil || !strings.Contains(err.Error(), moved+"lua/deep.lua") {
		t.Errorf("error %v, want one about %slua/deep.lua", err, moved)
	}
}

// TestReloadStale: a server goes on with the code it has when a reload finds other code.
func TestReloadStale(t *testing.T) {
	l := newLuaTree(t)
	s := testserver.Start(t, "events {}\n"+strings.ReplaceAll(staleConf, "server {", "server { listen ADDR;"))
	if err := os.CopyFS(s.Dir+"/", os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	s.Prepare = lua.BinaryCode{Chunks: l.binary.Chunks, Sources: sources.New(l.binary)}.Prepare
	s.Signal(syscall.SIGHUP)
	if body := s.Get("/app?app=x"); !strings.Contains(body, "200 OK") {
		t.Fatalf("before: %s\n%s", body, s.Read("logs/error.log"))
	}
	served := s.Cycle.Load()
	s.Write("lua/app/x.lua", "other")
	s.Signal(syscall.SIGHUP)
	s.WantLog(`[emerg]`)
	s.WantLog(s.Dir + `/lua/app/x.lua" has changed since this binary was built (rebuild it), used by "content_by_lua_file" in ` + s.Dir + "/conf/nginx.conf:5")
	if s.Cycle.Load() != served {
		t.Error("the configuration was taken over")
	}
	if body := s.Get("/app?app=x"); !strings.Contains(body, "200 OK") {
		t.Errorf("after: %s", body)
	}
}

// TestStaleAtFirstUse: what changes between the start and the first request is not run.
func TestStaleAtFirstUse(t *testing.T) {
	l := newLuaTree(t)
	s := testserver.Start(t, "events {}\n"+strings.ReplaceAll(staleConf, "server {", "server { listen ADDR;"))
	if err := os.CopyFS(s.Dir+"/", os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	s.Prepare = lua.BinaryCode{Chunks: l.binary.Chunks, Sources: sources.New(l.binary)}.Prepare
	s.Signal(syscall.SIGHUP)
	s.Write("lua/app/x.lua", "other")
	s.Write("lua/a.lua", "other")
	s.Write("lua/m.lua", "other")
	for _, uri := range []string{"/app?app=x", "/a"} {
		if body := s.Get(uri); !strings.Contains(body, " 500 ") {
			t.Errorf("%s: %s", uri, body)
		}
	}
	s.WantLog(`failed to load external Lua file "` + s.Dir + `/lua/a.lua": it has changed since this binary was built (rebuild it)`)
	if body := s.Get("/app?app=none"); !strings.Contains(body, " 404 ") {
		t.Errorf("a file that is not there: %s", body)
	}
	st := lua.StateOf(s.Cycle.Load())
	_, err := st.Main().PCall(st.Globals.GetStr("require"), rt.String("m"))
	if err == nil || !strings.Contains(err.Error(), "error loading module 'm' from file") || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("require of a changed module: %v", err)
	}
}

// BenchmarkStaleModules is what a start pays for a thousand modules.
func BenchmarkStaleModules(b *testing.B) {
	l := newLuaTree(b)
	for i := range 1000 {
		name := fmt.Sprintf("big%d", i)
		l.add("lua/"+name+".lua", name, name)
		l.binary.Chunks[0].Requires = append(l.binary.Chunks[0].Requires, name)
	}
	for b.Loop() {
		if err := l.compile(l.dir); err != nil {
			b.Fatal(err)
		}
	}
}
