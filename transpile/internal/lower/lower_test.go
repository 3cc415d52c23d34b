package lower_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/moonphase/moonphase/transpile/internal/diag"
	"github.com/moonphase/moonphase/transpile/internal/ir"
	"github.com/moonphase/moonphase/transpile/internal/lower"
	"github.com/moonphase/moonphase/transpile/internal/resolve"
	"github.com/moonphase/moonphase/transpile/internal/syntax"
)

// compile lowers a script, nil when it has mistakes.
func compile(t *testing.T, src string) *ir.Chunk {
	t.Helper()
	tree, ds := syntax.Parse("in.lua", []byte(src))
	if diag.HasErrors(ds) {
		return nil
	}
	if diag.HasErrors(resolve.Resolve("in.lua", tree)) {
		return nil
	}
	return lower.Chunk(tree, []byte(src), "Test")
}

// TestSanity checks the IR of every golden case.
func TestSanity(t *testing.T) {
	paths, err := filepath.Glob("../../../golden/lang/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, p := range paths {
		a, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if !strings.HasSuffix(f.Name, ".lua") {
				continue
			}
			if c := compile(t, string(f.Data)); c != nil {
				if err := ir.Check(c); err != nil {
					t.Errorf("%s: %v", filepath.Base(p), err)
				}
				if ir.Print(c) == "" {
					t.Errorf("%s: empty dump", filepath.Base(p))
				}
			}
		}
	}
}

// TestForms looks for operations in the dump: those that typed code must use,
// and those that it must not need.
func TestForms(t *testing.T) {
	for _, tt := range []struct{ name, src, want, not string }{
		{"typed arithmetic", "local x = 1.5 x = x * 2 return x", "(MulF x 2)", "(Mul "},
		{"unknown operand", "local x = f() return x * 2", "(Mul x", "MulF"},
		{"counter", "local i = 0 while i < 10 do i = i + 1 end return i", "(LtI i 10)", "AddF"},
		{"product grows", "local p = 1 for i = 1, 9 do p = p * i end return p", "(MulF p (float64 i))", "MulI"},
		{"int loop", "for i = 1, 3 do f(i) end", "(LeI i 3)", "LeF"},
		{"float step", "for i = 1, 3, 0.5 do f(i) end", "(LeF i 3)", "LeI"},
		{"unknown limit", "for i = 1, n do f(i) end", "(ForLimitUp (ForNum", "LeF"},
		{"int index", "local t = {} for i = 1, 3 do t[i] = i end", "(SetIndexInt t i", "(SetIndex "},
		{"append", "local t = {} t[#t + 1] = 5", "(Append t", "(Len"},
		{"append with a call", "local t = {} t[#t + 1] = f()", "(Len", "(Append"},
		{"nil test", "local x = f() if x == nil then g() end", "(IsNil x)", "(Eq "},
		{"string test", "local x = f() if x == 'a' then g() end", "(EqString x", "(Eq "},
		{"lifted", "local function f(a) return a + 1 end return f(2)", "lifted func testF(a int)", "closure"},
		{"static closure", "local k = g() local function f(a) return a + k end return f(2), f(3)", "static func f(a int)", "closure"},
		{"escapes", "local function f(a) return a end return f", "dynamic func f(a value)", "static func"},
		{"self tail call", "local function f(n) if n == 0 then return 0 end return f(n - 1) end return f(9)", "assign n:int = (SubI n 1)", "static testF (SubI"},
		{"mutual tail calls", "local a, b function a(n) return b(n) end function b(n) return a(n) end return a(1)", "(tailcall b n)", "(call b"},
		{"tail call", "local function f(n) return n() end g(f)", "(tailcall n)", "(call n"},
		{"main calls", "return f()", "(tailcall (Global.f)", "(call"},
		{"choice", "local x = a == b and 1 or 2 return x", "declare x:int", "Truthy"},
		{"cheap or", "local x = f() return x or 5", "(Or x", "if"},
		{"costly or", "local x = f() or g() return x", "if (not (Truthy x))", "(Or "},
		{"continue", "for i = 1, 9 do if f() then goto c end g() ::c:: end", "continue", "goto"},
		{"data", "return {" + strings.Repeat("1,", 60) + "}", "(data testData1)", "(array"},
		{"record", "return {x = 1, y = f()}", "(record x,y", "SetField"},
		{"constant upvalue", "local N = 10 local function f(a) return a * N end return f(1.5)", "(MulF a 10)", "static func"},
		{"folding", "return 0.1 + 0.2", "0.30000000000000004", "AddF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dump := ir.Print(compile(t, tt.src))
			if !strings.Contains(dump, tt.want) {
				t.Errorf("no %q in\n%s", tt.want, dump)
			}
			if strings.Contains(dump, tt.not) {
				t.Errorf("%q in\n%s", tt.not, dump)
			}
		})
	}
}
