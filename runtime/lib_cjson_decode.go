package runtime

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// jsonToken is a kind of token; the names are what lua-cjson prints.
type jsonToken uint8

const (
	jsonObjBegin jsonToken = iota
	jsonObjEnd
	jsonArrBegin
	jsonArrEnd
	jsonString
	jsonNumber
	jsonBoolean
	jsonNull
	jsonColon
	jsonComma
	jsonEnd
	jsonError
)

var jsonTokenNames = [...]string{
	"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER",
	"T_BOOLEAN", "T_NULL", "T_COLON", "T_COMMA", "T_END",
}

// jsonDecoder decodes one JSON text. Strings without escapes are pieces of the
// text and are not copied.
type jsonDecoder struct {
	cfg   *jsonConfig
	text  string
	pos   int
	depth int
	stack []Value // the items of the arrays and objects that are being read

	// The current token.
	token jsonToken
	start int    // where it begins; where the error is, for jsonError
	value Value  // of a string, number or boolean
	fault string // of jsonError

	err string // the message when decoding failed
}

// decode returns the value of the whole text; err has the message otherwise.
func (d *jsonDecoder) decode() (Value, bool) {
	if len(d.text) >= 2 && (d.text[0] == 0 || d.text[1] == 0) {
		d.err = "JSON parser does not support UTF-16 or UTF-32"
		return Nil, false
	}
	d.next()
	v, ok := d.parse()
	if !ok {
		return Nil, false
	}
	if d.next(); d.token != jsonEnd {
		return d.expected("the end")
	}
	return v, true
}

// expected fails because the current token is not what.
func (d *jsonDecoder) expected(what string) (Value, bool) {
	found := d.fault
	if d.token != jsonError {
		found = jsonTokenNames[d.token]
	}
	d.err = fmt.Sprintf("Expected %s but found %s at character %d", what, found, d.start+1)
	return Nil, false
}

// parse returns the value that begins with the current token.
func (d *jsonDecoder) parse() (Value, bool) {
	switch d.token {
	case jsonString, jsonNumber, jsonBoolean:
		return d.value, true
	case jsonNull:
		return LightNull, true
	case jsonObjBegin:
		return d.object()
	case jsonArrBegin:
		return d.array()
	}
	return d.expected("value")
}

// descend counts a nested object or array.
func (d *jsonDecoder) descend() bool {
	if d.depth++; d.depth > min(d.cfg.decodeMaxDepth, maxJSONDepth) {
		d.err = fmt.Sprintf("Found too many nested data structures (%d) at character %d", d.depth, d.pos)
		return false
	}
	return true
}

func (d *jsonDecoder) object() (Value, bool) {
	if !d.descend() {
		return Nil, false
	}
	from := len(d.stack)
	if d.next(); d.token == jsonObjEnd {
		d.depth--
		return TableValue(NewTable(0, 0)), true
	}
	for {
		if d.token != jsonString {
			return d.expected("object key string")
		}
		d.stack = append(d.stack, d.value)
		if d.next(); d.token != jsonColon {
			return d.expected("colon")
		}
		d.next()
		v, ok := d.parse()
		if !ok {
			return Nil, false
		}
		d.stack = append(d.stack, v)
		switch d.next(); d.token {
		case jsonObjEnd:
			t := newJSONObject(d.stack[from:])
			d.stack = d.stack[:from]
			d.depth--
			return TableValue(t), true
		case jsonComma:
			d.next()
		default:
			return d.expected("comma or object end")
		}
	}
}

func (d *jsonDecoder) array() (Value, bool) {
	if !d.descend() {
		return Nil, false
	}
	from := len(d.stack)
	if d.next(); d.token != jsonArrEnd {
		for {
			v, ok := d.parse()
			if !ok {
				return Nil, false
			}
			d.stack = append(d.stack, v)
			if d.next(); d.token == jsonArrEnd {
				break
			}
			if d.token != jsonComma {
				return d.expected("comma or array end")
			}
			d.next()
		}
	}
	v := NewArrayList(d.stack[from:])
	d.stack = d.stack[:from]
	d.depth--
	if d.cfg.decodeArrayMT {
		v.Table().SetMeta(d.cfg.arrayMT)
	}
	return v, true
}

// fail makes the current token an error at pos.
func (d *jsonDecoder) fail(fault string) {
	d.token, d.fault, d.start = jsonError, fault, d.pos
}

// at returns the byte at i, 0 beyond the end: like the C string lua-cjson reads.
func (d *jsonDecoder) at(i int) byte {
	if i < len(d.text) {
		return d.text[i]
	}
	return 0
}

