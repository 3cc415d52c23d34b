// Package http1 reads the requests of HTTP/0.9, 1.0 and 1.1 that come in on
// a net.Conn. It accepts and refuses what nginx 1.22.1 does: which bytes
// may stand where, which headers may come twice, how a path is decoded, how long
// a line may be, and with which status and log line a bad request ends. The
// answers were recorded from nginx itself (testdata/nginx.jsonl).
//
// Nothing here knows locations, phases or Lua; package phases joins the two.
package http1

import (
	"math"
	"strings"
)

// Field is one header line, its name in the case it came in.
type Field struct {
	Name, Value string
}

// Head is the head of one request. Its strings share the memory of Text. A Head
// is reused from request to request: Fields keeps its capacity.
type Head struct {
	Text string // request line and header lines, as they came
	Line string // the request line without its line end
	Size int    // bytes of the head that were looked at: all of them, or up to what is wrong

	AsksHead bool // of a line that is refused, where Method is not known: it begins with HEAD

	Method string
	Target string // of the request line, without scheme and host
	Path   string // decoded and normalised
	Args   string // behind the "?"
	Proto  string // "HTTP/1.1" as it came, "" for HTTP/0.9
	Major  int    // 0 for HTTP/0.9
	Minor  int

	Fields []Field

	// Host is the validated name: lower case, without port and final dot, and Port
	// what stood behind its colon. An absolute target's host wins over the Host header.
	// HasHost tells whether there was a Host header.
	Host    string
	Port    string
	HasHost bool

	ContentLength int64 // -1: none given
	Chunked       bool
	KeepAlive     bool // what version and Connection header ask for
	Expect        bool // 100-continue

	length, coding       string // values of their headers
	hasLength, hasCoding bool
}

