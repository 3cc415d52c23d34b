package transpile

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

func chunk(key, goName, src string) Chunk {
	return Chunk{Key: key, Name: "=" + key, GoName: goName, Source: []byte(src)}
}

func mustTranspile(t *testing.T, opt Options, chunks ...Chunk) *Result {
	t.Helper()
	res, err := Transpile(chunks, opt)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func file(t *testing.T, res *Result, name string) []byte {
	t.Helper()
	for _, f := range res.Files {
		if f.Name == name {
			return f.Data
		}
	}
	t.Fatalf("no file %s", name)
	return nil
}

// TestDeterministic: the order of chunks and what else is compiled do not show.
func TestDeterministic(t *testing.T) {
	var chunks []Chunk
	for i := range 20 {
		chunks = append(chunks, chunk(fmt.Sprintf("k%02d", i), fmt.Sprintf("chunk%d", i),
			"local t = {a = 1, b = {c = 2}} for k, v in pairs(t) do print(k, v.x, t.y) end return function() return t end"))
	}
	all := mustTranspile(t, Options{}, chunks...)
	slices.Reverse(chunks)
	again := mustTranspile(t, Options{}, chunks...)
	for i, f := range all.Files {
		if !bytes.Equal(f.Data, again.Files[i].Data) {
			t.Errorf("%s depends on the order of chunks", f.Name)
		}
	}
	one := mustTranspile(t, Options{}, chunks[3])
	name := one.Chunks[0].GoFile
	if !bytes.Equal(file(t, one, name), file(t, all, name)) {
		t.Errorf("%s depends on other chunks", name)
	}
}

// TestNameOfInlineCode: the line of nginx.conf in a chunk's name is not in its file.
func TestNameOfInlineCode(t *testing.T) {
	a := chunk("k", "access", "return 1")
	a.Name = "=access_by_lua(nginx.conf:10)"
	b := a
	b.Name = "=access_by_lua(nginx.conf:99)"
	x := file(t, mustTranspile(t, Options{}, a), "access_lua.go")
	if y := file(t, mustTranspile(t, Options{}, b), "access_lua.go"); !bytes.Equal(x, y) {
		t.Error("the file depends on the line in nginx.conf")
	}
}

// TestClashes: chunks that want the same Go names still make one package.
func TestClashes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		chunks []Chunk
	}{
		{"same file name", []Chunk{
			{Key: "1", File: "a/init.lua", Source: []byte("return 1")},
			{Key: "2", File: "b/init.lua", Source: []byte("return 2")},
		}},
		{"registry", []Chunk{chunk("1", "modules", "return 1")}},
		{"function and table of sites", []Chunk{
			chunk("1", "a", "local function x_site() return f() end return x_site()"),
			chunk("2", "aX", "return g.h"),
		}},
		{"reserved suffixes", []Chunk{chunk("1", "m", `
			local function site() return f() end
			local function shape1() return {x = f()} end
			local function proto() return site() end
			local function _() return 1 end
			return site(), shape1(), proto(), _()`)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := mustTranspile(t, Options{}, tt.chunks...)
			seen := map[string]string{}
			for _, f := range res.Files {
				tree, err := parser.ParseFile(token.NewFileSet(), f.Name, f.Data, 0)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range tree.Decls {
					for _, n := range declared(d) {
						if other, ok := seen[n]; ok && n != "_" {
							t.Errorf("%s is declared in %s and %s", n, other, f.Name)
						}
						seen[n] = f.Name
					}
				}
			}
		})
	}
}

func declared(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return []string{d.Name.Name}
	case *ast.GenDecl:
		var list []string
		for _, s := range d.Specs {
			if v, ok := s.(*ast.ValueSpec); ok {
				for _, n := range v.Names {
					list = append(list, n.Name)
				}
			}
		}
		return list
	}
	return nil
}

// TestBroken: a chunk with a mistake is registered with LuaJIT's message.
func TestBroken(t *testing.T) {
	res := mustTranspile(t, Options{}, chunk("k", "bad", "local x ="))
	if text := string(file(t, res, "bad_lua.go")); !strings.Contains(text, "Err:") || !strings.Contains(text, "near '<eof>'") {
		t.Errorf("no message in\n%s", text)
	}
	if len(res.Diagnostics) == 0 || res.Chunks[0].GoFunc != "" {
		t.Errorf("diagnostics %v, function %q", res.Diagnostics, res.Chunks[0].GoFunc)
	}
	if registry := string(file(t, res, RegistryFile)); !strings.Contains(registry, "&badChunk") {
		t.Errorf("not registered:\n%s", registry)
	}
}

// TestNoLines: directives can be left out, and no mark stays behind.
func TestNoLines(t *testing.T) {
	c := chunk("k", "x", "f(\n a.b,\n c.d)\n")
	for _, noLines := range []bool{false, true} {
		text := string(file(t, mustTranspile(t, Options{NoLines: noLines}, c), "x_lua.go"))
		if strings.Contains(text, "line x.lua:") == noLines || strings.Contains(text, "/*@") {
			t.Errorf("NoLines %v gives\n%s", noLines, text)
		}
	}
}

func TestDumpIR(t *testing.T) {
	dump, ds := DumpIR(chunk("k", "x", "return 1 + f()"))
	if len(ds) > 0 || !strings.Contains(dump, "(Add ") {
		t.Errorf("%v\n%s", ds, dump)
	}
}
