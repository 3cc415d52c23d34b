package upstream

import (
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Note is what a request notes of the upstreams it asks.
var Note = core.NewNote(func(u *Record) {
	clear(u.Tries)
	*u = Record{Tries: u.Tries[:0]}
})

// Record is the state of the newest upstream (r->upstream) and the attempts at
// all of them (r->upstream_states). An internal redirect leaves it.
type Record struct {
	State State
	Tries []Try
}

// NewRecord begins another upstream of the request.
func NewRecord(r *core.Request) *Record {
	u := Note.Of(r)
	u.State = State{}
	r.UpstreamLog = &u.State
	return u
}

// Separate parts the attempts at the upstream before from those that follow.
func (u *Record) Separate() {
	if len(u.Tries) > 0 {
		u.Tries = append(u.Tries, Try{})
	}
}

// State is what a request notes about its upstream: for log lines, for
// variables and for the balancer.
type State struct {
	Scheme    string // "http://"
	URI       string // that the upstream is asked for
	Current   string // address of the current attempt, "" before the first
	Separator string // ":" behind the path of a unix socket in use
	Headers   core.Headers
	Trailers  core.Headers // behind the body, where the protocol passes them on

	CacheStatus string // "HIT" and so on, "" without a cache
	revalidate  bool   // the response in the cache is asked for anew with
	tag         string // its entity tag
	modified    int64  // and its date, -1 without

	// What the balancer is told and decides.
	Named     string // host:port of the next attempt, "" for the upstream's own choice
	MaxTries  int    // attempts that next_upstream_tries lets be, 0: any number
	MoreTries int    // further attempts it grants
	Last      string // how the attempt before ended: "failed", "next", "" before any
	Runs      int    // of the balancer so far
	Tries     int    // attempts that are left
	Rebuild   bool   // the request is to be made anew
	Host      string // name that the peer must prove to have, "" for that of the location
	TLS       TLSChoice
	Local     net.Addr // of the connection, nil for that of the location
	Keep      *Keeping // what becomes of the connection, nil for what the block says
	Connect   time.Duration
	Send      time.Duration
	Read      time.Duration
}

// TLSChoice is whether a balancer wants its peer to be spoken to by TLS.
type TLSChoice uint8

// The zero value is what the location says.
const (
	TLSOfLocation TLSChoice = iota
	TLSOff
	TLSOn
)

// Try is one attempt at a peer. One without a peer parts those of one
// upstream from those of the next, after an internal redirect.
type Try struct {
	Peer     string
	Status   int
	Connect  time.Duration // until connected, NoTime before
	Header   time.Duration // until the head was read
	Response time.Duration // until the end
	Length   int64         // of the body, with its framing
	Received int64
	Sent     int64
}

// NoTime stands for a time that has not come.
const NoTime time.Duration = -1

// LogName is how log lines name the upstream; "" before it was chosen.
func (s *State) LogName() string {
	if s.Current == "" {
		return ""
	}
	return s.Scheme + s.Current + s.Separator + s.URI
}

// perTry makes a variable that has an item for each attempt.
func perTry(item func(t *Try) string) func(*core.Request) (string, bool) {
	return func(r *core.Request) (string, bool) {
		u := Note.Get(r)
		if u == nil || len(u.Tries) == 0 {
			return "", false
		}
		if len(u.Tries) == 1 {
			return item(&u.Tries[0]), true
		}
		var b strings.Builder
		for i := range u.Tries {
			t := &u.Tries[i]
			switch {
			case t.Peer == "":
				b.WriteString(" : ")
				continue
			case i > 0 && u.Tries[i-1].Peer != "":
				b.WriteString(", ")
			}
			b.WriteString(item(t))
		}
		return b.String(), true
	}
}

// timeOf makes a variable of times in seconds; "-" where there is none.
func timeOf(of func(t *Try) time.Duration) func(*core.Request) (string, bool) {
	return perTry(func(t *Try) string {
		if d := of(t); d != NoTime {
			return ngxtext.Milliseconds(d)
		}
		return "-"
	})
}

func countOf(of func(t *Try) int64) func(*core.Request) (string, bool) {
	return perTry(func(t *Try) string { return ngxtext.Itoa(of(t)) })
}

// variables are those of ngx_http_upstream_module.
func variables() []core.Variable {
	list := []core.Variable{
		{Name: "upstream_addr", Get: perTry(func(t *Try) string { return t.Peer })},
		{Name: "upstream_status", Get: perTry(func(t *Try) string {
			if t.Status == 0 {
				return "-"
			}
			return strconv.Itoa(t.Status)
		})},
		{Name: "upstream_connect_time", Get: timeOf(func(t *Try) time.Duration { return t.Connect })},
		{Name: "upstream_header_time", Get: timeOf(func(t *Try) time.Duration { return t.Header })},
		{Name: "upstream_response_time", Get: timeOf(func(t *Try) time.Duration { return t.Response })},
		{Name: "upstream_response_length", Get: countOf(func(t *Try) int64 { return t.Length })},
		{Name: "upstream_bytes_received", Get: countOf(func(t *Try) int64 { return t.Received })},
		{Name: "upstream_bytes_sent", Get: countOf(func(t *Try) int64 { return t.Sent })},
		{Name: "upstream_cache_status", Get: ofState(func(s *State) (string, bool) { return s.CacheStatus, s.CacheStatus != "" })},
		{Name: "upstream_cache_last_modified", Hidden: true, Get: ofState((*State).cachedDate)},
		{Name: "upstream_cache_etag", Hidden: true, Get: ofState((*State).cachedTag)},
	}
	for i := range list {
		list[i].Volatile = true
	}
	return list
}

// ofState makes a variable of the newest upstream.
func ofState(of func(s *State) (string, bool)) func(*core.Request) (string, bool) {
	return func(r *core.Request) (string, bool) {
		if u := Note.Get(r); u != nil {
			return of(&u.State)
		}
		return "", false
	}
}

// cachedTag is $upstream_cache_etag: of a response that is to be asked for anew.
func (s *State) cachedTag() (string, bool) {
	if !s.asksAnew() || s.tag == "" {
		return "", false
	}
	return s.tag, true
}

// cachedDate is $upstream_cache_last_modified.
func (s *State) cachedDate() (string, bool) {
	if !s.asksAnew() || s.modified == -1 {
		return "", false
	}
	return ngxtext.FormatHTTPTime(s.modified), true
}

// asksAnew tells whether a response is asked for whose time in the cache is over, by what is
// known of it.
func (s *State) asksAnew() bool { return s.revalidate && s.CacheStatus == cacheExpired }

// headers are the headers of the newest response.
func headers(r *core.Request) core.Headers {
	if u := Note.Get(r); u != nil {
		return u.State.Headers
	}
	return nil
}

// headerVar is $upstream_http_NAME.
func headerVar(name string) func(*core.Request) (string, bool) {
	return func(r *core.Request) (string, bool) { return r.HeaderVar(headers(r), name) }
}

// trailerVar is $upstream_trailer_NAME.
func trailerVar(name string) func(*core.Request) (string, bool) {
	return func(r *core.Request) (string, bool) {
		if u := Note.Get(r); u != nil {
			return core.HeaderByVar(u.State.Trailers, name, ", ")
		}
		return "", false
	}
}

// cookieVar is $upstream_cookie_NAME: the value that Set-Cookie gives a
// cookie (ngx_http_parse_set_cookie_lines).
func cookieVar(name string) func(*core.Request) (string, bool) {
	return func(r *core.Request) (string, bool) {
		for _, h := range headers(r) {
			if !ngxtext.EqualFold(h.Name, "Set-Cookie") || len(h.Value) <= len(name) || !ngxtext.EqualFold(h.Value[:len(name)], name) {
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
