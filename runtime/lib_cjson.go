package runtime

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

	buf   []byte  // kept between two calls of encode
	stack []Value // kept, without values, between two calls of decode
}

// jsonKeepMax is the size in bytes up to which an encode buffer is kept.
const jsonKeepMax = 1 << 20

// jsonKeepStack is the number of values up to which a decode stack is kept.
const jsonKeepStack = 256

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
	d := jsonDecoder{cfg: cfg, text: text, stack: cfg.stack}
	v, ok := d.decode()
	if cap(d.stack) <= jsonKeepStack {
		cfg.stack = d.stack[:0]
		clear(cfg.stack[:cap(cfg.stack)])
	}
	if !ok {
		return Nil, d.err
	}
	return v, ""
}

// openCJSON makes the modules cjson and cjson.safe known; their instances share
// the array metatables.
func openCJSON(st *State) {
	arrayMT, emptyArrayMT := NewTable(0, 0), NewTable(0, 0)
	st.AddModule("cjson", func(*Thread) Value { return newCJSON(arrayMT, emptyArrayMT, false) })
	st.AddModule("cjson.safe", func(*Thread) Value { return newCJSON(arrayMT, emptyArrayMT, true) })
}

// newCJSON returns an instance of cjson or, when safe, of cjson.safe.
func newCJSON(arrayMT, emptyArrayMT *Table, safe bool) Value {
	cfg := newJSONConfig(arrayMT, emptyArrayMT)
	t := NewTable(0, 32)
	set := func(name string, f GoFunc) { t.SetStr(name, NewGoFunction(name, f)) }
	if safe {
		set("encode", func(th *Thread, args []Value) (Value, int) { return cfg.safeEncode(th, args) })
		set("decode", func(th *Thread, args []Value) (Value, int) { return cfg.safeDecode(th, args) })
	} else {
		set("encode", func(th *Thread, args []Value) (Value, int) { return cfg.luaEncode(th, args) })
		set("decode", func(th *Thread, args []Value) (Value, int) { return cfg.luaDecode(th, args) })
	}
	set("new", func(*Thread, []Value) (Value, int) {
		return newCJSON(arrayMT, emptyArrayMT, safe), 1
	})
	for name, settings := range cfg.options() {
		set(name, func(th *Thread, args []Value) (Value, int) {
			o := jsonOption{th: th, name: name, args: args}
			return o.apply(settings)
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