// Error is a request that is answered with Status. Msg is nginx's log line about
// it, of level info.
type Error struct {
	Status int
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

const readingLine = " while reading client request line"
const readingHeaders = " while reading client request headers"

// Errors that need no detail.
var (
	errMethod   = &Error{400, "client sent invalid method" + readingLine}
	errRequest  = &Error{400, "client sent invalid request" + readingLine}
	errVersion  = &Error{505, "client sent invalid version" + readingLine}
	errMethod09 = &Error{400, "client sent invalid method in HTTP/0.9 request" + readingLine}
	errURI      = &Error{400, "client sent invalid request" + readingLine}
	errHost     = &Error{400, "client sent invalid host in request line" + readingLine}
	errNoHost   = &Error{400, `client sent HTTP/1.1 request without "Host" header` + readingHeaders}
	errLength   = &Error{400, `client sent invalid "Content-Length" header` + readingHeaders}
	errTE10     = &Error{400, `client sent HTTP/1.0 request with "Transfer-Encoding" header` + readingHeaders}
	errBoth     = &Error{400, `client sent "Content-Length" and "Transfer-Encoding" headers at the same time` + readingHeaders}
	errConnect  = &Error{405, "client sent CONNECT method" + readingHeaders}
	errTrace    = &Error{405, "client sent TRACE method" + readingHeaders}
	errTooLong  = &Error{414, "client sent too long URI" + readingLine}
	errTooMany  = &Error{494, "client sent too many header lines" + readingHeaders}
)

// reset prepares h for the next request. Until its line says more, a request
// counts as one of HTTP/1.0: a refusal of it has a head.
func (h *Head) reset() {
	fields := h.Fields[:0]
	*h = Head{Fields: fields, ContentLength: -1, Major: 1}
}

// Is09 reports whether the request line was one of HTTP/0.9, whose answer has no
// head.
func (h *Head) Is09() bool { return h.Major == 0 && h.Minor == 9 }

// Is10 reports whether the request is older than HTTP/1.1.
func (h *Head) Is10() bool { return h.Major < 1 || h.Major == 1 && h.Minor == 0 }

// requestLine holds offsets into the buffer that was parsed.
type requestLine struct {
	methodEnd            int
	hostStart, portEnd   int // of host and port, 0 when the target has no host
	targetStart, lineEnd int // lineEnd: of the line end
	targetEnd            int
	argsStart            int // behind the "?", 0 when there is none
	next                 int // behind the line feed
	protoStart           int
	major, minor         int
	complex              bool // the path needs decoding or normalising
	emptyPath            bool
}

// isControl is what may never stand in a target.
func isControl(c byte) bool { return c < 0x20 || c == 0x7f }
func isAlpha(c byte) bool   { c |= 0x20; return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool   { return c >= '0' && c <= '9' }

// parse reads the request line at the start of b. ok is false when b ends before the
// line does and no error has shown yet. With connects the target of CONNECT is a host and
// a port.
func (l *requestLine) parse(b []byte, connects bool) (ok bool, err *Error) {
	*l = requestLine{}
	i := 0
	for i < len(b) && b[i] != ' ' {
		if c := b[i]; (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return false, errMethod
		}
		i++
	}
	if i == len(b) {
		return false, nil
	}
	if i == 0 {
		return false, errMethod
	}
	l.methodEnd = i
	for i < len(b) && b[i] == ' ' {
		i++
	}
	if i == len(b) {
		return false, nil
	}
	if connects && string(b[:l.methodEnd]) == "CONNECT" {
		if i, ok, err = l.authority(b, i); ok {
			err = l.version(b, i)
			ok = l.next != 0
		}
		return ok, err
	}
	if b[i] != '/' {
		if !isAlpha(b[i]) {
			return false, errRequest
		}
		if i, ok, err = l.schemeAndHost(b, i); !ok {
			return false, err
		}
	}
	l.targetStart = i
	if i, ok, err = l.target(b, i); !ok {
		return false, err
	}
	l.targetEnd = i
	err = l.version(b, i)
	return l.next != 0, err
}

// schemeAndHost reads "scheme://host[:port]" at i and returns where the path
// starts. A target without a path has emptyPath set.
func (l *requestLine) schemeAndHost(b []byte, i int) (int, bool, *Error) {
	for i < len(b) && (isAlpha(b[i]) || isDigit(b[i]) || b[i] == '+' || b[i] == '-' || b[i] == '.') {
		i++
	}
	for _, want := range [...]byte{':', '/', '/'} {
		if i == len(b) {
			return i, false, nil
		}
		if b[i] != want {
			return i, false, errRequest
		}
		i++
	}
	l.hostStart = i
	i, ok, err := skipHost(b, i)
	if !ok {
		return i, false, err
	}
	if b[i] == ':' {
		i++
		for i < len(b) && isDigit(b[i]) {
			i++
		}
		if i == len(b) {
			return i, false, nil
		}
	}
	l.portEnd = i
	switch b[i] {
	case '/':
		return i, true, nil
	case '?', ' ':
		l.emptyPath, l.complex = true, true
		return i, true, nil
	}
	return i, false, errRequest
}

// authority reads "host:port" at i, the target of CONNECT.
func (l *requestLine) authority(b []byte, i int) (int, bool, *Error) {
	l.hostStart = i
	i, ok, err := skipHost(b, i)
	if !ok {
		return i, false, err
	}
	port := i + 1
	if i == l.hostStart || b[i] != ':' {
		return i, false, errRequest
	}
	for i++; i < len(b) && isDigit(b[i]); i++ {
	}
	if i == len(b) {
		return i, false, nil
	}
	if b[i] != ' ' || i == port {
		return i, false, errRequest
	}
	l.portEnd, l.targetStart, l.targetEnd = i, i, i
	return i, true, nil
}

// skipHost moves behind the host name or the IP literal in brackets at i.
func skipHost(b []byte, i int) (int, bool, *Error) {
	if i < len(b) && b[i] == '[' {
		for i++; i < len(b) && b[i] != ']'; i++ {
			c := b[i]
			if !isAlpha(c) && !isDigit(c) && strings.IndexByte(":-._~!$&'()*+,;=", c) < 0 {
				return i, false, errRequest
			}
		}
		if i++; i >= len(b) {
			return i, false, nil
		}
		return i, true, nil
	}
	for i < len(b) && (isAlpha(b[i]) || isDigit(b[i]) || b[i] == '.' || b[i] == '-') {
		i++
	}
	return i, i < len(b), nil
}

// target reads path and arguments at i, up to the space or the line end.
func (l *requestLine) target(b []byte, i int) (int, bool, *Error) {
	afterSlash := false
	for ; i < len(b); i++ {
		switch c := b[i]; c {
		case ' ', '\r', '\n':
			return i, true, nil
		case '/':
			if afterSlash {
				l.complex = true
			}
			afterSlash = true
			continue
		case '.':
			if afterSlash {
				l.complex = true
			}
		case '%':
			l.complex = true
		case '#':
			l.complex = true
			return skipArgs(b, i)
		case '?':
			l.argsStart = i + 1
			return l.args(b, i+1)
		default:
			if isControl(c) {
				return i, false, errRequest
			}
		}
		afterSlash = false
	}
	return i, false, nil
}

// args reads the part behind the "?". A "#" in it ends the arguments.
func (l *requestLine) args(b []byte, i int) (int, bool, *Error) {
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == ' ' || c == '\r' || c == '\n':
			return i, true, nil
		case c == '#':
			l.complex = true
		case isControl(c):
			return i, false, errRequest
		}
	}
	return i, false, nil
}

