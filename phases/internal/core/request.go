package core

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/regex"
)

// Request is one main request or subrequest. Requests are pooled: nothing may
// keep one after Serve has returned. While Lua code of the request runs, its
// fields belong to the holder of the worker's baton; otherwise to the
// goroutine that runs the phases.
type Request struct {
	// The request as it came in. URI is decoded and normalised, without
	// arguments; RequestURI is the text of the request line.
	Method      string
	URI         string
	Args        string
	RequestURI  string
	RequestLine string // "GET / HTTP/1.1", for $request and log lines
	HeaderText  string // the raw head with request line, for ngx.req.raw_header
	Protocol    string // "HTTP/1.1" as it came, "" for HTTP/0.9
	HTTPMajor   int
	HTTPMinor   int
	In          Headers
	Host        string // Host header: validated, lower case, no port
	Port        string // what stood behind the colon of Host
	HeaderBytes int64  // size of the head on the wire
	Pipelined   bool   // it had come when the request before was being answered

	// ContentLength is the declared size of the body, -1 when there is none;
	// Chunked says that the body comes in chunks.
	ContentLength int64
	Chunked       bool
	KeepAlive     bool // the client's wish until the header filter decides
	Body          RequestBody

	Out Response

	// Places in the configuration.
	Cycle  *Cycle
	Listen *Listen
	Server *Server
	Loc    *Location // current configuration: the location's, or an `if` block's

	Conn   Downstream // of the main request
	Main   *Request   // the main request; r.Main == r in a main request
	parent *Request   // nil in a main request
	client net.Addr   // of a main request: see ClientAddr

	Start time.Time

	// State of the phases.
	Internal         bool // may enter `internal` locations
	URIChanged       bool // a rewrite asked for a new location search
	ValidLocation    bool // URI still is what found the location
	URIBehindAlias   bool // URI goes behind the alias of a regex location (try_files)
	ValidUnparsedURI bool // RequestURI still says what URI says
	uriChanges       int  // internal redirects left, plus one
	Depth            int  // subrequests may still nest this deep
	errorPage        bool // an error_page answer is being made
	postAction       bool // the client has its answer, and a post_action runs
	ErrStatus        int  // status of the error page; replaces Out.Status
	HeaderOnly       bool // no body goes out: HEAD, 204, 304
	HeadersSent      bool
	Terminated       bool     // given up: nothing more is sent
	defective        bool     // Go code panicked; the answer is an error page or cut
	finishing        bool     // the phases are over
	clientGone       bool     // nothing more can be sent (c->error)
	SendTimedOut     bool     // the client did not take the answer in time
	Killed           int      // main request: what a subrequest gave up with, which ends this request too
	Captures         []string // of the last regex: $0, $1, ... up to the last group that took part

	Action       string  // what log lines say it is doing, " while ..."
	next         Phase   // where a jump goes on
	handler      Handler // of the current location
	ScriptStatus int     // what the running rewrite script answers
	ScriptLog    bool    // rewrite_log where the script began
	Vars         []VarSlot
	sharesVars   bool // Vars is the parent's
	expectTested bool
	regexInput   regex.Input
	regexPlaces  []int
	EmptyArgs    bool // Args is "" and not absent
	debug        bool // see debugged
	noServer     bool // a regex of server_name gave up

	// State of the output.
	InMemory    bool // the response of a subrequest that goes to no client
	Detached    bool // a subrequest in the background
	cloned      bool // see SubrequestOptions.Clone
	OutputEnded bool
	Logging     bool // the log phase: the answer is done and, for nginx, keep-alive spent
	// FilterFinalized: a header filter answered with an error page; the
	// connection ends with it.
	FilterFinalized bool
	finalizes       int       // times that happened
	headLoc         *Location // where the request was when its head was sent
	ChunkedOut      bool
	lastChunk       bool
	RawSocket       bool // Lua writes the connection itself
	VaryEncoding    bool // the answer is another one for clients that take gzip (r->gzip_vary)
	gzipTested      bool // gzipOK is known
	gzipOK          bool
	Trailers        bool // fields follow the body (add_trailer)
	SentTrailers    []Header
	HeadBuf         []byte // room for the head, and then for a chunk
	BodySent        int64  // on the wire, transfer coding included
	BytesSent       int64
	rate            int64 // of the response, bytes a second; once rateSet
	rateSet         bool
	BodyReceived    int64 // on the wire, as far as something has asked for the body

	UpstreamLog interface{ LogName() string } // how log lines name the upstream, "" for not at all

	notes []any  // of modules, by Note; a value stays when the request is pooled
	noted uint32 // those in use

	background   *sync.WaitGroup  // of subrequests that run beside it, nil for none
	cleanups     []func(*Request) // before the log phase: see OnEnd
	poolCleanups []func(*Request) // behind it: see OnFree

	// Of a subrequest.
	Baton      Baton                      // that its phases run under, nil for none
	TakesBaton bool                       // RunSubrequest takes and releases it
	Post       func(sub *Request, rc int) // told what it ended with; nil when nobody asked for it
	OwnBody    *RequestBody               // instead of the main request's
	into       *[]byte                    // gets the body instead of the client
	Unwatched  bool                       // its client is the business of who made it
}

