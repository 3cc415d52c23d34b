package runtime

import (
	"fmt"
	"math"
)

// cjson is lua-cjson as OpenResty ships it (2.1.0.x): the error texts, defaults and
// extensions are those of https://github.com/openresty/lua-cjson.

var jsonEmptyArrayByte byte

// jsonEmptyArray is cjson.empty_array.
var jsonEmptyArray = LightUserdata(&jsonEmptyArrayByte)

// What encode_invalid_numbers allows.
const (
	jsonInvalidOff = iota
	jsonInvalidOn
	jsonInvalidNull
)

// jsonConfig is the configuration of one instance of the module.
type jsonConfig struct {
	sparseConvert           bool
	sparseRatio, sparseSafe int
	encodeMaxDepth          int
	encodeInvalidNumbers    int
	encodePrecision         int
	encodeKeepBuffer        bool
	encodeEmptyAsObject     bool
	encodeEscapeSlash       bool
	encodeSkipUnsupported   bool
	encodeIndent            string

	decodeMaxDepth       int
	decodeInvalidNumbers bool
	decodeArrayMT        bool
	decodeComments       bool

	arrayMT, emptyArrayMT *Table

	buf []byte // kept between two calls of encode
}

// jsonKeepMax is the size in bytes up to which an encode buffer is kept.
const jsonKeepMax = 1 << 20

func newJSONConfig(arrayMT, emptyArrayMT *Table) *jsonConfig {
	return &jsonConfig{
		sparseRatio: 2, sparseSafe: 10,
		encodeMaxDepth: 1000, encodePrecision: 14, encodeKeepBuffer: true,
		encodeEmptyAsObject: true, encodeEscapeSlash: true,
		decodeMaxDepth: 1000, decodeInvalidNumbers: true,
		arrayMT: arrayMT, emptyArrayMT: emptyArrayMT,
	}
}

// encode returns the JSON text of v, or a message.
func (cfg *jsonConfig) encode(v Value) (text, err string) {
	e := jsonEncoder{cfg: cfg, buf: cfg.buf[:0]}
	cfg.buf = nil
	ok := e.value(v, 0)
	if cfg.encodeKeepBuffer && cap(e.buf) <= jsonKeepMax {
		cfg.buf = e.buf
	}
	if !ok && e.err != errSkip {
		return "", e.err
	}
	return string(e.buf), ""
}

// decode returns the value of a JSON text, or a message.
func (cfg *jsonConfig) decode(text string) (Value, string) {
	d := jsonDecoder{cfg: cfg, text: text}
	v, ok := d.decode()
	if !ok {
		return Nil, d.err
	}
	return v, ""
}

// openCJSON makes the modules cjson and cjson.safe; their instances share the
// array metatables.
func openCJSON(*Thread) (module, safe Value) {
	arrayMT, emptyArrayMT := NewTable(0, 0), NewTable(0, 0)
	return newCJSON(arrayMT, emptyArrayMT, false), newCJSON(arrayMT, emptyArrayMT, true)
}

// newCJSON returns an instance of cjson or, when safe, of cjson.safe.
func newCJSON(arrayMT, emptyArrayMT *Table, safe bool) Value {
	cfg := newJSONConfig(arrayMT, emptyArrayMT)
	t := NewTable(0, 32)
	set := func(name string, f GoFunc) { t.SetStr(name, NewGoFunction(name, f)) }
	if safe {
		set("encode", cfg.safeEncode)
		set("decode", cfg.safeDecode)
	} else {
		set("encode", cfg.luaEncode)
		set("decode", cfg.luaDecode)
	}
	set("new", func(*Thread, []Value) (Value, int) {
		return newCJSON(arrayMT, emptyArrayMT, safe), 1
	})
	set("encode_sparse_array", cfg.luaSparseArray)
	set("encode_invalid_numbers", cfg.luaInvalidNumbers)
	set("encode_indent", cfg.luaIndent)
	for _, option := range []struct {
		name  string
		field *bool
	}{
		{"encode_empty_table_as_object", &cfg.encodeEmptyAsObject},
		{"encode_keep_buffer", &cfg.encodeKeepBuffer},
		{"encode_escape_forward_slash", &cfg.encodeEscapeSlash},
		{"encode_skip_unsupported_value_types", &cfg.encodeSkipUnsupported},
		{"decode_invalid_numbers", &cfg.decodeInvalidNumbers},
		{"decode_array_with_array_mt", &cfg.decodeArrayMT},
		{"decode_allow_comment", &cfg.decodeComments},
	} {
		set(option.name, func(th *Thread, args []Value) (Value, int) {
			th.jsonArgs(args, 1)
			return jsonBoolOption(th, args, 0, option.field), 1
		})
	}
	for _, option := range []struct {
		name      string
		field     *int
		low, high int
	}{
		{"encode_max_depth", &cfg.encodeMaxDepth, 1, math.MaxInt32},
		{"decode_max_depth", &cfg.decodeMaxDepth, 1, math.MaxInt32},
		{"encode_number_precision", &cfg.encodePrecision, 1, 16},
	} {
		set(option.name, func(th *Thread, args []Value) (Value, int) {
			th.jsonArgs(args, 1)
			return jsonIntOption(th, args, 0, option.field, option.low, option.high), 1
		})
	}
	t.SetStr("null", LightNull)
	t.SetStr("empty_array", jsonEmptyArray)
	t.SetStr("array_mt", TableValue(arrayMT))
	t.SetStr("empty_array_mt", TableValue(emptyArrayMT))
	t.SetStr("_NAME", String("cjson"))
	t.SetStr("_VERSION", String("2.1.0.14"))
	return TableValue(t)
}

