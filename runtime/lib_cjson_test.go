package runtime

import (
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
