package runtime

import "testing"

// TestEngine: what hangs on the LuaJIT that is spoken.
func TestEngine(t *testing.T) {
	newer := &Engine{Version: "LuaJIT 2.1.1710398010", Number: 20199, Lua52: true}
	for _, tt := range []struct {
		engine    *Engine
		version   string
		searchers bool
		compared  string
	}{
		{nil, "LuaJIT 2.1.0-beta3", false, "attempt to compare table with number"},
		{newer, newer.Version, true, "attempt to compare number with table"},
	} {
		st := NewState(Options{Engine: tt.engine})
		if got := st.Globals.GetStr("jit").Table().GetStr("version").Str(); got != tt.version {
			t.Errorf("jit.version is %s, want %s", got, tt.version)
		}
		if got := !st.Globals.GetStr("package").Table().GetStr("searchers").IsNil(); got != tt.searchers {
			t.Errorf("%s: package.searchers is there: %v", tt.version, got)
		}
		if got := !st.Globals.GetStr("debug").Table().GetStr("getuservalue").IsNil(); got != tt.searchers {
			t.Errorf("%s: debug.getuservalue is there: %v", tt.version, got)
		}
		table := TableValue(NewTable(0, 0))
		compare := func(f func(*Thread, Value, Value) bool) string {
			_, err := st.NewThread().PCall(NewGoFunction("f", func(th *Thread, _ []Value) (Value, int) { return Bool(f(th, table, Int(1))), 1 }))
			if err == nil {
				return ""
			}
			return err.Error()
		}
		if got := compare(Le); got != tt.compared {
			t.Errorf("%s: a <= b gives %q", tt.version, got)
		}
		if got := compare(Lt); got != "attempt to compare table with number" {
			t.Errorf("%s: a < b gives %q", tt.version, got)
		}
	}
}

// TestStruct: an object of a C type has methods, and the type's name.
func TestStruct(t *testing.T) {
	st := NewState(Options{})
	meta, methods := NewTable(0, 1), NewTable(0, 1)
	methods.SetStr("x", Int(7))
	meta.SetStr("__index", TableValue(methods))
	v := NewStruct(&Struct{Name: "struct s", Meta: meta}, t)
	if TypeName(v) != "cdata" || v.CData().TypeName() != "struct s" {
		t.Errorf("%s, %s", TypeName(v), v.CData().TypeName())
	}
	if got := Index(st.NewThread(), v, String("x"), ""); got.Num() != 7 {
		t.Errorf("x is %v", got)
	}
}

func TestEnterTableFunctions(t *testing.T) {
	st := NewState(Options{})
	st.EnterTableFunctions("new", "clear")
	lib := st.Globals.GetStr("table").Table()
	if !lib.GetStr("new").IsFunction() || !lib.GetStr("clear").IsFunction() || !lib.GetStr("clone").IsNil() {
		t.Error("table.new and table.clear alone shall be there")
	}
}
