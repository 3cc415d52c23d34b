package ngxtext

import "strings"

// EscapeKind selects the characters that are escaped as %XX
// (ngx_escape_uri's tables).
type EscapeKind uint8

const (
	EscapePath      EscapeKind = iota // a whole URI path
	EscapeArgs                        // arguments
	EscapeComponent                   // one component of a URI
	EscapeRefresh                     // a URI in a page's attribute
	EscapeText                        // a text within a page's URI (NGX_ESCAPE_HTML)
)

// UpperHex are the hexadecimal digits by value.
const UpperHex = "0123456789ABCDEF"

// mustEscape reports whether c is escaped. Control characters, space and bytes
// above 0x7e always are.
func (k EscapeKind) mustEscape(c byte) bool {
	if c <= ' ' || c >= 0x7f {
		return true
	}
	switch k {
	case EscapeRefresh:
		return strings.IndexByte("\"'<>^`{|~", c) >= 0
	case EscapeText:
		return strings.IndexByte("\"#%'<>\\^`{|}", c) >= 0
	case EscapePath, EscapeArgs:
		switch c {
		case '"', '#', '%', '<', '>', '?', '\\', '^', '`', '{', '|', '}':
			return true
		case '&', '+', ';':
			return k == EscapeArgs
		}
		return false
	}
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~')
}

// EscapeURI escapes what kind says in s.
func EscapeURI(s string, kind EscapeKind) string {
	n := 0
	for i := 0; i < len(s); i++ {
		if kind.mustEscape(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	out := make([]byte, 0, len(s)+2*n)
	for i := 0; i < len(s); i++ {
		if c := s[i]; kind.mustEscape(c) {
			out = append(out, '%', UpperHex[c>>4], UpperHex[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

// EscapeHTML escapes what cannot stand in a page's text (ngx_escape_html).
func EscapeHTML(s string) string { return htmlEscaper.Replace(s) }

var htmlEscaper = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;", "\"", "&quot;")

// QuoteSQL quotes a string for MySQL.
func QuoteSQL(s string) string {
	const special = "\x00\b\t\n\r\x1a\\'\""
	const letters = `0btnrZ\'"`
	b := make([]byte, 0, len(s)+2)
	b = append(b, '\'')
	for i := 0; i < len(s); i++ {
		if k := strings.IndexByte(special, s[i]); k >= 0 {
			b = append(b, '\\', letters[k])
			continue
		}
		b = append(b, s[i])
	}
	return string(append(b, '\''))
}

// The text functions of the ngx API that know nothing of Lua.

// escapeTables are the bytes that type 0 to 6 of ngx.escape_uri escapes, beside
// control characters and the space. The numbers are ngx_escape_uri's; the tables
// are ngx_lua's own, which differ from the core's.
var escapeTables = [7]struct {
	chars string
	high  bool // bytes from 0x7F on
}{
	0: {`#%?`, true},                       // a URI
	1: {`#%+?`, true},                      // arguments
	2: {"\"#$%&+,/:;<=>?@[\\]^`{|}", true}, // a URI component
	3: {`"#%'`, true},                      // HTML
	4: {`"'`, true},                        // a Refresh header
	5: {`%`, false},                        // a memcached key
	6: {`%`, false},                        // a mail login
}

// escapeSets has a bit for each byte a table escapes, in 4 words of 64.
var escapeSets = func() (sets [7][4]uint64) {
	for t, table := range escapeTables {
		for c := range 256 {
			if c <= ' ' || c >= 0x7F && table.high || strings.IndexByte(table.chars, byte(c)) >= 0 && c < 0x7F {
				sets[t][c>>6] |= 1 << (c & 63)
			}
		}
	}
	return
}()

// EscapeByType escapes as type t of ngx.escape_uri.
func EscapeByType(s string, t int) string {
	set := &escapeSets[t]
	n := 0
	for i := 0; i < len(s); i++ {
		n += int(set[s[i]>>6] >> (s[i] & 63) & 1)
	}
	if n == 0 {
		return s
	}
	return string(AppendEscaped(make([]byte, 0, len(s)+2*n), s, t))
}

// AppendEscaped appends s escaped as type t.
func AppendEscaped(b []byte, s string, t int) []byte {
	const hex = "0123456789ABCDEF"
	set := &escapeSets[t]
	for i := 0; i < len(s); i++ {
		c := s[i]
		if set[c>>6]>>(c&63)&1 != 0 {
			b = append(b, '%', hex[c>>4], hex[c&15])
			continue
		}
		b = append(b, c)
	}
	return b
}

// UnescapeArg undoes %XX, and '+' for a space; what is not an escape stays.
func UnescapeArg(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s):
			if hi, lo := HexDigit(s[i+1]), HexDigit(s[i+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}
