package conf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dump prints a tree on one line: words in brackets, blocks in braces.
func dump(list []*Directive) string {
	var b strings.Builder
	for _, d := range list {
		if d.Err != nil {
			fmt.Fprintf(&b, "!%v ", d.Err.Msg)
			continue
		}
		fmt.Fprintf(&b, "%d:[%s]", d.Line, strings.Join(append([]string{d.Name}, d.Args...), "|"))
		switch {
		case d.IsLua:
			fmt.Fprintf(&b, "<%s>%d", d.Lua, d.EndLine)
		case d.HasBlock:
			fmt.Fprintf(&b, "{%s}%d", dump(d.Block), d.EndLine)
		}
	}
	return b.String()
}

func TestParse(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"empty", "", ""},
		{"comment only", "# x", ""},
		{"words", "a b  c\td;", "1:[a|b|c|d]"},
		{"crlf", "a b;\r\nc;\r\n", "1:[a|b]2:[c]"},
		{"line of the terminator", "a\n b\n;\n c;", "3:[a|b]4:[c]"},
		{"block", "a b {\n c;\n}\nd;", "1:[a|b]{2:[c]}34:[d]"},
		{"empty block", "a{}", "1:[a]{}1"},
		{"comment between", "a # b;\n c;", "2:[a|c]"},
		{"sharp inside a word", "a b#c;", "1:[a|b#c]"},
		{"double quotes", `a "b c" "";`, "1:[a|b c|]"},
		{"single quotes", `a 'b "c"';`, `1:[a|b "c"]`},
		{"quotes inside a word", `a b"c d"e;`, `1:[a|b"c|d"e]`},
		{"escapes", `a "\"\\\t\d\$" b\;c b\ c;`, "1:[a|\"\\\t\\d\\$|b\\;c|b\\ c]"},
		{"line feed in quotes", "a 'b\nc' d;", "2:[a|b\nc|d]"},
		{"paren after a quote", `if ($a = "b") { }`, "1:[if|($a|=|b|)]{}1"},
		{"variable in braces", "a ${b}c x$y{ d; } e${f{g;", "1:[a|${b}c|x$y]{1:[d]}11:[e${f]{1:[g]!unexpected end of file, expecting \"}\" }0"},
		{"quoted name", `"a" b;`, "1:[a|b]"},
		{"lua", "x_by_lua_block { a = {} } b;", "1:[x_by_lua_block]< a = {} >11:[b]"},
		{"lua argument", "set_by_lua_block $a { return '}' }", "1:[set_by_lua_block|$a]< return '}' >1"},
		{"lua comment", "x_by_lua_block {\n -- it's }\n}", "1:[x_by_lua_block]<\n -- it's }\n>3"},
		{"lua long comment", "x_by_lua_block {--[=[ ]] }\n ]=]}", "1:[x_by_lua_block]<--[=[ ]] }\n ]=]>2"},
		{"lua long string", "x_by_lua_block { a = [[ } \" ]] }", "1:[x_by_lua_block]< a = [[ } \" ]] >1"},
		{"lua index", "x_by_lua_block { a[b[1]] = \"}\" }", "1:[x_by_lua_block]< a[b[1]] = \"}\" >1"},
		{"lua comment like a long one", "x_by_lua_block { --[= }\n }", "1:[x_by_lua_block]< --[= }\n >2"},
		{"lua escaped quote", `x_by_lua_block { a = "\"}" }`, `1:[x_by_lua_block]< a = "\"}" >1`},
		{"lua escaped line feed", "x_by_lua_block { a = '\\\n}' }", "1:[x_by_lua_block]< a = '\\\n}' >2"},
		{"lua escape z", "x_by_lua_block { a = '\\z \n }' }", "1:[x_by_lua_block]< a = '\\z \n }' >2"},
		{"lua minus", "x_by_lua_block { a = b-c }", "1:[x_by_lua_block]< a = b-c >1"},
		{"lua unfinished string", "x_by_lua_block { a = 'b }\n } a;", "1:[x_by_lua_block]< a = 'b >1!unexpected \"}\" "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree, _ := Parse("nginx.conf", ".", []byte(tt.src))
			if got := dump(tree.Directives); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// errorTests are answers of nginx -t. Rows with ours differ on purpose.
var errorTests = []struct {
	name, src, want string
	ours            bool
}{
	{name: "close too much", src: "events{} }", want: `unexpected "}" in FILE:1`},
	{name: "open without a name", src: "events{} http { {", want: `unexpected "{" in FILE:1`},
	{name: "lone semicolon", src: "events{} http { ;", want: `unexpected ";" in FILE:1`},
	{name: "text after a quote", src: `env "bar"x;`, want: `unexpected "x" in FILE:1`},
	{name: "missing semicolon", src: "events{} http { root }", want: `unexpected "}" in FILE:1`},
	{name: "missing semicolon, later line", src: "events{} http { root\n x\n\n }", want: `unexpected "}" in FILE:4`},
	{name: "missing brace", src: "events{} http { server { \n\n\n}\n\n", want: `unexpected end of file, expecting "}" in FILE:6`},
	{name: "end inside words", src: "events{} env\nx\n", want: `unexpected end of file, expecting ";" or "}" in FILE:3`},
	{name: "end inside a quote", src: "events{} env 'x\n;", want: `unexpected end of file, expecting ";" or "}" in FILE:2`},
	{name: "missing include", src: "events{}\ninclude nofile;", want: `open() "DIR/nofile" failed (2: No such file or directory) in FILE:2`},
	{name: "include without a file", src: "events{} include;", want: `invalid number of arguments in "include" directive in FILE:1`},
	{name: "include with a block", src: "events{} include x\n {", want: `directive "include" is not terminated by ";" in FILE:2`},
	{name: "error in an include", src: "include bad.inc;", want: `unexpected end of file, expecting ";" or "}" in DIR/bad.inc:2`},
	{name: "include of a folder", src: "include .;", want: `read() "DIR/." failed (21: Is a directory) in FILE:1`, ours: true},
	{name: "long word", src: "events{}\n" + strings.Repeat("x", 5000) + ";", want: `too long parameter "xxxxxxxxxx..." started in FILE:2`},
	{name: "long quote", src: "events{}\nenv '\n" + strings.Repeat("x", 5000) + ";", want: `too long parameter, probably missing terminating "'" character in FILE:2`},
	{name: "long comment", src: "events{}\n#" + strings.Repeat("x", 5000) + "\n", want: `too long parameter "#xxxxxxxxx..." started in FILE:2`},
	{name: "open lua block", src: luaHead + "{ \n\na = {\n\n", want: `unexpected end of file, expecting terminating characters for lua code block in FILE:3`},
	{name: "open lua string", src: luaHead + "{ \n\na = 'x\n\n", want: `unexpected end of file, expecting terminating characters for lua code block in FILE:1`},
	{name: "open long bracket", src: luaHead + "{ \n\na = [==[ \n\n", want: `Lua code block missing the closing long bracket "]==]", the inlined Lua code may be too long in FILE:3`},
	{name: "open long comment", src: luaHead + "{ \n\n--[[ \n\n}}}}", want: `Lua code block missing the closing long bracket "]]", the inlined Lua code may be too long in FILE:3`},
	{name: "close too much after lua", src: luaHead + "{ a = { } } } } } }", want: `unexpected "}" in FILE:1`},
}

const luaHead = "events{} http { server { location / { content_by_lua_block "

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	writeFile(t, filepath.Join(dir, "bad.inc"), "env x\n")
	for _, tt := range errorTests {
		t.Run(tt.name, func(t *testing.T) {
			writeFile(t, file, tt.src)
			tree, err := ParseFile(file)
			if err == nil {
				t.Fatalf("no error, want %s", tt.want)
			}
			if got := portable(err.Error(), dir); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if last := lastError(tree.Directives); last != err {
				t.Errorf("the tree ends in %v", last)
			}
		})
	}
}

