package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStringLimit makes strings that are a little too long in every way there is, with a limit of
// 1000 bytes. The messages are LuaJIT's.
func TestStringLimit(t *testing.T) {
	defer func(limit int) { stringLimit = limit }(stringLimit)
	stringLimit = 1000
	th := NewState(Options{}).Main()
	lib := func(module, name string) Value { return th.State.Globals.GetStr(module).Table().GetStr(name) }
	buffer := th.Call1(th.State.Preload.GetStr("string.buffer")).Table()
	cjson := th.State.natives["cjson"](th).Table()
	concat := NewGoFunction("concat", func(th *Thread, args []Value) (Value, int) { return Concat(th, args[0], args[1], ""), 1 })
	concatN := NewGoFunction("concatN", func(th *Thread, args []Value) (Value, int) { return ConcatN(th, "", args...), 1 })
	x := func(n int) Value { return String(strings.Repeat("x", n)) }
	list := func(vs ...Value) Value { return NewArrayList(vs) }
	method := func(name string, args ...Value) (Value, []Value) {
		b := th.Call1(buffer.GetStr("new"))
		th.Call(b.Userdata().Meta.GetStr("put"), b, x(500))
		return b.Userdata().Meta.GetStr(name), append([]Value{b}, args...)
	}
	give := NewGoFunction("give", func(th *Thread, args []Value) (Value, int) { return x(400), 1 })
	byName := NewTable(0, 1)
	byName.SetStr("y", x(400))
	file := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 1001)), 0o666); err != nil {
		t.Fatal(err)
	}
	f := th.Call1(lib("io", "open"), String(file))
	shared := list(list(x(300)), list(x(300)))
	for range 2 {
		shared = list(shared, shared)
	}
	type call struct {
		name string
		f    Value
		args []Value
		want string // "" for success
	}
	with := func(name string, f Value, want string, args ...Value) call { return call{name, f, args, want} }
	on := func(name, want string, args ...Value) call {
		f, all := method(name, args...)
		return call{"buffer " + name, f, all, want}
	}
	for _, tt := range []call{
		with("concat", concat, "", x(500), x(500)),
		with("concat", concat, tooLong, x(500), x(501)),
		with("concat number", concat, tooLong, x(1000), Int(1)),
		with("concatN", concatN, tooLong, x(400), x(400), x(201)),
		with("rep", lib("string", "rep"), "", String("ab"), Int(500)),
		with("rep", lib("string", "rep"), "not enough memory", String("ab"), Int(501)),
		with("table.concat", lib("table", "concat"), "", list(x(499), x(500)), String(",")),
		with("table.concat", lib("table", "concat"), "not enough memory", list(x(499), x(501)), String(",")),
		with("table.concat separators", lib("table", "concat"), "not enough memory", list(x(0), x(0), x(0)), x(501)),
		with("gsub text", lib("string", "gsub"), tooLong, String("yyy"), String("."), x(400)),
		with("gsub %0", lib("string", "gsub"), tooLong, x(300), String(".+"), String("%0%0%0%0")),
		with("gsub %1", lib("string", "gsub"), tooLong, x(300), String("(.+)"), String("%1%1%1%1")),
		with("gsub function", lib("string", "gsub"), tooLong, String("yyy"), String("."), give),
		with("gsub table", lib("string", "gsub"), tooLong, String("yyy"), String("."), TableValue(byName)),
		with("gsub rest", lib("string", "gsub"), tooLong, String("y"+strings.Repeat("z", 700)), String("y"), x(400)),
		with("gsub", lib("string", "gsub"), "", String("yy"), String("."), x(500)),
		with("format", lib("string", "format"), "not enough memory", String("%s%s"), x(500), x(501)),
		with("format text", lib("string", "format"), "not enough memory", String(strings.Repeat("y", 600)+"%s"), x(500)),
		with("format %q", lib("string", "format"), "not enough memory", String("%q"), String(strings.Repeat("\x01", 400))),
		with("format", lib("string", "format"), "", String("%s%s"), x(500), x(500)),
		on("put", "not enough memory", x(501)),
		on("put", "not enough memory", x(300), x(300)),
		on("put", "", x(500)),
		on("putf", "not enough memory", String("%s"), x(501)),
		on("encode", "not enough memory", x(600)),
		with("buffer.encode", buffer.GetStr("encode"), "not enough memory", list(x(600), x(600))),
		with("buffer.encode shared", buffer.GetStr("encode"), "not enough memory", shared),
		with("cjson.encode", cjson.GetStr("encode"), "not enough memory", list(x(600), x(600))),
		with("cjson.encode shared", cjson.GetStr("encode"), "not enough memory", shared),
		with("read", f.Userdata().Meta.GetStr("read"), "not enough memory", f, String("*a")),
	} {
		_, err := th.PCall(tt.f, tt.args...)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
