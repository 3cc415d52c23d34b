package phases

import "strings"

// escapeKind selects the characters that are escaped as %XX
// (ngx_escape_uri's tables).
type escapeKind uint8

const (
	escapePath      escapeKind = iota // a whole URI path
	escapeArgs                        // arguments
	escapeComponent                   // one component of a URI
	escapeRefresh                     // a URI in a page's attribute
)

const upperHex = "0123456789ABCDEF"

// mustEscape reports whether c is escaped. Control characters, space and bytes
// above 0x7e always are.
func (k escapeKind) mustEscape(c byte) bool {
	if c <= ' ' || c >= 0x7f {
		return true
	}
	switch k {
	case escapeRefresh:
		return c == '"' || c == '\''
	case escapePath, escapeArgs:
		switch c {
		case '"', '#', '%', '<', '>', '?', '\\', '^', '`', '{', '|', '}':
			return true
		case '&', '+', ';':
			return k == escapeArgs
		}
		return false
	}
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~')
}

// escapeURI escapes what kind says in s.
func escapeURI(s string, kind escapeKind) string {
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
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

// escapeJSON writes what may stand inside a JSON string. Bytes that are no valid
// text pass unchanged, as in nginx.
func escapeJSON(b []byte, v string) []byte {
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= 0x20:
			b = append(b, c)
		default:
			switch c {
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			case '\b':
				b = append(b, '\\', 'b')
			case '\f':
				b = append(b, '\\', 'f')
			default:
				b = append(b, '\\', 'u', '0', '0', '0'+c>>4, upperHex[c&15])
			}
		}
	}
	return b
}

// escapeHTML escapes what cannot stand in a page's text (ngx_escape_html).
func escapeHTML(s string) string { return htmlEscaper.Replace(s) }

var htmlEscaper = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;", "\"", "&quot;")
