package phases

import (
	"fmt"
	"sync"
	"time"
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
	HTTPMajor   int
	HTTPMinor   int
	In          Headers
	Host        string // Host header: validated, lower case, no port
	HeaderBytes int64  // size of the head on the wire

	// ContentLength is the declared size of the body, -1 when there is none;
	// Chunked says that the body comes in chunks.
	ContentLength int64
	Chunked       bool
	KeepAlive     bool // the client's wish until the header filter decides
	Body          RequestBody

	Out Response

	// Places in the configuration.
	Cycle  *Cycle
	Server *Server
	Loc    *Location // current configuration: the location's, or an `if` block's

	Conn   Downstream // of the main request; nil inside captures without one
	Main   *Request   // the main request; r.Main == r in a main request
	Parent *Request   // nil in a main request

	Start time.Time

	// Engine state.
	Internal         bool // may enter `internal` locations
	URIChanged       bool // a rewrite asked for a new location search
	ValidLocation    bool // URI still is what found the location
	ValidUnparsedURI bool // RequestURI still says what URI says
	URIChanges       int  // internal redirects left
	ErrorPage        bool // an error_page answer is being made
	HeaderOnly       bool // no body goes out: HEAD, 204, 304
	HeadersSent      bool
	Captures         []string // of the last regex: $0, $1, ...

	vars []varSlot
	lua  luaRequest
}

// varSlot is the value of one indexed variable in a request.
type varSlot struct {
	value string
	set   bool // value is valid
	none  bool // known to have no value ("not found")
}

// IsSubrequest reports whether r was made by another request.
func (r *Request) IsSubrequest() bool { return r.Parent != nil }

var requestPool = sync.Pool{New: func() any { return new(Request) }}

// Logf writes a line to the request's error log, with the request described
// behind it as nginx does.
func (r *Request) Logf(level LogLevel, format string, args ...any) {
	log := r.Cycle.Log
	if log == nil || !log.Enabled(level) {
		return
	}
	r.Log(level, fmt.Sprintf(format, args...))
}

// Log is Logf for a text that is complete.
func (r *Request) Log(level LogLevel, msg string) {
	if log := r.Cycle.Log; log != nil && log.Enabled(level) {
		log.Output(level, 0, msg)
	}
}