// Baton is what the phases of a subrequest run under when those who made it share
// values with them. A wait puts it down.
type Baton interface {
	Acquire()
	Release()
}

// VarSlot is the value of one indexed variable in a request.
type VarSlot struct {
	value string
	set   bool // value is valid
	none  bool // known to have no value ("not found")
}

var requestPool = sync.Pool{New: func() any { return new(Request) }}

// NewRequest takes a request for a connection from the pool. The caller fills
// in what the head says and calls Serve.
func (c *Cycle) NewRequest(conn Downstream, listen *Listen) *Request {
	r := requestPool.Get().(*Request)
	r.Cycle, r.Conn, r.Listen, r.Server = c, conn, listen, listen.Default
	r.debug = c.Main.debugged.has(conn)
	r.ContentLength = -1
	r.Depth = maxSubrequests + 1
	r.resetVars()
	return r
}

// Release gives the request back; the caller must not use it afterwards.
func (r *Request) Release() {
	runCleanups(&r.cleanups, r)
	runCleanups(&r.poolCleanups, r)
	r.dropNotes()
	clear(r.In)
	clear(r.Captures)
	if r.sharesVars {
		r.Vars = nil
	}
	clear(r.Vars)
	clear(r.Out.Headers)
	in, out, captures, vars, head := r.In[:0], r.Out.Headers[:0], r.Captures[:0], r.Vars[:0], r.HeadBuf[:0]
	input, places, notes := r.regexInput, r.regexPlaces, r.notes
	cleanups, poolCleanups := r.cleanups, r.poolCleanups
	*r = Request{} // in place; a literal with the fields below would be made elsewhere and copied
	r.In, r.Out.Headers, r.Captures, r.Vars, r.HeadBuf = in, out, captures, vars, head
	r.regexInput, r.regexPlaces, r.notes = input, places, notes
	r.cleanups, r.poolCleanups = cleanups, poolCleanups
	requestPool.Put(r)
}

// OnEnd calls f when the main request has ended, before it is logged
// (ngx_http_cleanup_add).
func (r *Request) OnEnd(f func(main *Request)) { r.Main.cleanups = append(r.Main.cleanups, f) }

// OnFree calls f when the main request has been logged (ngx_pool_cleanup_add). A
// subrequest may not be there any more.
func (r *Request) OnFree(f func(main *Request)) {
	r.Main.poolCleanups = append(r.Main.poolCleanups, f)
}

// runCleanups calls the functions of a list, the last one first, and empties it.
func runCleanups(list *[]func(*Request), r *Request) {
	for len(*list) > 0 {
		last := len(*list) - 1
		f := (*list)[last]
		(*list)[last] = nil
		*list = (*list)[:last]
		f(r)
	}
}

