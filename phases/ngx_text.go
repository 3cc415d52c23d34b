package phases

import (
	"encoding/base64"
	"strings"
)

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

const escapeTypeComponent = 2

// luaEscapeURI escapes as type t of ngx.escape_uri.
func luaEscapeURI(s string, t int) string {
	set := &escapeSets[t]
	n := 0
	for i := 0; i < len(s); i++ {
		n += int(set[s[i]>>6] >> (s[i] & 63) & 1)
	}
	if n == 0 {
		return s
	}
	return string(appendEscaped(make([]byte, 0, len(s)+2*n), s, t))
}

// appendEscaped appends s escaped as type t.
func appendEscaped(b []byte, s string, t int) []byte {
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

// unescapeArg undoes %XX, and '+' for a space; what is not an escape stays.
func unescapeArg(s string) string {
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
			if hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// eachArg calls f for every argument of a query string; hasValue tells "k=" from
// "k". Empty keys are left out. With max above 0 it stops after that many parts
// and reports whether more followed.
func eachArg(args string, max int, f func(key, value string, hasValue bool)) (truncated bool) {
	for n := 0; args != ""; {
		part, rest, more := strings.Cut(args, "&")
		key, value, hasValue := strings.Cut(part, "=")
		if key != "" {
			f(unescapeArg(key), unescapeArg(value), hasValue)
		}
		if n++; n == max && more {
			return true
		}
		args = rest
	}
	return false
}

// decodeBase64 decodes as ngx_decode_base64: the alphabet up to the first '=' or
// the end; what follows an '=' does not matter.
func decodeBase64(s string) (string, bool) {
	n := 0
	for n < len(s) && s[n] != '=' {
		c := s[n]
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/') {
			return "", false
		}
		n++
	}
	if n%4 == 1 {
		return "", false
	}
	b, err := base64.RawStdEncoding.DecodeString(s[:n])
	return string(b), err == nil
}

func encodeBase64(s string, padding bool) string {
	if padding {
		return base64.StdEncoding.EncodeToString([]byte(s))
	}
	return base64.RawStdEncoding.EncodeToString([]byte(s))
}

// quoteSQL quotes a string for MySQL.
func quoteSQL(s string) string {
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