// TestErrorsOracle asks nginx itself, where it is installed.
func TestErrorsOracle(t *testing.T) {
	const modules = "/usr/lib/nginx/modules/"
	nginx, err := exec.LookPath("nginx")
	if err == nil {
		_, err = os.Stat(modules + "ngx_http_lua_module.so")
	}
	if err != nil {
		t.Skip("needs nginx with the Lua module")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	writeFile(t, filepath.Join(dir, "bad.inc"), "env x\n")
	load := "load_module " + modules + "ndk_http_module.so; load_module " + modules + "ngx_http_lua_module.so; "
	for _, tt := range errorTests {
		if tt.ours {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			writeFile(t, file, load+tt.src)
			out, _ := exec.Command(nginx, "-t", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file).CombinedOutput()
			got, _, _ := strings.Cut(portable(string(out), dir), "\n")
			if got != "nginx: [emerg] "+tt.want {
				t.Errorf("nginx says %s\nwant        %s", got, tt.want)
			}
		})
	}
}

func TestParam(t *testing.T) {
	tests := []struct{ src, want string }{
		{"foo bar", `unexpected end of parameter, expecting ";" in command line`},
		{"foo {", `block directives are not supported in -g option in command line`},
		{"env X; }", `unexpected "}" in command line`},
		{`env "X`, `unexpected end of parameter, expecting ";" in command line`},
		{`env "X"y;`, `unexpected "y" in command line`},
		{"daemon off; env X;", ""},
	}
	for _, tt := range tests {
		_, err := ParseParam(tt.src)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.src, got, tt.want)
		}
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "d", "b.conf"), "b;")
	writeFile(t, filepath.Join(dir, "d", "a.conf"), "a { include one; }")
	writeFile(t, filepath.Join(dir, "d", ".hidden.conf"), "hidden;")
	writeFile(t, filepath.Join(dir, "one"), "one;")
	writeFile(t, filepath.Join(dir, "loop"), "include loop;")
	file := filepath.Join(dir, "nginx.conf")

	writeFile(t, file, "include d/*.conf;\ninclude none/*;\ninclude d/[!a].conf;")
	tree, err := ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dump(tree.Directives), "1:[a]{1:[one]}11:[b]1:[b]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := tree.Directives[0].Block[0].File; got != filepath.Join(dir, "one") {
		t.Errorf("the included directive is in %s", got)
	}
	if len(tree.Files) != 4 {
		t.Errorf("%d files, want 4", len(tree.Files))
	}

	writeFile(t, file, "include loop;")
	if _, err = ParseFile(file); err == nil || !strings.Contains(err.Error(), "Too many open files") {
		t.Errorf("a loop of includes gives %v", err)
	}
}

