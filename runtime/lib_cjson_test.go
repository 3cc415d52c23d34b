package runtime

import (
	"fmt"
	"strings"
	"testing"
)

// TestCJSONOpenResty covers what OpenResty's lua-cjson has over the Debian package that
// recorded testdata/lib/cjson.txt.
func TestCJSONOpenResty(t *testing.T) {
	r := newCaseRunner(t)
	r.th.State.Globals.SetStr("setmetatable", NewGoFunction("setmetatable", baseSetMetatable))
	for _, tt := range []struct{ call, want string }{
		{`cjson.encode(inf)`, `error "Cannot serialise number: must not be NaN or Infinity"`},
		{`cjson.encode_number_precision(17)`, `error "bad argument #1 to '?' (expected integer between 1 and 16)"`},
		{`cjson.encode_number_precision(16)`, `16`},
		{`cjson.encode(0.1)`, `"0.1"`},
		{`cjson.encode(0.30000000000000004)`, `"0.3"`},
		{`cjson.encode(3.3333333333333335)`, `"3.333333333333333"`},
		{`cjson.encode_number_precision(14)`, `14`},
		{`cjson.encode({})`, `"{}"`},
		{`cjson.encode(setmetatable({}, cjson.array_mt))`, `"[]"`},
		{`cjson.encode(setmetatable({1, x=2}, cjson.array_mt))`, `"[1]"`},
		{`cjson.encode(setmetatable({}, cjson.empty_array_mt))`, `"[]"`},
		{`cjson.encode(setmetatable({x=1}, cjson.empty_array_mt))`, `"{\034x\034:1}"`},
		{`cjson.encode({cjson.null, cjson.empty_array})`, `"[null,[]]"`},
		{`cjson.encode_empty_table_as_object(false)`, `false`},
		{`cjson.encode({a={}})`, `"{\034a\034:[]}"`},
		{`cjson.encode_empty_table_as_object("on")`, `true`},
		{`cjson.encode_escape_forward_slash(false)`, `false`},
		{`cjson.encode("a/b")`, `"\034a/b\034"`},
		{`cjson.encode_escape_forward_slash(true)`, `true`},
		{`cjson.encode("a/b")`, `"\034a\092/b\034"`},
		{`cjson.encode_skip_unsupported_value_types(true)`, `true`},
		{`cjson.encode({1, give, 2})`, `"[1,2]"`},
		{`cjson.encode({x=give})`, `"{}"`},
		{`cjson.encode(give)`, `""`},
		{`cjson.encode_skip_unsupported_value_types(false)`, `false`},
		{`cjson.encode(give)`, `error "Cannot serialise function: type not supported"`},
		{`cjson.decode("/* c */ [1, // x\n 2]")`, `error "Expected value but found invalid token at character 1"`},
		{`cjson.decode_allow_comment(true)`, `true`},
		{`cjson.decode("/* c */ [1, // x\n 2]")`, `{1, 2}`},
		{`cjson.decode("1 // end")`, `1`},
		{`cjson.decode("/* open")`, `error "Expected value but found invalid token at character 1"`},
		{`cjson.decode_array_with_array_mt(true)`, `true`},
		{`cjson.encode(cjson.decode("{\"a\":[]}"))`, `"{\034a\034:[]}"`},
		{`cjson.decode_array_with_array_mt(false)`, `false`},
		{`cjson.encode_indent("  ")`, `"  "`},
		{`cjson.encode({1, {}, {a={2}}})`, `"[\010  1,\010  {},\010  {\010    \034a\034: [\010      2\010    ]\010  }\010]"`},
		{`cjson.encode_indent("")`, `""`},
	} {
		if got := r.run(tt.call); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.call, got, tt.want)
		}
	}
	if got := r.run(`safe.encode("still / escaped")`); !strings.Contains(got, `\092/`) {
		t.Errorf("cjson.safe shares the options of cjson: %s", got)
	}
}

// TestCJSONObjects decodes objects of every table layout and reads them back.
func TestCJSONObjects(t *testing.T) {
	cfg := newJSONConfig(NewTable(0, 0), NewTable(0, 0))
	for _, n := range []int{0, 1, 8, 9, maxJSONRecord, maxJSONRecord + 1, 300} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"key%d":%d`, i, i)
		}
		text := "{" + strings.TrimPrefix(b.String(), ",") + "}"
		v, err := cfg.decode(text)
		if err != "" {
			t.Fatal(err)
		}
		for i := range n {
			if got := v.Table().GetStr(fmt.Sprintf("key%d", i)); got != Int(i) {
				t.Errorf("%d fields: key%d is %s", n, i, Describe(got))
			}
		}
		if got, _ := cfg.encode(v); got != text {
			t.Errorf("%d fields: got %s", n, got)
		}
	}
	v, _ := cfg.decode(`{"b":1,"a":2,"b":3,"c":4}`)
	if got, _ := cfg.encode(v); got != `{"b":3,"a":2,"c":4}` {
		t.Errorf("the last of two equal keys must win: %s", got)
	}
}

// TestDataShapes checks that data cannot make shapes without end.
func TestDataShapes(t *testing.T) {
	cfg := newJSONConfig(NewTable(0, 0), NewTable(0, 0))
	for i := range 2 * maxDataShapes {
		text := fmt.Sprintf(`{"id%d":1,"x%d":2}`, i%200, i)
		v, err := cfg.decode(text)
		if err != "" || v.Table().GetStr(fmt.Sprintf("x%d", i)) != Int(2) {
			t.Fatalf("%s: %s", text, err)
		}
	}
	if n := shapes.data; n > maxDataShapes {
		t.Errorf("%d shapes", n)
	}
}

func FuzzCJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,-3e2,true,null,"x\u00e9"]}`, `[[],{}]`, `"\ud83d\ude00"`, `nan`, `0x1p3`, `{"":""}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg := newJSONConfig(NewTable(0, 0), NewTable(0, 0))
		cfg.encodeInvalidNumbers, cfg.sparseConvert, cfg.encodePrecision = jsonInvalidOn, true, 17 // digits that read back exactly
		v, err := cfg.decode(text)
		if err != "" {
			return
		}
		once, err := cfg.encode(v)
		if err != "" {
			t.Fatalf("decoded %q does not encode: %s", text, err)
		}
		v, err = cfg.decode(once)
		if err != "" {
			t.Fatalf("%q: encoded %q does not decode: %s", text, once, err)
		}
		if twice, _ := cfg.encode(v); twice != once {
			t.Fatalf("%q: %q, then %q", text, once, twice)
		}
	})
}
