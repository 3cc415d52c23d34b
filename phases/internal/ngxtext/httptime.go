package ngxtext

import (
	"strings"
	"time"
)

// HTTPTimeFormat is RFC 1123's, always in GMT.
const HTTPTimeFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// FormatHTTPTime renders Unix seconds as HTTP headers do.
func FormatHTTPTime(unix int64) string { return time.Unix(unix, 0).UTC().Format(HTTPTimeFormat) }

// CookieTime formats seconds as the Expires of a cookie; years after 2037 take
// four digits (ngx_http_cookie_time).
func CookieTime(sec int64) string {
	t := time.Unix(max(sec, 0), 0).UTC()
	if t.Year() > 2037 {
		return t.Format("Mon, 02-Jan-2006 15:04:05 GMT")
	}
	return t.Format("Mon, 02-Jan-06 15:04:05 GMT")
}

// HTTPTimeKind is one of the three layouts a date in HTTP may have.
type HTTPTimeKind uint8

const (
	rfc822  HTTPTimeKind = iota // Sun, 06 Nov 1994 08:49:37 GMT
	rfc850                      // Sunday, 06-Nov-94 08:49:37 GMT
	asctime                     // Sun Nov  6 08:49:37 1994
)

// ParseHTTPTime reads a date as loosely as ngx_parse_http_time does: the day's
// name and the zone are not looked at, and of a month only what tells it apart.
func ParseHTTPTime(s string) (int64, bool) {
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
