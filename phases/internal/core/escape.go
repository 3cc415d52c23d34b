package core

import "github.com/moonphase/moonphase/phases/internal/ngxtext"

// EscapeJSON writes what may stand inside a JSON string. Bytes that are no valid
// text pass unchanged, as in nginx.
func EscapeJSON(b []byte, v string) []byte {
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
				b = append(b, '\\', 'u', '0', '0', '0'+c>>4, ngxtext.UpperHex[c&15])
			}
		}
	}
	return b
}
