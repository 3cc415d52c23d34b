package runtime

import (
	"fmt"
	"math"
)

// jsonEncoder builds the JSON text of one value.
type jsonEncoder struct {
	cfg *jsonConfig
	buf []byte
	err string // the message when encoding failed
}

// fail stops with lua-cjson's message for a value of type ty.
func (e *jsonEncoder) fail(ty Type, reason string) bool {
	e.err = fmt.Sprintf("Cannot serialise %s: %s", ty, reason)
	return false
}

// errSkip marks in jsonEncoder.err a value that encode_skip_unsupported_value_types leaves out.
const errSkip = "\x00skip"

// value appends v and reports whether that went well.
func (e *jsonEncoder) value(v Value, depth int) bool {
	switch v.Type() {
	case TypeString:
		if len(e.buf)+len(v.Str()) > stringLimit {
			e.err = "not enough memory"
			return false
		}
		e.buf = e.cfg.appendString(e.buf, v.Str())
	case TypeNumber:
		return e.number(v.Num())
	case TypeBoolean:
		if v.Truthy() {
			e.buf = append(e.buf, "true"...)
		} else {
			e.buf = append(e.buf, "false"...)
		}
	case TypeTable:
		return e.table(v.Table(), depth+1)
	case TypeNil:
		e.buf = append(e.buf, "null"...)
	case TypeLightUserdata:
		switch {
		case v == LightNull:
			e.buf = append(e.buf, "null"...)
		case v == jsonEmptyArray:
			e.buf = append(e.buf, "[]"...)
		default:
			return e.unsupported(v)
		}
	default:
		return e.unsupported(v)
	}
	return true
}

func (e *jsonEncoder) unsupported(v Value) bool {
	if e.cfg.encodeSkipUnsupported {
		e.err = errSkip
		return false
	}
	return e.fail(v.Type(), "type not supported")
}

func (e *jsonEncoder) number(f float64) bool {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		switch e.cfg.encodeInvalidNumbers {
		case jsonInvalidOff:
			return e.fail(TypeNumber, "must not be NaN or Infinity")
		case jsonInvalidNull:
			e.buf = append(e.buf, "null"...)
		default:
			e.buf = append(e.buf, invalidNumberName(f)...)
		}
		return true
	}
	if i := int64(f); float64(i) == f && i > -1e14 && i < 1e14 && e.cfg.encodePrecision >= 14 {
		e.buf = appendNumber(e.buf, f)
		return true
	}
	// lua-cjson prints through C's printf, which rounds ties to even.
	e.buf = formatSpec{prec: e.cfg.encodePrecision, conv: 'g', even: true}.appendFloat(e.buf, f)
	return true
}

func invalidNumberName(f float64) string {
	switch {
	case f > 0:
		return "Infinity"
	case f < 0:
		return "-Infinity"
	}
	return "NaN"
}

// table appends t as an array or an object.
func (e *jsonEncoder) table(t *Table, depth int) bool {
	if len(e.buf) > stringLimit {
		e.err = "not enough memory"
		return false
	}
	if depth > min(e.cfg.encodeMaxDepth, maxJSONDepth) {
		e.err = fmt.Sprintf("Cannot serialise, excessive nesting (%d)", depth)
		return false
	}
	meta := t.Meta()
	if meta != nil && meta == e.cfg.arrayMT {
		return e.array(t, t.Len(), depth)
	}
	n, ok := e.arrayLength(t)
	switch {
	case !ok:
		return false
	case n > 0 || n == 0 && (!e.cfg.encodeEmptyAsObject || meta != nil && meta == e.cfg.emptyArrayMT):
		return e.array(t, n, depth)
	}
	return e.object(t, depth)
}

// arrayLength returns the highest index of t, or -1 when t has other keys than whole
// numbers from 1 on or is too sparse and such arrays are to be objects.
func (e *jsonEncoder) arrayLength(t *Table) (int, bool) {
	if _, _, pos := t.nextKeyed(keyedBase); pos == 0 && t.Int(0).IsNil() {
		return e.checkSparse(t.arrayItems())
	}
	highest, items := 0, 0
	for k, _, pos := t.nextFrom(0); pos != 0; k, _, pos = t.nextFrom(pos) {
		if !k.IsNumber() {
			return -1, true
		}
		f := k.Num()
		if f < 1 || f != math.Floor(f) {
			return -1, true
		}
		highest = max(highest, int(min(f, math.MaxInt32)))
		items++
	}
	return e.checkSparse(highest, items)
}