// oneArg checks that encode or decode got exactly one argument.
func (th *Thread) oneArg(args []Value) Value {
	if len(args) != 1 {
		th.ArgError(0, "expected 1 argument")
	}
	return args[0]
}

func (cfg *jsonConfig) luaEncode(th *Thread, args []Value) (Value, int) {
	text, err := cfg.encode(th.oneArg(args))
	if err != "" {
		th.Errorf("%s", err)
	}
	return String(text), 1
}

func (cfg *jsonConfig) luaDecode(th *Thread, args []Value) (Value, int) {
	th.oneArg(args)
	v, err := cfg.decode(th.CheckString(args, 0))
	if err != "" {
		th.Errorf("%s", err)
	}
	return v, 1
}

func (cfg *jsonConfig) safeEncode(th *Thread, args []Value) (Value, int) {
	text, err := cfg.encode(th.oneArg(args))
	if err != "" {
		return th.Return2(Nil, String(err))
	}
	return String(text), 1
}

func (cfg *jsonConfig) safeDecode(th *Thread, args []Value) (Value, int) {
	text, ok := toString(th.oneArg(args))
	if !ok {
		// lua-cjson calls decode from C, where it has no name.
		return th.Return2(Nil, String("bad argument #1 to '?' (string expected, got "+TypeName(args[0])+")"))
	}
	v, err := cfg.decode(text)
	if err != "" {
		return th.Return2(Nil, String(err))
	}
	return v, 1
}

// jsonArgs checks that an option function got at most n arguments.
func (th *Thread) jsonArgs(args []Value, n int) {
	if len(args) > n {
		th.ArgError(n, "found too many arguments")
	}
}

// jsonBoolOption sets *field from argument i when it is given: a boolean, "on" or
// "off". It returns the setting.
func jsonBoolOption(th *Thread, args []Value, i int, field *bool) Value {
	switch v := ArgAt(args, i); {
	case v.IsNil():
	case v.IsBool():
		*field = v.Truthy()
	default:
		*field = th.jsonChoice(args, i, "off", "on") == 1
	}
	return Bool(*field)
}

// jsonIntOption sets *field from argument i when it is given, and returns the setting.
func jsonIntOption(th *Thread, args []Value, i int, field *int, low, high int) Value {
	if !ArgAt(args, i).IsNil() {
		n := th.CheckInt(args, i)
		if n < low || n > high {
			th.ArgError(0, fmt.Sprintf("expected integer between %d and %d", low, high))
		}
		*field = n
	}
	return Int(*field)
}

// jsonChoice returns the index of argument i among names.
func (th *Thread) jsonChoice(args []Value, i int, names ...string) int {
	s := th.CheckString(args, i)
	for k, name := range names {
		if s == name {
			return k
		}
	}
	th.ArgError(i, "invalid option '"+s+"'")
	return 0
}

func (cfg *jsonConfig) luaSparseArray(th *Thread, args []Value) (Value, int) {
	th.jsonArgs(args, 3)
	convert := jsonBoolOption(th, args, 0, &cfg.sparseConvert)
	ratio := jsonIntOption(th, args, 1, &cfg.sparseRatio, 0, math.MaxInt32)
	safe := jsonIntOption(th, args, 2, &cfg.sparseSafe, 0, math.MaxInt32)
	return th.Return3(convert, ratio, safe)
}

func (cfg *jsonConfig) luaInvalidNumbers(th *Thread, args []Value) (Value, int) {
	th.jsonArgs(args, 1)
	switch v := ArgAt(args, 0); {
	case v.IsNil():
	case v.IsBool():
		cfg.encodeInvalidNumbers = jsonInvalidOff
		if v.Truthy() {
			cfg.encodeInvalidNumbers = jsonInvalidOn
		}
	default:
		cfg.encodeInvalidNumbers = th.jsonChoice(args, 0, "off", "on", "null")
	}
	if cfg.encodeInvalidNumbers == jsonInvalidNull {
		return String("null"), 1
	}
	return Bool(cfg.encodeInvalidNumbers == jsonInvalidOn), 1
}

// luaIndent sets the text that encode indents each level with; "" is compact.
func (cfg *jsonConfig) luaIndent(th *Thread, args []Value) (Value, int) {
	th.jsonArgs(args, 1)
	if !ArgAt(args, 0).IsNil() {
		cfg.encodeIndent = th.CheckString(args, 0)
	}
	return String(cfg.encodeIndent), 1
}
