package runtime

import (
	"encoding/hex"
	"strings"
	"testing"
)

// bufferLib returns the functions of string.buffer and a runner for its methods.
func bufferLib(t *testing.T) (s ioScript, lib *Table) {
	s = ioScript{newCaseRunner(t), map[string]Value{}}
	lib = s.th.Call1(s.th.State.Preload.GetStr("string.buffer")).Table()
	s.th.State.Globals.SetStr("buffer", TableValue(lib))
	return s, lib
}

// TestBuffer has what luajit gives; needs ffi are the methods that only exist with it.
func TestBuffer(t *testing.T) {
	s, _ := bufferLib(t)
	str := func(list ...string) (vs []Value) {
		for _, x := range list {
			vs = append(vs, String(x))
		}
		return vs
	}
	for i, tt := range []struct {
		call string
		args []Value
		want string
	}{
		{"b = buffer.new", nil, "userdata"},
		{"b:tostring", nil, `""`},
		{"b:put", []Value{String("a"), Int(1), Number(2.5), String("z")}, "userdata"},
		{"b:tostring", nil, `"a12.5z"`},
		{"b:__len", nil, "6"},
		{"b:put", []Value{TableValue(NewTable(0, 0))}, `error "bad argument #2 to '?' (string/number/__tostring expected, got table)"`},
		{"b:put", []Value{Nil}, `error "bad argument #2 to '?' (string/number/__tostring expected, got nil)"`},
		{"b:put", []Value{s.th.Call1(s.lookup("named"), String("TS")), String("!")}, "userdata"},
		{"b:tostring", nil, `"a12.5zTS!"`},
		{"b:get", []Value{Int(2)}, `"a1"`},
		{"b:get", []Value{Int(1), Int(1)}, `"2", "."`},
		{"b:get", []Value{Int(0)}, `""`},
		{"b:get", []Value{Int(100)}, `"5zTS!"`},
		{"b:get", nil, `""`},
		{"b:put", str("hello world"), "userdata"},
		{"b:get", []Value{Int(2), Int(3), Nil}, `"he", "llo", " world"`},
		{"b:get", str("x"), `error "bad argument #2 to '?' (number expected, got string)"`},
		{"b:get", []Value{Int(-1)}, `error "bad argument #2 to '?' (number out of range)"`},
		{"b:put", str("abcdef"), "userdata"},
		{"b:skip", []Value{Int(2)}, "userdata"},
		{"b:tostring", nil, `"cdef"`},
		{"b:skip", []Value{Int(100)}, "userdata"},
		{"b:skip", nil, `error "bad argument #2 to '?' (number expected, got no value)"`},
		{"b:putf", []Value{String("%d-%s|%5.1f"), Int(1), String("x"), Int(2)}, "userdata"},
		{"b:putf", str("%d", "x"), `error "bad argument #3 to '?' (number expected, got string)"`},
		{"b:putf", nil, `error "bad argument #2 to '?' (string expected, got no value)"`},
		{"b:tostring", nil, `"1-x|  2.0"`},
		{"b:set", str("SET"), "userdata"},
		{"b:__concat", []Value{Int(1)}, `"SET1"`},
		{"b:get", nil, `"SET"`},
		{"b:encode", []Value{Int(1)}, "userdata"},
		{"b:encode", str("two"), "userdata"},
		{"b:decode", nil, "1"},
		{"b:decode", nil, `"two"`},
		{"b:decode", nil, `error "unexpected end of buffer"`},
		{"b:free", nil, ""},
		{"b:reserve", []Value{Int(5)}, `error "buffer:reserve needs the ffi library, which is not supported"`},
		{"buffer.new", []Value{Int(-1)}, `error "bad argument #1 to '?' (number out of range)"`},
		{"buffer.new", str("x"), `error "bad argument #1 to '?' (number expected, got string)"`},
		{"buffer.decode", nil, `error "bad argument #1 to '?' (string expected, got no value)"`},
		{"buffer.encode", nil, `error "bad argument #1 to '?' (value expected)"`},
		{"buffer.encode", []Value{s.lookup("give")}, `error "cannot serialize 'function'"`},
	} {
		if got := s.do(tt.call, tt.args...); got != tt.want {
			t.Errorf("%d %s: got %s, want %s", i, tt.call, got, tt.want)
		}
	}
	if got := s.do("b:put", s.vars["b"]); got != `error "bad argument #2 to '?' (cannot put buffer into itself)"` {
		t.Errorf("put of itself: %s", got)
	}
}

