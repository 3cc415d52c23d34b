package lua

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// The names and keys are those in the debug log of nginx 1.22.1 with ngx_lua
// 0.10.23 for the same configuration (prefix /tmp/e/o).
func TestFindChunks(t *testing.T) {
	src := `init_by_lua_block { ngx.log(1) }
server { server_rewrite_by_lua_block { ngx.log(ngx.ERR, "sr") }
location /a { content_by_lua_block 
{

 ngx.log(ngx.ERR, "x") 
 
 } }
location /b { content_by_lua "
 ngx.log(ngx.ERR, 'x') 
 "
 
 ; }
location /c { content_by_lua_file lua/err.lua; }
location /d { content_by_lua_file lua/$x.lua; }
location /e { content_by_lua_file /tmp/e/o/lua/err.lua; }
location /f { set_by_lua $res "ngx.log(ngx.ERR, 'x') return 1"; set_by_lua_block $res { ngx.log(ngx.ERR, "x") } }
location /g { set_by_lua_file $res lua/err.lua; if ($a) { access_by_lua 'a = \'b\''; } }
types { content_by_lua x; }
}`
	tree, err := conf.Parse("/tmp/e/o/conf/nginx.conf", "/tmp/e/o/conf", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	want := []ChunkRef{
		{Phase: caller.PhaseInit, Name: "=init_by_lua(nginx.conf:1)", Line: 1, SourceLine: 1, Col: 20},
		{Phase: caller.PhaseServerRewrite, Name: "=server_rewrite_by_lua(nginx.conf:2)", Key: "server_rewrite_by_lua_nhli_a284030ac57b91f308eddd8acac45eae", Line: 2, SourceLine: 2, Col: 39},
		{Phase: caller.PhaseContent, Name: "=content_by_lua(nginx.conf:4)", Key: "content_by_lua_nhli_be514941a31f359f2c07d1391dd18af1", Line: 4, SourceLine: 4, Col: 2},
		{Phase: caller.PhaseContent, Name: "=content_by_lua(nginx.conf:13)", Key: "content_by_lua_nhli_a119cdb63f9ea8b1247d30fbe561b113", Line: 13, SourceLine: 9, Col: 31},
		{Phase: caller.PhaseContent, Name: "@/tmp/e/o/lua/err.lua", Key: "nhlf_852c90d4e270bd0957b3407158406a3f", Path: "/tmp/e/o/lua/err.lua", Line: 14},
		{Phase: caller.PhaseContent, Path: "/tmp/e/o/lua/$x.lua", HasVars: true, Line: 15},
		{Phase: caller.PhaseContent, Name: "@/tmp/e/o/lua/err.lua", Key: "nhlf_6f91cbf30307d6ceb97c5b24ac60156f", Path: "/tmp/e/o/lua/err.lua", Line: 16},
		{Phase: caller.PhaseSet, Name: "=set_by_lua(nginx.conf:17)", Key: "set_by_lua_nhli_7b84364dca1e48dc6384bb4f4b566a3d", Line: 17, SourceLine: 17, Col: 32},
		{Phase: caller.PhaseSet, Name: "=set_by_lua(nginx.conf:17)", Key: "set_by_lua_nhli_58af5a0c439063b1c52a05bde527dc3d", Line: 17, SourceLine: 17, Col: 88},
		{Phase: caller.PhaseSet, Name: "@/tmp/e/o/lua/err.lua", Key: "nhlf_852c90d4e270bd0957b3407158406a3f", Path: "/tmp/e/o/lua/err.lua", Line: 18},
		{Phase: caller.PhaseAccess, Name: "=access_by_lua(nginx.conf:18)", Line: 18, SourceLine: 18},
	}
	got, errs := FindChunks(tree.Directives, "/tmp/e/o/")
	if len(errs) > 0 || len(got) != len(want) {
		t.Fatalf("%d chunks, want %d; errors %v", len(got), len(want), errs)
	}
	for i, w := range want {
		g := got[i]
		g.Source, g.Directive, g.File = "", "", ""
		if w.Key == "" && !w.HasVars {
			g.Key = "" // not in nginx's log
		}
		if g != w {
			t.Errorf("got  %+v\nwant %+v", g, w)
		}
	}
}

func TestInlineName(t *testing.T) {
	tests := []struct {
		tag, file string
		line      int
		want      string
	}{
		{"content_by_lua", "sub/nginx.conf", 7, "=content_by_lua(nginx.conf:7)"},
		{"content_by_lua", "sub/mynginx.conf", 7, "=content_by_lua(sub/mynginx.conf:7)"},
		{"content_by_lua", "/tmp/foo.conf", 7, "=content_by_lua(/tmp/foo.conf:7)"},
		{"content_by_lua", "sub/" + strings.Repeat("b", 32) + ".conf", 1, "=content_by_lua(sub/" + strings.Repeat("b", 32) + ".conf:1)"},
		{"content_by_lua", "sub/" + strings.Repeat("b", 34) + ".conf", 1, "=content_by_lua(..." + strings.Repeat("b", 33) + ".conf:1)"},
		{"content_by_lua", strings.Repeat("a", 70) + ".conf", 1003, "=content_by_lua(..." + strings.Repeat("a", 30) + ".conf:1003)"},
		{"log_by_lua", strings.Repeat("a", 70) + ".conf", 1, "=log_by_lua(..." + strings.Repeat("a", 37) + ".conf:1)"},
	}
	for _, tt := range tests {
		if got := inlineName(tt.tag, tt.file, tt.line); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestEmptyChunk(t *testing.T) {
	tree, err := conf.Parse("nginx.conf", ".", []byte("location / {\n content_by_lua_block {} }"))
	if err != nil {
		t.Fatal(err)
	}
	_, errs := FindChunks(tree.Directives, "/")
	want := "invalid location config: no runnable Lua code in nginx.conf:2"
	if len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("got %v, want %s", errs, want)
	}
}

func TestChunkFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"app/a.lua", "app/sub/b.lua", "app/c.txt", "other/d.lua"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ref := ChunkRef{Path: dir + "/app/$path.lua", HasVars: true}
	got, err := ref.Files()
	if err != nil || len(got) != 2 || got[0] != dir+"/app/a.lua" || got[1] != dir+"/app/sub/b.lua" {
		t.Errorf("got %v, %v", got, err)
	}
}
