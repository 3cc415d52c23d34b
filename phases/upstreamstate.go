package phases

import (
	"strconv"
	"strings"
	"time"
)

// upstreamState is what a request notes about its upstream: for log lines, for
// variables and for balancer_by_lua.
type upstreamState struct {
	target    *proxyTarget
	uri       string // that the upstream is asked for
	peer      string // address of the current attempt, "" before the first
	separator string // ":" behind the path of a unix socket in use
	headers   Headers

	// What balancer_by_lua decides.
	Peer      string // host:port of the next attempt, "" for the upstream's own choice
	moreTries int    // further attempts it grants
	last      string // how the attempt before ended: "failed", "next", "" before any
	runs      int    // of the balancer so far
	tries     int    // attempts that are left
	rebuild   bool   // the request is to be made anew
	connect   time.Duration
	send      time.Duration
	read      time.Duration
}

// upstreamTry is one attempt at a peer. One without a peer parts those of one
// upstream from those of the next, after an internal redirect.
type upstreamTry struct {
	peer     string
	status   int
	connect  time.Duration // until connected, noTime before
	header   time.Duration // until the head was read
	response time.Duration // until the end
	length   int64         // of the body, with its framing
	received int64
	sent     int64
}

// noTime stands for a time that has not come.
const noTime time.Duration = -1

// logName is how log lines name the upstream; "" before it was chosen.
func (s *upstreamState) logName() string {
	if s == nil || s.peer == "" {
		return ""
	}
	return s.target.scheme() + s.peer + s.separator + s.uri
}

// upstreamList makes a variable that has an item for each attempt.
func upstreamList(item func(t *upstreamTry) string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if len(r.tries) == 0 {
			return "", false
		}
		if len(r.tries) == 1 {
			return item(&r.tries[0]), true
		}
		var b strings.Builder
		for i := range r.tries {
			t := &r.tries[i]
			switch {
			case t.peer == "":
				b.WriteString(" : ")
				continue
			case i > 0 && r.tries[i-1].peer != "":
				b.WriteString(", ")
			}
			b.WriteString(item(t))
		}
		return b.String(), true
	}
}

// upstreamTime makes a variable of times in seconds; "-" where there is none.
func upstreamTime(of func(t *upstreamTry) time.Duration) func(*Request) (string, bool) {
	return upstreamList(func(t *upstreamTry) string {
		if d := of(t); d != noTime {
			return milliseconds(d)
		}
		return "-"
	})
}

func upstreamCount(of func(t *upstreamTry) int64) func(*Request) (string, bool) {
	return upstreamList(func(t *upstreamTry) string { return itoa(of(t)) })
}

// upstreamVariables are those of ngx_http_upstream_module.
func upstreamVariables() []variable {
	list := []variable{
		{name: "upstream_addr", get: upstreamList(func(t *upstreamTry) string { return t.peer })},
		{name: "upstream_status", get: upstreamList(func(t *upstreamTry) string {
			if t.status == 0 {
				return "-"
			}
			return strconv.Itoa(t.status)
		})},
		{name: "upstream_connect_time", get: upstreamTime(func(t *upstreamTry) time.Duration { return t.connect })},
		{name: "upstream_header_time", get: upstreamTime(func(t *upstreamTry) time.Duration { return t.header })},
		{name: "upstream_response_time", get: upstreamTime(func(t *upstreamTry) time.Duration { return t.response })},
		{name: "upstream_response_length", get: upstreamCount(func(t *upstreamTry) int64 { return t.length })},
		{name: "upstream_bytes_received", get: upstreamCount(func(t *upstreamTry) int64 { return t.received })},
		{name: "upstream_bytes_sent", get: upstreamCount(func(t *upstreamTry) int64 { return t.sent })},
		{name: "upstream_cache_status", get: func(*Request) (string, bool) { return "", false }}, // there is no cache
		{name: "proxy_add_x_forwarded_for", get: always(forwardedFor)},
		{name: "proxy_host", get: proxyVar(func(t *proxyTarget) string { return t.host })},
		{name: "proxy_port", get: proxyVar(func(t *proxyTarget) string { return t.port })},
	}
	for i := range list {
		list[i].volatile = true
	}
	return list
}

// upstreamHeaderVar is $upstream_http_NAME: the first header of that name.
func upstreamHeaderVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if r.upstream == nil {
			return "", false
		}
		for _, h := range r.upstream.headers {
			if sameAsVar(h.Name, name) {
				return h.Value, true
			}
		}
		return "", false
	}
}

// upstreamCookieVar is $upstream_cookie_NAME: the value that Set-Cookie gives a
// cookie (ngx_http_parse_set_cookie_lines).
func upstreamCookieVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if r.upstream == nil {
			return "", false
		}
		for _, h := range r.upstream.headers {
			if !equalFold(h.Name, "Set-Cookie") || len(h.Value) <= len(name) || !equalFold(h.Value[:len(name)], name) {
				continue
			}
			value, ok := strings.CutPrefix(strings.TrimLeft(h.Value[len(name):], " "), "=")
			if ok {
				value, _, _ = strings.Cut(strings.TrimLeft(value, " "), ";")
				return value, true
			}
		}
		return "", false
	}
}

// proxyVar makes a variable of the proxy_pass that answers the request; it has
// none before its handler runs.
func proxyVar(of func(t *proxyTarget) string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if r.Loc.proxyPass == nil || r.upstream == nil {
			return "", false
		}
		return of(r.upstream.target), true
	}
}