// TestBufferEncoding has the bytes that luajit writes.
func TestBufferEncoding(t *testing.T) {
	s, lib := bufferLib(t)
	for _, tt := range []struct{ value, want string }{
		{"nil", "00"}, {"false", "01"}, {"true", "02"}, {"cjson.null", "03"},
		{"0", "070000000000000000"}, {"1", "07000000000000f03f"}, {"-1", "07000000000000f0bf"},
		{"nan", "07000000000000f8ff"}, {"-0", "070000000000000080"}, {"inf", "07000000000000f07f"},
		{`""`, "20"}, {`"a"`, "2161"}, {`"\000"`, "2100"},
		{`rep("x", 100)`, "84" + strings.Repeat("78", 100)},
		{`rep("x", 300)`, "e06c" + strings.Repeat("78", 300)},
		{"{}", "08"}, {"{1,2,3}", "0c0407000000000000f03f070000000000000040070000000000000840"},
		{"{a=1}", "0901216107000000000000f03f"}, {"{1,a=2}", "0d020107000000000000f03f2161070000000000000040"},
		{"{[0]=1,2}", "0a0207000000000000f03f070000000000000040"}, {"{{},{}}", "0c030808"},
		{"{1,nil,3}", "0c0407000000000000f03f00070000000000000840"},
		{"{a={b={c=1}}}", "09012161090121620901216307000000000000f03f"},
	} {
		s.text, s.pos = tt.value, 0
		v := s.value()
		got := s.th.Call1(lib.GetStr("encode"), v).Str()
		if h := hex.EncodeToString([]byte(got)); h != tt.want {
			t.Errorf("%s: got %s, want %s", tt.value, h, tt.want)
		}
		if back := s.th.Call1(lib.GetStr("decode"), String(got)); s.show(back) != s.show(v) {
			t.Errorf("%s: reads back as %s", tt.value, s.show(back))
		}
	}
	for _, tt := range []struct{ data, want string }{
		{"", "unexpected end of buffer"}, {"\xff", "unexpected end of buffer"}, {"\x03\x01", "left-over data in buffer"},
		{"\x13", "cannot deserialize tag 0x13"}, {"\x0f\x00", "cannot deserialize dictionary index 1"},
		{"\x09\x01\x00\x00", "table index is nil"}, {"\x09\x01\x07\x00\x00\x00\x00\x00\x00\xf8\x7f\x02", "table index is NaN"},
		{"\x09\x02\x21a\x01\x21a\x02", "duplicate table key"}, {"\x09\x05", "unexpected end of buffer"},
		{strings.Repeat("\x09\x01\x21a", 200), "too deep to serialize"},
		{"\x0c\xff\xff\xff\xff\x7f", "unexpected end of buffer"},
	} {
		_, err := s.th.PCall(lib.GetStr("decode"), String(tt.data))
		if err == nil || err.Error() != tt.want {
			t.Errorf("decode %q: got %v, want %s", tt.data, err, tt.want)
		}
	}
}

func TestBufferDictionaries(t *testing.T) {
	s, lib := bufferLib(t)
	mt := NewTable(0, 0)
	options := NewTable(0, 2)
	options.SetStr("dict", NewArray(String("key"), String("other")))
	options.SetStr("metatable", NewArray(TableValue(mt)))
	b := s.th.Call1(lib.GetStr("new"), TableValue(options))
	v := NewTable(0, 3)
	v.SetStr("key", Int(1))
	v.SetStr("third", Int(3))
	v.SetMeta(mt)
	methods := b.Userdata().Meta
	s.th.Call(methods.GetStr("encode"), b, TableValue(v))
	got := hex.EncodeToString(toBuffer(b).bytes())
	if want := "0e0009020f0007000000000000f03f257468697264070000000000000840"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	back := s.th.Call1(methods.GetStr("decode"), b).Table()
	if back.Meta() != mt || back.GetStr("key") != Int(1) || back.GetStr("third") != Int(3) {
		t.Errorf("reads back as %s", s.show(TableValue(back)))
	}
}

func FuzzBufferDecode(f *testing.F) {
	for _, s := range []string{"\x0c\x04\x00\x01\x02", "\x09\x01\x21a\x02", "\x0d\x02\x01\x02\x21a\x00", "\xe0\x6cx", "\x0a\x02\x01\x02"} {
		f.Add(s)
	}
	th := NewState(Options{}).Main()
	lib := th.Call1(th.State.Preload.GetStr("string.buffer")).Table()
	f.Fuzz(func(t *testing.T, data string) {
		results, err := th.PCall(lib.GetStr("decode"), String(data))
		if err != nil {
			if err.Defect != nil {
				t.Fatalf("decode %q: %v\n%s", data, err, err.Defect)
			}
			return
		}
		text := th.Call1(lib.GetStr("encode"), results...)
		again := th.Call1(lib.GetStr("encode"), th.Call(lib.GetStr("decode"), text)...)
		if !RawEq(text, again) {
			t.Fatalf("%q: %q, then %q", data, text.Str(), again.Str())
		}
	})
}
