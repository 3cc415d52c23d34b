package upstream

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/filecache"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// freshness is what the headers of a response say of how long it may be kept.
type freshness struct {
	valid    int64 // until when it may be served, seconds of Unix; 0: not said
	updating int64 // seconds behind that: stale-while-revalidate
	failing  int64 // likewise: stale-if-error
	vary     string

	never   bool // it must not be kept, whatever else there is
	noCache bool // Cache-Control says so; X-Accel-Expires may overrule that
	expired bool // Expires is over; likewise
	accel   bool // X-Accel-Expires was there
}

// keepable tells whether the headers let the response be kept.
func (f *freshness) keepable() bool { return !f.never && !f.noCache && !f.expired }

// read takes what headers say. Its valid and the like stay where these say nothing.
func (f *freshness) read(x *Exchange, headers core.Headers) {
	now := time.Now().Unix()
	f.accel, f.noCache, f.expired, f.vary = false, false, false, ""
	for i := range headers {
		name, value := ngxtext.Lower(headers[i].Name), headers[i].Value
		switch name {
		case "x-accel-expires", "cache-control", "expires", "set-cookie", "vary":
		default:
			continue
		}
		if name == "x-accel-expires" {
			f.accel = true // nginx looks whether it is there before it is ignored
		}
		if x.Conf.ignoresHeader(name) {
			continue
		}
		switch name {
		case "x-accel-expires":
			f.accelExpires(value, now)
		case "cache-control":
			f.cacheControl(x, value, now)
		case "expires":
			f.expires(value, now)
		case "set-cookie":
			f.never = true
		case "vary":
			if f.vary != "" {
				value = f.vary + ", " + value
			}
			f.vary = value
			f.never = f.never || len(value) > filecache.MaxVary || headers[i].Value == "*"
		}
		if !x.R.Cycle.Stack.Has(compat.ExpiryInAnyOrder) && (f.noCache || f.expired) {
			f.never = true
		}
	}
}

// accelExpires obeys X-Accel-Expires: SECONDS, or @TIME since the epoch.
func (f *freshness) accelExpires(value string, now int64) {
	at, absolute := strings.CutPrefix(value, "@")
	n, ok := ngxtext.ParseDecimal(at)
	switch {
	case !ok:
		return
	case absolute:
		f.valid = n
	case n == 0:
		f.never = true
		return
	default:
		f.valid = now + min(n, math.MaxInt64-now)
	}
	f.noCache, f.expired = false, false
}

// expires obeys Expires, where nothing else has said how long.
func (f *freshness) expires(value string, now int64) {
	if f.valid != 0 {
		return
	}
	t, ok := ngxtext.ParseHTTPTime(value)
	if !ok || t < now {
		f.expired = true
		return
	}
	f.valid = t
}

// cacheControl obeys Cache-Control (ngx_http_upstream_process_cache_control).
func (f *freshness) cacheControl(x *Exchange, value string, now int64) {
	value = ngxtext.Lower(value)
	overruled := f.valid != 0 && f.accel
	if overruled && !x.R.Cycle.Stack.Has(compat.ExpiryInAnyOrder) {
		return
	}
	if !overruled {
		for _, word := range []string{"no-cache", "no-store", "private"} {
			if strings.Contains(value, word) {
				f.noCache = true
				return
			}
		}
		n, said, ok := secondsOf(value, "s-maxage=")
		if !said {
			n, said, ok = secondsOf(value, "max-age=")
		}
		switch {
		case !said:
		case !ok:
			f.never = true
			return
		case n == 0:
			f.noCache = true
			return
		default:
			f.valid, f.expired = now+min(n, math.MaxInt64/4), false
		}
	}
	if n, said, ok := secondsOf(value, "stale-while-revalidate="); said {
		if !ok {
			f.never = true
			return
		}
		f.updating, f.failing = n, n
	}
	if n, said, ok := secondsOf(value, "stale-if-error="); said {
		if !ok {
			f.never = true
			return
		}
		f.failing = n
	}
}

// secondsOf is the number behind a word of Cache-Control. What is too large for a number is
// as large as can be.
func secondsOf(value, word string) (n int64, said, ok bool) {
	_, rest, said := strings.Cut(value, word)
	if !said {
		return 0, false, false
	}
	if i := strings.IndexAny(rest, ",; "); i >= 0 {
		rest = rest[:i]
	}
	for i := range len(rest) {
		if !isDigit(rest[i]) {
			return 0, true, false
		}
		n = min(n, math.MaxInt64/100)*10 + int64(rest[i]-'0')
	}
	return min(n, math.MaxInt64/4), true, true
}

// encodeHead is the form that the head of a response has in the cache.
func encodeHead(h *ResponseHead) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(h.Status))
	b.WriteByte('\n')
	b.WriteString(h.Line)
	b.WriteByte('\n')
	b.WriteString(strconv.FormatInt(h.Length, 10))
	b.WriteByte('\n')
	for i := range h.Headers {
		b.WriteString(h.Headers[i].Name)
		b.WriteString(": ")
		b.WriteString(h.Headers[i].Value)
		b.WriteByte('\n')
	}
	return b.String()
}

// decodeHead reads what encodeHead made.
func decodeHead(text string) (h ResponseHead, ok bool) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return h, false
	}
	var err, err2 error
	h.Status, err = strconv.Atoi(lines[0])
	h.Length, err2 = strconv.ParseInt(lines[2], 10, 64)
	if err != nil || err2 != nil {
		return h, false
	}
	h.Line = lines[1]
	lines = lines[3 : len(lines)-1]
	h.Headers = make(core.Headers, 0, len(lines))
	for _, line := range lines {
		name, value, found := strings.Cut(line, ": ")
		if !found {
			return h, false
		}
		h.Headers = append(h.Headers, core.Header{Name: name, Value: value})
	}
	return h, true
}
