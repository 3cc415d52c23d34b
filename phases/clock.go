package phases

import (
	"sync/atomic"
	"time"
)

// cachedTime is a formatted second, shared by all requests of that second.
type cachedTime struct {
	unix int64
	text string
}

// httpDateCache holds the text of the Date header; it is remade once a second.
var httpDateCache atomic.Pointer[cachedTime]

// httpTimeFormat is RFC 1123's, always in GMT.
const httpTimeFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// httpDate is now as the Date header gives it.
func httpDate(now time.Time) string {
	unix := now.Unix()
	if c := httpDateCache.Load(); c != nil && c.unix == unix {
		return c.text
	}
	text := now.UTC().Format(httpTimeFormat)
	httpDateCache.Store(&cachedTime{unix, text})
	return text
}

// formatHTTPTime renders Unix seconds as HTTP headers do.
func formatHTTPTime(unix int64) string { return time.Unix(unix, 0).UTC().Format(httpTimeFormat) }