// next reads a token.
func (d *jsonDecoder) next() {
	c := d.skipBlanks()
	d.start = d.pos
	switch c {
	case '{':
		d.single(jsonObjBegin)
	case '}':
		d.single(jsonObjEnd)
	case '[':
		d.single(jsonArrBegin)
	case ']':
		d.single(jsonArrEnd)
	case ',':
		d.single(jsonComma)
	case ':':
		d.single(jsonColon)
	case 0:
		d.token = jsonEnd
	case '"':
		d.string()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if !d.cfg.decodeInvalidNumbers && d.invalidNumber() {
			d.fail("invalid number")
			return
		}
		d.number()
	default:
		d.word()
	}
}

func (d *jsonDecoder) single(token jsonToken) {
	d.token = token
	d.pos++
}

// skipBlanks skips white space, and comments when they are allowed, and returns
// the byte it stops at.
func (d *jsonDecoder) skipBlanks() byte {
	for {
		c := d.at(d.pos)
		switch c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		case '/':
			if !d.cfg.decodeComments || !d.skipComment() {
				return c
			}
		default:
			return c
		}
	}
}

// skipComment skips a // or /* */ comment.
func (d *jsonDecoder) skipComment() bool {
	rest := d.text[d.pos+1:]
	switch {
	case strings.HasPrefix(rest, "/"):
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			d.pos += i + 2
		} else {
			d.pos = len(d.text)
		}
		return true
	case strings.HasPrefix(rest, "*"):
		if i := strings.Index(rest[1:], "*/"); i >= 0 {
			d.pos += i + 4
			return true
		}
	}
	return false
}

// word reads true, false, null or, when they are allowed, a number JSON does not know.
func (d *jsonDecoder) word() {
	rest := d.text[d.pos:]
	switch {
	case strings.HasPrefix(rest, "true"):
		d.token, d.value = jsonBoolean, True
		d.pos += 4
	case strings.HasPrefix(rest, "false"):
		d.token, d.value = jsonBoolean, False
		d.pos += 5
	case strings.HasPrefix(rest, "null"):
		d.token = jsonNull
		d.pos += 4
	case strings.IndexByte("iInN+", rest[0]) >= 0 && d.cfg.decodeInvalidNumbers && d.invalidNumber():
		d.number()
	default:
		d.fail("invalid token")
	}
}

// invalidNumber reports whether pos is at a number that strtod reads and JSON does not
// have: +1, 0x1, 01, inf, nan.
func (d *jsonDecoder) invalidNumber() bool {
	i := d.pos
	if d.at(i) == '+' {
		return true
	}
	if d.at(i) == '-' {
		i++
	}
	c := d.at(i)
	if c == '0' {
		c = d.at(i + 1)
		return c|0x20 == 'x' || '0' <= c && c <= '9'
	}
	if c <= '9' {
		return false
	}
	word := strings.ToLower(d.text[i:min(i+3, len(d.text))])
	return word == "inf" || word == "nan"
}

// number reads what C's strtod would.
func (d *jsonDecoder) number() {
	f, n := scanFloat(d.text[d.pos:])
	if n == 0 {
		d.fail("invalid number")
		return
	}
	d.pos += n
	d.token, d.value = jsonNumber, canonicalNumber(f)
}

// scanFloat reads the longest number at the start of s, like C's strtod but
// without leading blanks, and returns its length.
func scanFloat(s string) (f float64, n int) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		n = 1
	}
	switch size := scanDecimal(s[n:]); {
	case size == 0:
		f, size = scanWord(s[n:])
		if size == 0 {
			return 0, 0
		}
		n += size
	case size == 1 && s[n] == '0' && n+2 < len(s) && s[n+1]|0x20 == 'x':
		f, size = scanHex(s[n:])
		n += size
	default:
		f = parseDecimal(s[n : n+size])
		n += size
	}
	if neg {
		f = -f
	}
	return f, n
}

// parseDecimal returns the value of an unsigned decimal number.
func parseDecimal(s string) float64 {
	if f, ok := parseShortInt(s); ok {
		return f
	}
	f, _ := strconv.ParseFloat(s, 64) // out of range gives infinity or 0, as strtod
	return f
}

// scanDecimal returns the length of digits[.digits][e[sign]digits] at the start of s.
func scanDecimal(s string) int {
	i := scanDigits(s, 0)
	digits := i
	if i < len(s) && s[i] == '.' {
		end := scanDigits(s, i+1)
		digits += end - i - 1
		i = end
	}
	if digits == 0 {
		return 0
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		return scanExponent(s, i)
	}
	return i
}

func scanDigits(s string, i int) int {
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return i
}

