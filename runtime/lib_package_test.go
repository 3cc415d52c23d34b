package runtime

import (
	"strings"
	"testing"
)

func TestRequire(t *testing.T) {
	runs := 0
	chunks := ChunkSet{
		{Key: "/lib/broken.lua", Name: "@./broken.lua", Module: "broken", LineFile: "broken.lua", Err: "1: unexpected symbol near '='"},
		{Key: "./found/bypath.lua", Name: "@./found/bypath.lua", LineFile: "bypath.lua", Main: func(th *Thread, env *Env, args []Value) (Value, int) {
			runs++
			return args[0], 1
		}},
		{Key: "/lib/mod.lua", Name: "@./mod.lua", Module: "mod", LineFile: "mod.lua", Main: func(*Thread, *Env, []Value) (Value, int) {
			runs++
			return Nil, 0
		}},
	}
	st := NewState(Options{Chunks: chunks})
	st.SetPackagePath("/p/?.lua;./?.lua", "/c/?.so")
	st.AddModule("native", func(*Thread) Value { return String("native module") })
	st.Preload.SetStr("fails", NewGoFunction("fails", func(th *Thread, _ []Value) (Value, int) {
		th.Throw(String("boom"))
		return Nil, 0
	}))
	st.Preload.SetStr("no", NewGoFunction("no", func(*Thread, []Value) (Value, int) { return False, 1 }))
	require := st.Globals.GetStr("require")
	for _, tt := range []struct{ name, want string }{
		{"a.b", "module 'a.b' not found:" +
			"\n\tno field package.preload['a.b']" +
			"\n\tno file '/p/a/b.lua'\n\tno file './a/b.lua'\n\tno file '/c/a/b.so'\n\tno file '/c/a.so'"},
		{"lib_package", "module 'lib_package' not found:" +
			"\n\tno field package.preload['lib_package']" +
			"\n\tno file '/p/lib_package.lua'\n\tno file './lib_package.lua'\n\tno file '/c/lib_package.so'"},
		{"broken", "error loading module 'broken' from file './broken.lua':\n\t./broken.lua:1: unexpected symbol near '='"},
		{"found.bypath", "found.bypath"},
		{"found.bypath", "found.bypath"},
		{"mod", "true"},
		{"mod", "true"},
		{"native", "native module"},
		{"fails", "boom"},
		{"fails", "loop or previous error loading module 'fails'"},
		{"no", "false"},
		{"string", "table: "},
		{"table.new", "function: "},
		{"cjson.safe", "table: "},
		{"ffi", "module 'ffi' not found:"},
	} {
		results, err := st.Main().PCall(require, String(tt.name))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = Describe(results[0])
		}
		if got != tt.want && !(strings.HasSuffix(tt.want, ": ") || strings.HasSuffix(tt.want, ":")) || !strings.HasPrefix(got, tt.want) {
			t.Errorf("require %q:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	if runs != 2 {
		t.Errorf("two modules ran %d times", runs)
	}
	if v := st.Loaded.GetStr("native"); Describe(v) != "native module" {
		t.Errorf("package.loaded.native is %s", Describe(v))
	}
}

func TestSetPackagePath(t *testing.T) {
	st := NewState(Options{})
	st.SetPackagePath("/a/?.lua;;", "") // ngx_lua leaves the same empty entries behind
	if got := st.pkg.GetStr("path").Str(); got != "/a/?.lua;"+defaultPath+";" {
		t.Errorf("path %q", got)
	}
	st.SetPackagePath(";;/b/?.lua", "")
	if got := st.pkg.GetStr("path").Str(); got != ";/a/?.lua;"+defaultPath+";;/b/?.lua" {
		t.Errorf("path %q", got)
	}
}
