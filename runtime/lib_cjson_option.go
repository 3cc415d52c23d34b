package runtime

import (
	"fmt"
	"iter"
	"math"
)

// maxJSONDepth is how deep values nest whatever the script allows: lua-cjson needs a place on
// Lua's stack, which has 8000 for C, for each level.
const maxJSONDepth = 8000

// jsonSetting is one argument of a cjson function that sets and tells an option:
// it stores v unless that is nil and returns what is set.
type jsonSetting func(o *jsonOption, v Value) Value

// options yields the option functions with their settings, one an argument.
func (cfg *jsonConfig) options() iter.Seq2[string, []jsonSetting] {
	return func(yield func(string, []jsonSetting) bool) {
		_ = yield("encode_empty_table_as_object", []jsonSetting{jsonBool(&cfg.encodeEmptyAsObject)}) &&
			yield("encode_keep_buffer", []jsonSetting{jsonBool(&cfg.encodeKeepBuffer)}) &&
			yield("encode_escape_forward_slash", []jsonSetting{jsonBool(&cfg.encodeEscapeSlash)}) &&
			yield("encode_skip_unsupported_value_types", []jsonSetting{jsonBool(&cfg.encodeSkipUnsupported)}) &&
			yield("encode_invalid_numbers", []jsonSetting{cfg.setInvalidNumbers}) &&
			yield("encode_indent", []jsonSetting{cfg.setIndent}) &&
			yield("encode_max_depth", []jsonSetting{jsonInt(&cfg.encodeMaxDepth, 1, math.MaxInt32)}) &&
			yield("encode_number_precision", []jsonSetting{jsonInt(&cfg.encodePrecision, 1, 16)}) &&
			yield("encode_sparse_array", []jsonSetting{
				jsonBool(&cfg.sparseConvert),
				jsonInt(&cfg.sparseRatio, 0, math.MaxInt32),
				jsonInt(&cfg.sparseSafe, 0, math.MaxInt32),
			}) &&
			yield("decode_invalid_numbers", []jsonSetting{jsonBool(&cfg.decodeInvalidNumbers)}) &&
			yield("decode_array_with_array_mt", []jsonSetting{jsonBool(&cfg.decodeArrayMT)}) &&
			yield("decode_allow_comment", []jsonSetting{jsonBool(&cfg.decodeComments)}) &&
			yield("decode_max_depth", []jsonSetting{jsonInt(&cfg.decodeMaxDepth, 1, math.MaxInt32)})
	}
}

// jsonOption is one call of an option function. These functions share their Go code,
// so the name for messages is carried along.
type jsonOption struct {
	th   *Thread
	name string
	args []Value
	i    int // the argument that is looked at
}

func (o *jsonOption) apply(settings []jsonSetting) (Value, int) {
	if n := len(settings); len(o.args) > n {
		o.fail(n, "found too many arguments")
	}
	var results []Value
	for i, set := range settings {
		o.i = i
		results = append(results, set(o, ArgAt(o.args, i)))
	}
	return o.th.ReturnList(results)
}

func (o *jsonOption) fail(i int, message string) {
	position, name := o.th.Where(1), o.name
	if position == "" { // called from Go, where functions have no name
		name = "?"
	}
	o.th.Throw(String(fmt.Sprintf("%sbad argument #%d to '%s' (%s)", position, i+1, name, message)))
}

func (o *jsonOption) failType(want string) {
	o.fail(o.i, want+" expected, got "+TypeName(o.args[o.i]))
}

// choice returns the index of v among names.
func (o *jsonOption) choice(v Value, names ...string) int {
	s, ok := toString(v)
	if !ok {
		o.failType("string")
	}
	for i, name := range names {
		if s == name {
			return i
		}
	}
	o.fail(o.i, "invalid option '"+s+"'")
	return 0
}

// jsonBool is a setting of true, false, "on" or "off".
func jsonBool(field *bool) jsonSetting {
	return func(o *jsonOption, v Value) Value {
		switch {
		case v.IsNil():
		case v.IsBool():
			*field = v.Truthy()
		default:
			*field = o.choice(v, "off", "on") == 1
		}
		return Bool(*field)
	}
}

// jsonInt is a setting of a whole number in a range.
func jsonInt(field *int, low, high int) jsonSetting {
	return func(o *jsonOption, v Value) Value {
		if !v.IsNil() {
			f, ok := toNumber(v)
			if !ok {
				o.failType("number")
			}
			n := floatInt(f)
			if n < low || n > high {
				o.fail(0, fmt.Sprintf("expected integer between %d and %d", low, high))
			}
			*field = n
		}
		return Int(*field)
	}
}

func (cfg *jsonConfig) setInvalidNumbers(o *jsonOption, v Value) Value {
	switch {
	case v.IsNil():
	case v.IsBool():
		cfg.encodeInvalidNumbers = jsonInvalidOff
		if v.Truthy() {
			cfg.encodeInvalidNumbers = jsonInvalidOn
		}
	default:
		cfg.encodeInvalidNumbers = o.choice(v, "off", "on", "null")
	}
	if cfg.encodeInvalidNumbers == jsonInvalidNull {
		return String("null")
	}
	return Bool(cfg.encodeInvalidNumbers == jsonInvalidOn)
}

// setIndent sets the text that encode indents each level with; "" is compact.
func (cfg *jsonConfig) setIndent(o *jsonOption, v Value) Value {
	if !v.IsNil() {
		s, ok := toString(v)
		if !ok {
			o.failType("string")
		}
		cfg.encodeIndent = s
	}
	return String(cfg.encodeIndent)
}
