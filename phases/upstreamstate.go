package phases

import (
	"strconv"
	"strings"
	"time"
)

// upstreamNote is what a request notes of the upstreams it asks.
var upstreamNote = newNote(func(u *upstreamRecord) {
	clear(u.tries)
	*u = upstreamRecord{tries: u.tries[:0]}
})

// upstreamRecord is the state of the newest upstream (r->upstream) and the attempts at
// all of them (r->upstream_states). An internal redirect leaves it.
type upstreamRecord struct {
	state upstreamState
	tries []upstreamTry
}

// newUpstreamState begins another upstream of the request.
func newUpstreamState(r *Request) *upstreamRecord {
	u := upstreamNote.of(r)
	u.state = upstreamState{}
	r.upstreamLog = &u.state
	return u
}

// separate parts the attempts at the upstream before from those that follow.
func (u *upstreamRecord) separate() {
	if len(u.tries) > 0 {
		u.tries = append(u.tries, upstreamTry{})
	}
}

// upstreamState is what a request notes about its upstream: for log lines, for
// variables and for the balancer.
type upstreamState struct {
	scheme    string // "http://"
	uri       string // that the upstream is asked for
	peer      string // address of the current attempt, "" before the first
	separator string // ":" behind the path of a unix socket in use
	headers   Headers

	// What the balancer is told and decides.
	named     string // host:port of the next attempt, "" for the upstream's own choice
	maxTries  int    // attempts that proxy_next_upstream_tries lets be, 0: any number
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

// LogName is how log lines name the upstream; "" before it was chosen.
func (s *upstreamState) LogName() string {
	if s.peer == "" {
		return ""
	}
	return s.scheme + s.peer + s.separator + s.uri
}

// upstreamList makes a variable that has an item for each attempt.
func upstreamList(item func(t *upstreamTry) string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		u := upstreamNote.get(r)
		if u == nil || len(u.tries) == 0 {
			return "", false
		}
		if len(u.tries) == 1 {
			return item(&u.tries[0]), true
		}
		var b strings.Builder
		for i := range u.tries {
			t := &u.tries[i]
			switch {
			case t.peer == "":
				b.WriteString(" : ")
				continue
			case i > 0 && u.tries[i-1].peer != "":
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
	}
	for i := range list {
		list[i].volatile = true
	}
	return list
}

// upstreamHeaders are the headers of the newest response.
func upstreamHeaders(r *Request) Headers {
	if u := upstreamNote.get(r); u != nil {
		return u.state.headers
	}
	return nil
}

// upstreamHeaderVar is $upstream_http_NAME: the first header of that name.
func upstreamHeaderVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		for _, h := range upstreamHeaders(r) {
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
		for _, h := range upstreamHeaders(r) {
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