// scanExponent returns the end of the exponent whose letter is at i, or i when it has no digits.
func scanExponent(s string, i int) int {
	j := i + 1
	if j < len(s) && (s[j] == '+' || s[j] == '-') {
		j++
	}
	if end := scanDigits(s, j); end > j {
		return end
	}
	return i
}

// scanHex reads 0x<digits>[.<digits>][p<exponent>]; the number is the 0 when no digit follows the x.
func scanHex(s string) (float64, int) {
	isHex := func(i int) bool {
		return i < len(s) && (s[i]-'0' <= 9 || (s[i]|0x20)-'a' <= 5)
	}
	i := 2
	for isHex(i) {
		i++
	}
	digits := i - 2
	if i < len(s) && s[i] == '.' && (digits > 0 || isHex(i+1)) {
		i++
		for isHex(i) {
			i++
			digits++
		}
	}
	if digits == 0 {
		return 0, 1
	}
	text := s[:i] + "p0"
	if i < len(s) && s[i]|0x20 == 'p' {
		if end := scanExponent(s, i); end > i {
			i = end
			text = s[:i]
		}
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f, i
}

// scanWord reads inf, infinity or nan in any case.
func scanWord(s string) (float64, int) {
	lower := strings.ToLower(s[:min(len(s), len("infinity"))])
	switch {
	case lower == "infinity":
		return math.Inf(1), len(lower)
	case strings.HasPrefix(lower, "inf"):
		return math.Inf(1), 3
	case strings.HasPrefix(lower, "nan"):
		return math.NaN(), 3
	}
	return 0, 0
}

// string reads a string token.
func (d *jsonDecoder) string() {
	d.pos++
	from := d.pos
	for {
		switch d.at(d.pos) {
		case '"':
			d.token, d.value = jsonString, String(d.text[from:d.pos])
			d.pos++
			return
		case '\\':
			d.escaped(from)
			return
		case 0:
			d.fail("unexpected end of string")
			return
		}
		d.pos++
	}
}

// jsonEscapes maps the letter of a two-byte escape to its byte.
var jsonEscapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 't': '\t', 'n': '\n', 'f': '\f', 'r': '\r',
}

// escaped reads the rest of a string from its first escape on.
func (d *jsonDecoder) escaped(from int) {
	buf := make([]byte, 0, 2*(d.pos-from)+16)
	buf = append(buf, d.text[from:d.pos]...)
	for {
		c := d.at(d.pos)
		switch c {
		case '"':
			d.token, d.value = jsonString, bytesValue(buf)
			d.pos++
			return
		case 0:
			d.fail("unexpected end of string")
			return
		case '\\':
			e := d.at(d.pos + 1)
			if e == 'u' {
				var ok bool
				if buf, ok = d.unicode(buf); !ok {
					d.fail("invalid unicode escape code")
					return
				}
				continue
			}
			if c = jsonEscapes[e]; c == 0 {
				d.fail("invalid escape code")
				return
			}
			d.pos++
		}
		buf = append(buf, c)
		d.pos++
	}
}

// unicode appends the character of the \uXXXX, or pair of them, at pos.
func (d *jsonDecoder) unicode(buf []byte) ([]byte, bool) {
	code, ok := d.hex4(d.pos + 2)
	if !ok {
		return buf, false
	}
	size := 6
	if code&0xF800 == 0xD800 {
		low, ok := d.hex4(d.pos + 8)
		if code&0x400 != 0 || d.at(d.pos+6) != '\\' || d.at(d.pos+7) != 'u' || !ok || low&0xFC00 != 0xDC00 {
			return buf, false
		}
		code = (code&0x3FF<<10 | low&0x3FF) + 0x10000
		size = 12
	}
	d.pos += size
	return appendUTF8(buf, code), true
}

func (d *jsonDecoder) hex4(i int) (code int, ok bool) {
	for end := i + 4; i < end; i++ {
		digit := hexDigit(d.at(i))
		if digit < 0 {
			return 0, false
		}
		code = code<<4 | digit
	}
	return code, true
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// appendUTF8 is utf8.AppendRune without its check: any code point is taken.
func appendUTF8(buf []byte, code int) []byte {
	switch {
	case code < 0x80:
		return append(buf, byte(code))
	case code < 0x800:
		return append(buf, byte(code>>6|0xC0), byte(code&0x3F|0x80))
	case code < 0x10000:
		return append(buf, byte(code>>12|0xE0), byte(code>>6&0x3F|0x80), byte(code&0x3F|0x80))
	}
	return append(buf, byte(code>>18|0xF0), byte(code>>12&0x3F|0x80), byte(code>>6&0x3F|0x80), byte(code&0x3F|0x80))
}
