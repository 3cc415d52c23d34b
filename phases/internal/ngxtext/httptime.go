package ngxtext

import "time"

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