// IsSubrequest reports whether r was made by another request.
func (r *Request) IsSubrequest() bool { return r.parent != nil }

// Wait runs f, which waits for the network or a timer, without the baton when
// the phases of r run under one (see Subrequest).
func (r *Request) Wait(f func()) {
	if b := r.Baton; b != nil {
		b.Release()
		defer b.Acquire()
	}
	f()
}

// Sleep waits for d without the baton. It ends early, and reports false, when the
// client goes away (ngx_http_test_reading).
func (r *Request) Sleep(d time.Duration) bool {
	r.FlushBeforeWait()
	alive := true
	r.Wait(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		var gone <-chan struct{}
		if r.Main.Conn != nil {
			gone = r.Main.Conn.Aborted()
		}
		select {
		case <-timer.C:
		case <-gone:
			alive = false
		}
	})
	if !alive {
		r.Log(errlog.Info, "client prematurely closed connection")
	}
	return alive
}

// LogEnabled reports whether a line of this level would be written. Debug lines of
// every request ask before they call Logf, whose arguments cost allocations.
func (r *Request) LogEnabled(level errlog.Level) bool {
	log := r.Logger()
	return log != nil && log.Enabled(level)
}

// Logf writes a line to the request's error log, with the request described
// behind it as nginx does.
func (r *Request) Logf(level errlog.Level, format string, args ...any) {
	if r.LogEnabled(level) {
		r.Log(level, fmt.Sprintf(format, args...))
	}
}

// Log is Logf for a text that is complete.
func (r *Request) Log(level errlog.Level, msg string) {
	log := r.Logger()
	if log == nil || !log.Enabled(level) {
		return
	}
	var number int64
	if r.Conn != nil {
		number = r.Conn.Number()
	}
	if level != errlog.Debug {
		msg += r.Action + r.logSuffix()
	}
	log.Output(level, number, msg)
}

// Logger is the error log that holds where the request is.
func (r *Request) Logger() errlog.Logger {
	log := r.placeLog()
	if r.debug {
		if l, ok := log.(*errlog.Log); ok {
			return debugLog{l}
		}
	}
	return log
}

// placeLog is Logger for a client that is not debugged.
func (r *Request) placeLog() errlog.Logger {
	switch {
	case r.Loc != nil && r.Loc.ErrorLog.V != nil:
		return r.Loc.ErrorLog.V
	case r.Cycle == nil: // stands in for one that has not been read
		return nil
	}
	if r.Loc == nil && r.Server != nil && r.Server.Loc.ErrorLog.V != nil {
		return r.Server.Loc.ErrorLog.V
	}
	return r.Cycle.Log
}

// logSuffix describes the client and the request behind a log line
// (ngx_http_log_error_handler).
func (r *Request) logSuffix() string {
	m := r.Main
	if m == nil {
		m = r
	}
	var b []byte
	if m.Conn != nil {
		b = append(b, ", client: "...)
		b = append(b, AddrHost(m.ClientAddr())...)
	}
	if m.Server != nil {
		b = append(b, ", server: "...)
		b = append(b, m.Server.Name...)
	}
	if m.RequestLine != "" {
		b = append(b, ", request: \""...)
		b = append(b, m.RequestLine...)
		b = append(b, '"')
	}
	if r != m {
		b = append(b, ", subrequest: \""...)
		b = append(b, r.URI...)
		b = append(b, '"')
	}
	if r.UpstreamLog != nil {
		if name := r.UpstreamLog.LogName(); name != "" {
			b = append(b, ", upstream: \""...)
			b = append(b, name...)
			b = append(b, '"')
		}
	}
	if host, ok := m.In.Get("Host"); ok {
		b = append(b, ", host: \""...)
		b = append(b, host...)
		b = append(b, '"')
	}
	if referer, ok := m.In.Get("Referer"); ok {
		b = append(b, ", referrer: \""...)
		b = append(b, referer...)
		b = append(b, '"')
	}
	return string(b)
}

const ClientTimedOut = "client timed out (110: Connection timed out)"
