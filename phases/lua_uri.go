package phases

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	rt "github.com/moonphase/moonphase/runtime"
)

// unsafeByte finds a byte that has no place in a URI: a control character other
// than the tab.
func unsafeByte(s string) (byte, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7F {
			return s[i], true
		}
	}
	return 0, false
}

// escapeUnsafe shows control characters as \xHH, for log lines and messages.
func escapeUnsafe(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7F {
			fmt.Fprintf(&b, "\\x%02X", s[i])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func ngxEscapeURI(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := textOrEmpty(th, rt.ArgAt(args, 0))
	kind := escapeTypeComponent
	if v := rt.ArgAt(args, 1); !v.IsNil() {
		if !v.IsNumber() {
			raiseAt(th, 2, "\"type\" is not a number")
		}
		if !(v.Num() >= 0 && v.Num() <= 6) {
			raiseAt(th, 2, "\"type\" "+rt.NumberString(v.Num())+" out of range")
		}
		kind = int(v.Num())
	}
	return rt.String(luaEscapeURI(s, kind)), 1
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

// ngxSetURI is ngx.req.set_uri(uri, jump, binary).
func ngxSetURI(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n < 1 || n > 3 {
		th.Errorf("expecting 1, 2 or 3 arguments but seen %d", n)
	}
	r := requestOf(th)
	uri := th.CheckString(args, 0)
	if uri == "" {
		th.Errorf("attempt to use zero-length uri")
	}
	jump := optBool(th, args, 1)
	binary := optBool(th, args, 2)
	if jump {
		gate(th, apiJump, noRequest)
	}
	if !binary {
		if c, bad := unsafeByte(uri); bad {
			th.Errorf("unsafe byte \"0x%02x\" in uri \"%s\" (maybe you want to set the 'binary' argument?)", c, escapeUnsafe(uri))
		}
	}
	if jump {
		checkPending(th, 0)
	}
	r.URI = uri
	r.ValidUnparsedURI = false
	r.Internal = true
	if !jump {
		r.ValidLocation, r.URIChanged = false, false
		return rt.Nil, 0
	}
	r.URIChanged = true
	r.Logf(errlog.Debug, "lua set uri jump to \"%s\"", uri)
	panic(luaJump{})
}
