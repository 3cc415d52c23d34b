package golden

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/moonphase/moonphase/transpile"
)

var (
	oracle = flag.Bool("oracle", false, "record want.out from luajit")
	update = flag.Bool("update", false, "record want.go from the compiler")
)

// sections is the closed set of files a case may have.
var sections = []string{"in.lua", "want.out", "want.go"}

// testCase is one .txtar file.
type testCase struct {
	name, path string
	archive    *txtar.Archive
}

func (c *testCase) section(name string) []byte {
	for _, f := range c.archive.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// record stores what a section must hold and rewrites the case.
func (c *testCase) record(t *testing.T, name string, data []byte) {
	t.Helper()
	i := slices.IndexFunc(c.archive.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		i = len(c.archive.Files)
		c.archive.Files = append(c.archive.Files, txtar.File{Name: name})
	}
	c.archive.Files[i].Data = data
	if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o666); err != nil {
		t.Fatal(err)
	}
}

// modules are the sections lib/<name>.lua, which the case can require.
func (c *testCase) modules() []txtar.File {
	var list []txtar.File
	for _, f := range c.archive.Files {
		if strings.HasPrefix(f.Name, "lib/") {
			list = append(list, f)
		}
	}
	return list
}

func load(t *testing.T, dir string) []*testCase {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	var list []*testCase
	for _, p := range paths {
		a, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		c := &testCase{strings.TrimSuffix(filepath.Base(p), ".txtar"), p, a}
		for i, f := range a.Files {
			known := slices.Contains(sections, f.Name) || strings.HasPrefix(f.Name, "lib/") && strings.HasSuffix(f.Name, ".lua")
			if !known || slices.ContainsFunc(a.Files[:i], func(g txtar.File) bool { return g.Name == f.Name }) {
				t.Fatalf("%s: unknown or repeated section %q", p, f.Name)
			}
		}
		if c.section("in.lua") == nil {
			t.Fatalf("%s: no in.lua", p)
		}
		list = append(list, c)
	}
	return list
}

// TestLang runs every case of lang/ compiled, and compares what it prints with
// what LuaJIT printed.
func TestLang(t *testing.T) { runCases(t, "lang") }

func runCases(t *testing.T, dir string) {
	cases := load(t, dir)
	if *oracle {
		for _, c := range cases {
			c.record(t, "want.out", askOracle(t, c))
		}
	}
	got := buildAndRun(t, dir, cases)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := c.section("want.out")
			if want == nil {
				t.Fatal("no want.out; record it with -oracle")
			}
			if diff := firstDiff(got[c.name], string(want)); diff != "" {
				t.Errorf("%s: %s", c.path, diff)
			}
		})
	}
}

// oracleScript runs in.lua as our runner does.
const oracleScript = `
package.path = "./lib/?.lua"
io.stdout:setvbuf("full")
local f, err = loadfile("in.lua")
local ok
if f then ok, err = pcall(f) end
if not ok then io.write("ERROR: ", tostring(err), "\n") end
`

func askOracle(t *testing.T, c *testCase) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, f := range append(c.modules(), txtar.File{Name: "in.lua", Data: c.section("in.lua")}) {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("luajit", "-e", oracleScript)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: luajit: %v", c.name, err)
	}
	return out
}

// runnerSource is the program that runs all cases; %s is its folder.
const runnerSource = `package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	rt "github.com/moonphase/moonphase/runtime"

	lua "github.com/moonphase/moonphase/golden/.build/%s/lua"
)

func main() {
	out := map[string]string{}
	for _, c := range lua.Chunks {
		if name, ok := strings.CutSuffix(c.Key, "/in"); ok {
			out[name] = run(name)
		}
	}
	json.NewEncoder(os.Stdout).Encode(out)
}

func run(name string) (text string) {
	var out bytes.Buffer
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(&out, "PANIC: %%v\n", r)
		}
		text = out.String()
	}()
	var set rt.ChunkSet
	for _, c := range lua.Chunks {
		if strings.HasPrefix(c.Key, name+"/") {
			set = append(set, c)
		}
	}
	st := rt.NewState(rt.Options{Chunks: set, Stdout: &out})
	if _, err := st.NewThread().PCall(st.Load(st.Chunk(name+"/in"), "@in.lua")); err != nil {
		fmt.Fprintf(&out, "ERROR: %%s\n", err.Error())
	}
	return
}
`

// buildAndRun compiles all cases into one program and returns what each printed.
func buildAndRun(t *testing.T, dir string, cases []*testCase) map[string]string {
	t.Helper()
	var chunks []transpile.Chunk
	for _, c := range cases {
		goName := strings.ReplaceAll(c.name, "-", "_")
		chunks = append(chunks, transpile.Chunk{
			Key: c.name + "/in", Name: "@in.lua", File: c.name + ".lua", GoName: goName, Source: c.section("in.lua"),
		})
		for _, m := range c.modules() {
			name := strings.TrimSuffix(strings.TrimPrefix(m.Name, "lib/"), ".lua")
			chunks = append(chunks, transpile.Chunk{
				Key: c.name + "/" + name, Name: "@./" + m.Name, Module: name, GoName: goName + "_" + name, Source: m.Data,
			})
		}
	}
	root := filepath.Join(".build", dir)
	writePackage(t, filepath.Join(root, "lua"), chunks)
	if err := os.WriteFile(filepath.Join(root, "main.go"), fmt.Appendf(nil, runnerSource, dir), 0o666); err != nil {
		t.Fatal(err)
	}
	prog := filepath.Join(root, "prog")
	goTool(t, "build", "-tags=moonphase_coroswitch", "-ldflags=-checklinkname=0", "-o", prog, "./"+root)
	var stderr bytes.Buffer
	cmd := exec.Command("./" + prog)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(stderr.String()))
	}
	got := map[string]string{}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func goTool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, tail(string(out)))
	}
}

// tail is the beginning of a long text.
func tail(s string) string { return s[:min(len(s), 4000)] }

// writePackage transpiles chunks into a folder.
func writePackage(t *testing.T, dir string, chunks []transpile.Chunk) *transpile.Result {
	t.Helper()
	res, err := transpile.Transpile(chunks, transpile.Options{Package: "lua"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, f := range res.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return res
}

// firstDiff describes the first line in which got and want differ.
func firstDiff(got, want string) string {
	if got == want {
		return ""
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(end)", "(end)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\n got: %s\nwant: %s", i+1, a, b)
		}
	}
	return ""
}

// TestEmit compares the Go code of the cases of emit/ in full.
func TestEmit(t *testing.T) {
	for _, c := range load(t, "emit") {
		t.Run(c.name, func(t *testing.T) {
			res, err := transpile.Transpile([]transpile.Chunk{{
				Key: c.name, Name: "@in.lua", GoName: c.name, Source: c.section("in.lua"),
			}}, transpile.Options{Package: "lua"})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(res.Files, func(f transpile.File) bool { return f.Name == c.name+"_lua.go" })
			if *update {
				c.record(t, "want.go", res.Files[i].Data)
			}
			if diff := firstDiff(string(res.Files[i].Data), string(c.section("want.go"))); diff != "" {
				t.Errorf("%s: %s", c.path, diff)
			}
		})
	}
}
