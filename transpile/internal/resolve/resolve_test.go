package resolve_test

import (
	"testing"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/resolve"
	"github.com/moonphase/moonphase/transpile/internal/syntax"
)

func load(t *testing.T, src string) *ast.Func {
	t.Helper()
	chunk, ds := syntax.Parse("t.lua", []byte(src))
	if len(ds) > 0 {
		t.Fatalf("parse: %+v", ds)
	}
	if ds := resolve.Resolve("t.lua", chunk); len(ds) > 0 {
		t.Fatalf("resolve: %+v", ds)
	}
	return chunk.Main
}

// local finds the nth local of that name in f or deeper.
func local(t *testing.T, f *ast.Func, name string) *ast.Local {
	t.Helper()
	for _, l := range f.Locals {
		if l.Name == name {
			return l
		}
	}
	for _, g := range f.Funcs {
		for _, l := range g.Locals {
			if l.Name == name {
				return l
			}
		}
	}
	t.Fatalf("no local %q", name)
	return nil
}

func TestFunctionLocals(t *testing.T) {
	for _, tt := range []struct {
		name, src         string
		value, late, only bool
		calls             int
	}{
		{"local function", `local function f() return f() end f()`, true, false, true, 2},
		{"escapes", `local function f() end x = f`, true, false, false, 0},
		{"passed on", `local function f() end f(f)`, true, false, false, 1},
		{"reassigned", `local function f() end f = nil`, false, false, false, 0},
		{"local with value", `local f = function() end f()`, true, false, true, 1},
		{"not recursive", `local f = function() return f() end`, true, false, true, 0},
		{"declared, then assigned", `local f f = function() return f() end f()`, true, true, true, 2},
		{"used before", `local f local function g() f() end f = function() end`, false, true, false, 1},
		{"assigned in a branch", `local f if x then f = function() end end f()`, false, true, false, 1},
		{"assigned twice", `local f f = function() end f = function() end f()`, false, false, false, 1},
		{"jumped over", `local f if x then goto e end f = function() end ::e::`, false, true, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := local(t, load(t, tt.src), "f")
			if got := l.FuncValue != nil; got != tt.value {
				t.Errorf("FuncValue set: got %v, want %v", got, tt.value)
			}
			if got := l.LateFunc != nil; got != tt.late {
				t.Errorf("LateFunc set: got %v, want %v", got, tt.late)
			}
			if l.OnlyCalled != tt.only || len(l.Calls) != tt.calls {
				t.Errorf("OnlyCalled %v, %d calls; want %v, %d", l.OnlyCalled, len(l.Calls), tt.only, tt.calls)
			}
			if l.FuncValue != nil && l.FuncValue.Binding != l {
				t.Error("Binding does not lead back")
			}
		})
	}
}

func TestScopes(t *testing.T) {
	main := load(t, `
local a = a            -- the right side is the global
repeat local r = 1 until r
local function f(p, ...)
  local b = a + p
  return function() b = b + 1; g = b; return a end
end
`)
	a, f := local(t, main, "a"), main.Funcs[0]
	if n := main.Body.Stmts[0].(*ast.LocalStmt).Exprs[0].(*ast.Name); n.Local != nil {
		t.Error("a = a: the right side is bound to the new local")
	}
	if n := main.Body.Stmts[1].(*ast.RepeatStmt).Cond.(*ast.Name); n.Local == nil {
		t.Error("until does not see the body's local")
	}
	if !a.Captured || a.Assigned != 0 || a.Uses != 2 {
		t.Errorf("a: captured %v, assigned %d, uses %d", a.Captured, a.Assigned, a.Uses)
	}
	b := local(t, f, "b")
	if !b.Captured || b.Assigned != 1 {
		t.Errorf("b: captured %v, assigned %d", b.Captured, b.Assigned)
	}
	if len(f.Upvalues) != 1 || f.Upvalues[0] != a {
		t.Errorf("f has upvalues %v", f.Upvalues)
	}
	inner := f.Funcs[0]
	if len(inner.Upvalues) != 2 || inner.Upvalues[0] != b || inner.Upvalues[1] != a {
		t.Errorf("inner function has upvalues %v", inner.Upvalues)
	}
	if !inner.WritesGlob || !main.WritesGlob {
		t.Error("a write of a global is not seen from outside")
	}
	if main.ChangesEnv {
		t.Error("ChangesEnv without a reason")
	}
}

func TestJumps(t *testing.T) {
	main := load(t, `
for i = 1, 3 do
  if i == 2 then goto continue end
  while true do break end
  local x = i
  ::continue::
end
::again::
if x then goto again end
`)
	loop := main.Body.Stmts[0].(*ast.NumForStmt)
	label := loop.Body.Stmts[3].(*ast.LabelStmt)
	if !label.Last || label.Loop != ast.Stmt(loop) || label.Block != loop.Body || len(label.Gotos) != 1 {
		t.Errorf("continue label: %+v", label)
	}
	while := loop.Body.Stmts[1].(*ast.WhileStmt)
	if br := while.Body.Stmts[0].(*ast.BreakStmt); br.Target != ast.Stmt(while) {
		t.Errorf("break leaves %T", br.Target)
	}
	if again := main.Body.Stmts[1].(*ast.LabelStmt); again.Last || len(again.Gotos) != 1 {
		t.Errorf("again label: %+v", again)
	}
	if !main.HasBackGoto {
		t.Error("backward goto not seen")
	}
}