// skipArgs moves to the end of the target.
func skipArgs(b []byte, i int) (int, bool, *Error) {
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == ' ' || c == '\r' || c == '\n':
			return i, true, nil
		case isControl(c):
			return i, false, errRequest
		}
	}
	return i, false, nil
}

// version reads the rest of the line: nothing (HTTP/0.9) or "HTTP/x.y". next
// stays 0 when b ends first.
func (l *requestLine) version(b []byte, i int) *Error {
	for i < len(b) && b[i] == ' ' {
		i++
	}
	if i == len(b) {
		return nil
	}
	if b[i] == '\r' || b[i] == '\n' {
		l.minor = 9
		if err := l.end(b, i); err != nil || l.next == 0 {
			return err
		}
		if string(b[:l.methodEnd]) != "GET" {
			return errMethod09
		}
		return nil
	}
	l.protoStart = i
	for _, want := range []byte("HTTP/") {
		if i == len(b) {
			return nil
		}
		if b[i] != want {
			return errRequest
		}
		i++
	}
	if i == len(b) {
		return nil
	}
	if b[i] < '1' || b[i] > '9' {
		return errRequest
	}
	for ; i < len(b) && isDigit(b[i]); i++ {
		if l.major = l.major*10 + int(b[i]-'0'); l.major > 1 {
			return errVersion
		}
	}
	if i == len(b) {
		return nil
	}
	if b[i] != '.' {
		return errRequest
	}
	if i++; i < len(b) && !isDigit(b[i]) {
		return errRequest
	}
	for ; i < len(b) && isDigit(b[i]); i++ {
		if l.minor > 99 {
			return errRequest
		}
		l.minor = l.minor*10 + int(b[i]-'0')
	}
	for i < len(b) && b[i] == ' ' {
		i++
	}
	return l.end(b, i)
}

// end reads the line end at i.
func (l *requestLine) end(b []byte, i int) *Error {
	l.lineEnd = i
	if i < len(b) && b[i] == '\r' {
		i++
		if i < len(b) && b[i] != '\n' {
			return errRequest
		}
	}
	if i == len(b) {
		return nil
	}
	if b[i] != '\n' {
		return errRequest
	}
	l.next = i + 1
	return nil
}

// setLine fills in what the request line says. text starts where l's offsets
// count from.
func (h *Head) setLine(text string, l *requestLine, mergeSlashes bool) *Error {
	h.Line = text[:l.lineEnd]
	h.Method = text[:l.methodEnd]
	h.Target = text[l.targetStart:l.targetEnd]
	h.Major, h.Minor = l.major, l.minor
	h.KeepAlive = l.major == 1 && l.minor >= 1
	if l.major > 0 {
		h.Proto = text[l.protoStart:l.lineEnd]
	}
	switch {
	case l.complex:
		target := h.Target
		if l.emptyPath {
			target = "/" + target
			if h.Target == "" {
				h.Target = target
			}
		}
		path, args, ok := NormalizePath(target, mergeSlashes)
		if !ok {
			h.Target = ""
			return errURI
		}
		h.Path, h.Args = path, args
	case l.argsStart > 0:
		h.Path = text[l.targetStart : l.argsStart-1]
		h.Args = text[l.argsStart:l.targetEnd]
	default:
		h.Path = h.Target
	}
	if l.hostStart > 0 {
		var ok bool
		if h.Host, h.Port, ok = SplitHost(text[l.hostStart:l.portEnd]); !ok {
			return errHost
		}
	}
	return nil
}

// parseLength reads a Content-Length. nginx takes digits only, within an off_t.
func parseLength(text string) (int64, bool) {
	if text == "" {
		return 0, false
	}
	var n int64
	for i := 0; i < len(text); i++ {
		c := text[i]
		if !isDigit(c) {
			return 0, false
		}
		if n > (math.MaxInt64-int64(c-'0'))/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
