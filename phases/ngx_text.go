package phases

import (
	"encoding/base64"
	"strings"
	"time"
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

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
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

// cookieTime formats seconds as the Expires of a cookie; years after 2037 take
// four digits (ngx_http_cookie_time).
func cookieTime(sec int64) string {
	t := time.Unix(max(sec, 0), 0).UTC()
	if t.Year() > 2037 {
		return t.Format("Mon, 02-Jan-2006 15:04:05 GMT")
	}
	return t.Format("Mon, 02-Jan-06 15:04:05 GMT")
}

// httpTimeKind is one of the three layouts a date in HTTP may have.
type httpTimeKind uint8

const (
	rfc822  httpTimeKind = iota // Sun, 06 Nov 1994 08:49:37 GMT
	rfc850                      // Sunday, 06-Nov-94 08:49:37 GMT
	asctime                     // Sun Nov  6 08:49:37 1994
)

// parseHTTPTime reads a date as loosely as ngx_parse_http_time does: the day's
// name and the zone are not looked at, and of a month only what tells it apart.
func parseHTTPTime(s string) (int64, bool) {
	kind := rfc822
	i := strings.IndexAny(s, ", ")
	if i < 0 {
		return 0, false
	}
	if s[i] == ' ' {
		kind = asctime
	}
	p := httpTimeReader{s: strings.TrimLeft(s[i+1:], " "), ok: true}
	if len(p.s) < 18 {
		return 0, false
	}
	day, month, year := 0, 0, 0
	if kind != asctime {
		day = p.digits(2)
		if p.s[0] == '-' {
			kind = rfc850
			p.skip('-')
		} else if p.skip(' '); len(p.s) < 17 {
			return 0, false
		}
	}
	month = p.month()
	switch kind {
	case rfc822:
		p.skip(' ')
		year = p.digits(4)
	case rfc850:
		p.skip('-')
		if year = p.digits(2) + 1900; year < 1970 {
			year += 100
		}
	case asctime:
		p.skip(' ')
		day = p.asctimeDay()
	}
	p.skip(' ')
	hour := p.digits(2)
	p.skip(':')
	minute := p.digits(2)
	p.skip(':')
	sec := p.digits(2)
	if kind == asctime {
		p.skip(' ')
		year = p.digits(4)
	}
	if !p.ok || hour > 23 || minute > 59 || sec > 59 {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, sec, 0, time.UTC)
	if t.Day() != day {
		return 0, false
	}
	return t.Unix(), true
}

// httpTimeReader takes a date apart; ok turns false at the first thing that does
// not fit.
type httpTimeReader struct {
	s  string
	ok bool
}

func (p *httpTimeReader) take(n int) string {
	if len(p.s) < n {
		p.ok = false
		p.s = ""
		return "\x00\x00\x00\x00"[:n]
	}
	t := p.s[:n]
	p.s = p.s[n:]
	return t
}

func (p *httpTimeReader) skip(c byte) {
	if p.take(1)[0] != c {
		p.ok = false
	}
}

func (p *httpTimeReader) digits(n int) int {
	v := 0
	for _, c := range []byte(p.take(n)) {
		if c < '0' || c > '9' {
			p.ok = false
			return 0
		}
		v = v*10 + int(c-'0')
	}
	return v
}

func (p *httpTimeReader) asctimeDay() int {
	p.s = strings.TrimPrefix(p.s, " ")
	if len(p.s) > 1 && p.s[1] == ' ' {
		return p.digits(1)
	}
	return p.digits(2)
}

func (p *httpTimeReader) month() int {
	m := p.take(3)
	pick := func(at int, c byte, yes, no int) int {
		if m[at] == c {
			return yes
		}
		return no
	}
	switch m[0] {
	case 'J':
		return pick(1, 'a', 1, pick(2, 'n', 6, 7))
	case 'F':
		return 2
	case 'M':
		return pick(2, 'r', 3, 5)
	case 'A':
		return pick(1, 'p', 4, 8)
	case 'S':
		return 9
	case 'O':
		return 10
	case 'N':
		return 11
	case 'D':
		return 12
	}
	p.ok = false
	return 1
}