// checkSparse returns the length of an array with that many items, or what
// arrayLength returns when it is too sparse to be one.
func (e *jsonEncoder) checkSparse(highest, items int) (int, bool) {
	if r := e.cfg.sparseRatio; r > 0 && highest > items*r && highest > e.cfg.sparseSafe {
		if !e.cfg.sparseConvert {
			return 0, e.fail(TypeTable, "excessively sparse array")
		}
		return -1, true
	}
	return highest, true
}

func (e *jsonEncoder) array(t *Table, n, depth int) bool {
	e.buf = append(e.buf, '[')
	first := true
	for i := 1; i <= n; i++ {
		mark := len(e.buf)
		e.separate(first, depth)
		if !e.value(t.Int(i), depth) {
			if !e.skipped(mark) {
				return false
			}
			continue
		}
		first = false
	}
	e.close(first, depth, ']')
	return true
}

// separate begins an item of an array or object.
func (e *jsonEncoder) separate(first bool, depth int) {
	if !first {
		e.buf = append(e.buf, ',')
	}
	if e.cfg.encodeIndent != "" {
		e.indent(depth)
	}
}

// close ends an array or object.
func (e *jsonEncoder) close(empty bool, depth int, bracket byte) {
	if e.cfg.encodeIndent != "" && !empty {
		e.indent(depth - 1)
	}
	e.buf = append(e.buf, bracket)
}

func (e *jsonEncoder) indent(depth int) {
	e.buf = append(e.buf, '\n')
	for range depth {
		e.buf = append(e.buf, e.cfg.encodeIndent...)
	}
}

// skipped takes back what was appended since mark for a value to be left out. It
// reports false when encoding failed instead.
func (e *jsonEncoder) skipped(mark int) bool {
	if e.err != errSkip {
		return false
	}
	e.err = ""
	e.buf = e.buf[:mark]
	return true
}

func (e *jsonEncoder) object(t *Table, depth int) bool {
	e.buf = append(e.buf, '{')
	first := true
	for k, v, pos := t.nextFrom(0); pos != 0; k, v, pos = t.nextFrom(pos) {
		mark := len(e.buf)
		e.separate(first, depth)
		switch k.Type() {
		case TypeNumber:
			e.buf = append(e.buf, '"')
			if !e.number(k.Num()) {
				return false
			}
			e.buf = append(e.buf, '"', ':')
		case TypeString:
			e.buf = e.cfg.appendString(e.buf, k.Str())
			e.buf = append(e.buf, ':')
		default:
			return e.fail(k.Type(), "table key must be a number or string")
		}
		if e.cfg.encodeIndent != "" {
			e.buf = append(e.buf, ' ')
		}
		if !e.value(v, depth) {
			if !e.skipped(mark) {
				return false
			}
			continue
		}
		first = false
	}
	e.close(first, depth, '}')
	return true
}

// jsonEscaped marks the bytes that must not stand in a JSON string as they are.
var jsonEscaped = func() (set byteSet) {
	for c := range 0x20 {
		set[c] = true
	}
	for _, c := range "\"\\/\x7f" {
		set[c] = true
	}
	return set
}()

// appendString appends s as a JSON string; bytes from 128 on stay as they are.
func (cfg *jsonConfig) appendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !jsonEscaped[c] {
			continue
		}
		if c == '/' && !cfg.encodeEscapeSlash {
			continue
		}
		buf = append(buf, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\', '/':
			buf = append(buf, '\\', c)
		case '\b':
			buf = append(buf, '\\', 'b')
		case '\t':
			buf = append(buf, '\\', 't')
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\f':
			buf = append(buf, '\\', 'f')
		case '\r':
			buf = append(buf, '\\', 'r')
		default:
			buf = append(buf, '\\', 'u', '0', '0', lowerHex[c>>4], lowerHex[c&15])
		}
	}
	buf = append(buf, s[start:]...)
	return append(buf, '"')
}