func TestMissingFile(t *testing.T) {
	_, err := ParseFile("/nonexistent/nginx.conf")
	want := `open() "/nonexistent/nginx.conf" failed (2: No such file or directory)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPositions(t *testing.T) {
	tree, err := Parse("nginx.conf", ".", []byte("a {\n  bb  'c\nd' e;\n}"))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(tree.Directives[0].Block[0].Pos)
	if want := "[{2 3} {2 7} {3 4}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzParse checks that no input crashes the parser, that every place is inside
// the file and that an error is in the tree.
func FuzzParse(f *testing.F) {
	for _, tt := range errorTests {
		f.Add(tt.src)
	}
	f.Add("x_by_lua_block { a = [[ } \" ]] '\\z \n' --[==[ ]==] } b ${c} \"d\\n\";")
	f.Fuzz(func(t *testing.T, src string) {
		if strings.Contains(src, "include") {
			return
		}
		lines := strings.Count(src, "\n") + 1
		tree, err := Parse("nginx.conf", ".", []byte(src))
		checkPlaces(t, tree.Directives, lines)
		last := lastError(tree.Directives)
		if (err == nil) != (last == nil) || err != nil && last != err {
			t.Errorf("error %v, in the tree %v", err, last)
		}
		_, _ = ParseParam(src)
	})
}

func checkPlaces(t *testing.T, list []*Directive, lines int) {
	for _, d := range list {
		if d.Line < 1 || d.Line > lines || d.EndLine > lines {
			t.Errorf("%s: line %d to %d of %d", d.Name, d.Line, d.EndLine, lines)
		}
		for _, p := range d.Pos {
			if p.Line < 1 || p.Line > lines || p.Col < 1 {
				t.Errorf("%s: word at %v", d.Name, p)
			}
		}
		checkPlaces(t, d.Block, lines)
	}
}

// lastError returns the error that the last directive of the tree carries.
func lastError(list []*Directive) error {
	if len(list) == 0 {
		return nil
	}
	last := list[len(list)-1]
	if last.Err != nil {
		return last.Err
	}
	return lastError(last.Block)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func portable(text, dir string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, dir+"/nginx.conf", "FILE"), dir, "DIR")
}

func TestBuiltinMimeTypes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	writeFile(t, file, "http {\n include conf/mime.types;\n}")
	tree, err := ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	types := tree.Directives[0].Block
	if len(types) != 1 || types[0].Name != "types" || len(types[0].Block) < 80 {
		t.Errorf("not the list of types: %+v", types)
	}
	want := `"` + dir + `/conf/mime.types" is not there: the list that is built in takes its place in ` + file + ":2"
	if len(tree.Notes) != 1 || tree.Notes[0].Error() != want {
		t.Errorf("notes %v, want %s", tree.Notes, want)
	}
	// A file that is there is read, and one that cannot be read is an error.
	if err := os.Mkdir(filepath.Join(dir, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "conf", "mime.types"), "types { a/b c; }")
	if tree, err = ParseFile(file); err != nil || len(tree.Notes) > 0 || len(tree.Directives[0].Block[0].Block) != 1 {
		t.Errorf("error %v, notes %v", err, tree.Notes)
	}
	writeFile(t, file, "http {\n include conf/other_params;\n}")
	if _, err = ParseFile(file); err == nil {
		t.Error("another file that is missing is no error")
	}
}

// TestBuiltinFiles: each can be read, has what its name promises, and the tables of letters agree.
func TestBuiltinFiles(t *testing.T) {
	pairs := func(name string) map[string]string {
		tree, err := Parse("x", t.TempDir(), []byte("include "+name+";"))
		if err != nil {
			t.Fatal(err)
		}
		if !tree.Files[1].Builtin {
			t.Errorf("%s is not told to be built in", name)
		}
		m := map[string]string{}
		for _, d := range append(tree.Directives, tree.Directives[0].Block...) {
			switch {
			case d.Name == "charset_map":
			case strings.HasSuffix(d.Name, "_param"):
				m[d.Args[0]] = d.Args[1]
			default:
				m[d.Name] = d.Args[0]
			}
		}
		return m
	}
	for name, want := range map[string]int{"fastcgi_params": 20, "fastcgi.conf": 21, "scgi_params": 14, "uwsgi_params": 14} {
		if m := pairs(name); len(m) != want || m["REQUEST_METHOD"] != "$request_method" {
			t.Errorf("%s has %d parameters, want %d: %v", name, len(m), want, m)
		}
	}
	utf, win, winUTF := pairs("koi-utf"), pairs("koi-win"), pairs("win-utf")
	if len(utf) != 83 || len(win) != 83 || len(winUTF) != 107 {
		t.Errorf("%d, %d and %d letters", len(utf), len(win), len(winUTF))
	}
	for koi, letter := range utf {
		if got := winUTF[win[koi]]; got != letter {
			t.Errorf("%s is %s in utf-8, and %s by way of windows-1251", koi, letter, got)
		}
	}
}

// TestPathMap: the longest folder that a path is below of counts.
func TestPathMap(t *testing.T) {
	var m PathMap
	for _, bad := range []string{"", "x", "etc=/a", "/etc=", "=/a"} {
		if m.Set(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, good := range []string{"/etc/nginx/=/a", "/etc/nginx/sites=/b/"} {
		if err := m.Set(good); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"/etc/nginx/x.conf": "/a/x.conf", "/etc/nginx": "/a", "/etc/nginx2/x": "/etc/nginx2/x",
		"/etc/nginx/sites/x": "/b/x", "x": "x",
	} {
		if got := m.Local(path); got != want {
			t.Errorf("%s is read at %s, want %s", path, got, want)
		}
		if got := m.Target(want); got != path {
			t.Errorf("%s stands for %s, want %s", want, got, path)
		}
	}
}

// TestGoOn: what follows an include that fails is read, and each failure stands in the tree.
func TestGoOn(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "nginx.conf")
	writeFile(t, main, "a;\ninclude gone;\nb { include broken; c; }\nd;\n")
	writeFile(t, filepath.Join(dir, "broken"), "e;\n}")
	tree, err := Options{GoOn: true}.ParseFile(main)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range append(tree.Directives, tree.Directives[2].Block...) {
		if d.Err != nil {
			got = append(got, fmt.Sprint(d.Err.Outside))
		} else {
			got = append(got, d.Name)
		}
	}
	if want := "a true b d e false c"; strings.Join(got, " ") != want {
		t.Errorf("the tree has %v, want %s", got, want)
	}
	if _, err := ParseFile(main); err == nil {
		t.Error("a server reads on behind an include that fails")
	}
}
