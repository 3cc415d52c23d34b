package core

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/status"
)

// Flags of a piece of output.
const (
	Last     = 1 << iota // nothing follows
	Flush                // send it now
	Recycled             // the client's connection sends it now; filters need not (ngx_buf_t.recycled)
)

// SendHeader sends the head of the response through the header filters. It
// returns OK, Error, or the status a filter ended the request with. Later
// calls do nothing (ngx_http_send_header).
func (r *Request) SendHeader() int {
	if r.HeadersSent {
		return OK
	}
	if r.ErrStatus != 0 {
		r.Out.Status, r.Out.StatusLine = r.ErrStatus, ""
	}
	if rc := r.headerFilters(); rc != Done {
		return rc
	}
	return OK
}

// headerFilters runs the location's header filters, and then sends what they made
// of the head. A filter that ends the chain answers Done or what SendHeader is to
// return.
func (r *Request) headerFilters() int {
	for _, filter := range r.Loc.headerFilters {
		if rc := filter(r); rc != OK {
			return rc
		}
	}
	return r.writeHead()
}

// writeHead decides on framing and keep-alive and writes the head into the
// connection (ngx_http_chunked_header_filter, ngx_http_header_filter). The head of
// a subrequest goes nowhere: its text stands in the main request's answer.
func (r *Request) writeHead() int {
	r.HeadersSent, r.headLoc = true, r.Loc
	if r.parent != nil {
		return OK
	}
	o := &r.Out
	if r.HTTPMajor < 1 { // HTTP/0.9 has no head
		r.KeepAlive = false
		return OK
	}
	isHead := r.Method == "HEAD"
	framed := o.Status >= 200 && o.Status != 204 && o.Status != 304 && !isHead // behind a 101 comes another protocol
	if framed && (o.ContentLength < 0 || r.Trailers) {
		switch {
		case r.HTTPMajor > 1: // HTTP/2 frames bodies itself
		case r.HTTPMinor >= 1 && r.Loc.chunkedEncoding.V:
			r.ChunkedOut = true
			o.ClearLength()
		case o.ContentLength < 0:
			r.KeepAlive = false
		}
	}
	if isHead {
		r.HeaderOnly = true
	}
	if o.LastModified >= 0 && o.Status != 200 && o.Status != 206 && o.Status != 304 {
		o.LastModified = -1
	}
	if o.StatusLine == "" { // what an upstream says is not looked at
		switch o.Status {
		case 204:
			r.HeaderOnly = true
			o.ContentType, o.LastModified = "", -1
			o.ClearLength()
		case 304:
			r.HeaderOnly = true
		}
	}
	if r.Cycle.stopping.Load() {
		r.KeepAlive = false
	}
	r.startRate()
	if hw, ok := r.Conn.(HeadWriter); ok {
		r.ChunkedOut = false
		hw.WriteHead(r)
		return OK
	}
	head := r.AppendHead(r.HeadBuf[:0])
	r.HeadBuf = head
	_, _ = r.Conn.Write(head)
	r.BytesSent += int64(len(head))
	if int64(len(head)) >= r.Loc.postponeOutput.V {
		if err := r.Conn.Push(); err != nil {
			return r.writeFailed(err)
		}
	}
	return OK
}

// AppendHead writes the status line and all headers in nginx's order.
func (r *Request) AppendHead(b []byte) []byte {
	o, l := &r.Out, r.Loc
	b = append(b, "HTTP/1.1 "...)
	if o.StatusLine != "" {
		b = append(b, o.StatusLine...)
	} else {
		b = status.AppendLine(b, o.Status)
	}
	b = append(b, '\r', '\n')
	if !o.CustomServer {
		b = append(b, "Server: "...)
		b = append(b, l.ServerName...)
		b = append(b, CRLF...)
	}
	if !o.CustomDate {
		b = append(b, "Date: "...)
		b = append(b, HTTPDate()...)
		b = append(b, '\r', '\n')
	}
	if o.ContentType != "" {
		b = append(b, "Content-Type: "...)
		b = append(b, o.ContentType...)
		if o.Charset != "" && strings.IndexByte(o.ContentType, ';') < 0 {
			b = append(b, "; charset="...)
			b = append(b, o.Charset...)
		}
		b = append(b, '\r', '\n')
	}
	if o.ContentLength >= 0 && !o.CustomLength {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, o.ContentLength, 10)
		b = append(b, '\r', '\n')
	}
	if o.LastModified >= 0 && !o.Headers.Has("Last-Modified") {
		b = append(b, "Last-Modified: "...)
		b = append(b, ngxtext.FormatHTTPTime(o.LastModified)...)
		b = append(b, '\r', '\n')
	}
	completed := strings.HasPrefix(o.Location, "/") && l.AbsoluteRedirect.V
	if completed {
		b = append(r.AppendAbsoluteLocation(append(b, "Location: "...)), CRLF...)
	}
	if r.ChunkedOut {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case o.Status == 101:
		b = append(b, "Connection: upgrade\r\n"...)
	case r.KeepAlive:
		b = append(b, "Connection: keep-alive\r\n"...)
		if l.keepaliveHeader.V > 0 {
			b = append(b, "Keep-Alive: timeout="...)
			b = strconv.AppendInt(b, int64(l.keepaliveHeader.V/time.Second), 10)
			b = append(b, '\r', '\n')
		}
	default:
		b = append(b, "Connection: close\r\n"...)
	}
	if r.VaryEncoding && l.GzipVary.V {
		b = append(b, "Vary: Accept-Encoding\r\n"...)
	}
	if o.Location != "" && !completed {
		b = AppendHeader(b, "Location", o.Location)
	}
	for i := range o.Headers {
		b = AppendHeader(b, o.Headers[i].Name, o.Headers[i].Value)
	}
	return append(b, '\r', '\n')
}

// AppendHeader appends a header line with its end.
func AppendHeader(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ':', ' ')
	b = append(b, value...)
	return append(b, '\r', '\n')
}

// AppendAbsoluteLocation completes a relative redirect with scheme, host and
// port; from now on that is the target.
func (r *Request) AppendAbsoluteLocation(b []byte) []byte {
	l := r.Loc
	tls := r.Conn.TLS()
	start := len(b)
	b = append(b, "http"...)
	if tls {
		b = append(b, 's')
	}
	b = append(b, "://"...)
	host, port := r.Host, ""
	local := r.Conn.LocalAddr().String()
	addr, localPort := SplitAddr(local)
	if l.nameInRedirect.V {
		host = r.Server.Name
	} else if host == "" {
		host = addr
	}
	if l.portInRedirect.V && localPort != "" && !(localPort == "80" && !tls) && !(localPort == "443" && tls) {
		port = localPort
	}
	b = append(b, host...)
	if port != "" {
		b = append(b, ':')
		b = append(b, port...)
	}
	b = append(b, r.Out.Location...)
	r.Out.Location = string(b[start:])
	return b
}

// SplitAddr parts host and port of an address; unix sockets have no port.
func SplitAddr(addr string) (host, port string) {
	if addr == "@" || addr == "" { // a peer at a unix domain socket has no name
		return "unix:", ""
	}
	i := strings.LastIndexByte(addr, ':')
	if i < 0 || strings.HasPrefix(addr, "/") || strings.HasPrefix(addr, "@") {
		return addr, ""
	}
	return addr[:i], addr[i+1:]
}

// Output sends a piece of the body through the body filters; last ends the
// body. It returns OK or Error (ngx_http_output_filter).
func (r *Request) Output(p []byte, last bool) int {
	flags := 0
	if last {
		flags = Last
	}
	return r.Emit(p, flags)
}

// Emit sends a piece of the body through all body filters; flags are of Last, Flush and Recycled.
// Behind an error of one of them the connection is of no use any more
// (ngx_http_output_filter).
func (r *Request) Emit(p []byte, flags int) int {
	rc := Next(0).Pass(r, p, flags)
	if rc == Error {
		r.Main.clientGone = true
	}
	return rc
}

// ownOutput is what comes behind the filters that each request has for itself: what a
// subrequest makes goes on as a part of the main request's body, but for one that was
// asked for its head. done says that the piece has been dealt with.
func (r *Request) ownOutput(p []byte, flags int) (done bool, rc int) {
	if flags&Last != 0 {
		r.OutputEnded = true
	}
	switch {
	case r != r.Main && r.HeaderOnly:
		return true, OK
	case r.into != nil:
		if int64(len(*r.into)+len(p)) > r.Loc.subrequestBuffer.V {
			r.Log(errlog.Err, "too big subrequest response")
			return true, Error
		}
		*r.into = append(*r.into, p...)
		return true, OK
	case r != r.Main:
		return true, r.Main.filters().postpone.passMain(r.Main, p, flags&^Last)
	}
	return false, OK
}

// frame writes body bytes of the main request with their transfer coding.
func (m *Request) frame(p []byte, flags int) int {
	switch {
	case m.HeaderOnly || !m.HeadersSent:
		return OK
	case m.clientGone:
		return Error
	}
	conn := m.Conn
	before := m.BodySent
	if len(p) > 0 {
		n, err := m.writePiece(p)
		m.BodySent += n
		if err != nil {
			return m.writeFailed(err)
		}
	}
	if flags&Last != 0 && !m.lastChunk {
		m.lastChunk = true
		if m.ChunkedOut {
			n, err := m.writeLastChunk()
			if err != nil {
				return m.writeFailed(err)
			}
			m.BodySent += n
		} else if hw, ok := conn.(HeadWriter); ok {
			if len(m.SentTrailers) > 0 {
				hw.WriteTrailers(m.SentTrailers)
			}
			hw.EndBody()
		}
	}
	m.BytesSent += m.BodySent - before
	if flags&(Flush|Recycled) != 0 || int64(conn.Buffered()) >= m.Loc.postponeOutput.V {
		if err := conn.Push(); err != nil {
			return m.writeFailed(err)
		}
	}
	return OK
}

// FlushBeforeWait starts sending what is buffered, as nginx's event loop does
// when a handler waits.
func (r *Request) FlushBeforeWait() {
	if conn := r.Main.Conn; conn != nil && !r.InMemory && r.Main.HeadersSent && int64(conn.Buffered()) >= r.Loc.postponeOutput.V {
		_ = conn.Push()
	}
}

// smallPiece is up to what size a chunk is put together for one write; a larger one
// is cheaper to write in parts than to copy once more.
const smallPiece = 1 << 10

// writePiece writes body bytes, with their chunk around them, and returns the number
// of bytes that takes.
func (m *Request) writePiece(p []byte) (int64, error) {
	conn := m.Conn
	if !m.ChunkedOut {
		_, err := conn.Write(p)
		return int64(len(p)), err
	}
	b := strconv.AppendInt(m.HeadBuf[:0], int64(len(p)), 16)
	b = append(b, CRLF...)
	n := int64(len(b) + len(p) + len(CRLF))
	m.HeadBuf = b
	if len(p) > smallPiece {
		_, _ = conn.Write(b)
		_, _ = conn.Write(p)
		_, err := conn.Write(CRLF) // once a write has failed, all do
		return n, err
	}
	b = append(append(b, p...), CRLF...)
	m.HeadBuf = b
	_, err := conn.Write(b)
	return n, err
}

// writeFailed notes once that the client has gone.
func (m *Request) writeFailed(err error) int {
	if !m.clientGone {
		m.clientGone = true
		var errno syscall.Errno
		if errors.As(err, &errno) {
			m.Logf(errlog.Info, "writev() failed (%s)", conf.Errno(errno))
		}
	}
	return Error
}

// writeLastChunk ends a chunked body, with its trailers, and returns the number of
// bytes that took.
func (m *Request) writeLastChunk() (int64, error) {
	end := LastChunk
	if len(m.SentTrailers) > 0 {
		end = LastChunk[:len("0\r\n"):len("0\r\n")]
		for _, t := range m.SentTrailers {
			end = AppendHeader(end, t.Name, t.Value)
		}
		end = append(end, CRLF...)
	}
	_, err := m.Conn.Write(end)
	return int64(len(end)), err
}

var (
	// CRLF ends a line of a head.
	CRLF = []byte("\r\n")
	// LastChunk ends a body in chunks.
	LastChunk = []byte("0\r\n\r\n")
)

// endOutput completes a main request's response and sends what is buffered. A
// response whose head promised a body that never ended cannot be kept alive.
func (r *Request) endOutput() {
	if r.HeadersSent && !r.OutputEnded && !r.HeaderOnly && !r.RawSocket {
		if r.ChunkedOut || r.Out.ContentLength != r.BodySent {
			r.KeepAlive = false
		}
	}
	if r.Conn != nil {
		if err := r.Conn.Flush(); err != nil {
			r.SendFailed(err)
			r.KeepAlive = false
		}
	}
}

// SendFailed notes that the answer could not be sent. It reports whether the client
// was too slow, which is logged.
func (r *Request) SendFailed(err error) (late bool) {
	switch {
	case errors.Is(err, ErrSendTime): // logged by the stream
		return true
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return false
	}
	if !r.SendTimedOut {
		r.SendTimedOut = true
		r.Log(errlog.Info, ClientTimedOut+r.Action)
	}
	return true
}

// FilterFinalize answers with the error page of status from inside a header
// filter: what the response had so far is forgotten, and what the modules noted,
// that of the filter excepted. Its result is for the filter to return: the handler
// whose response this was must not go on (ngx_http_filter_finalize_request).
//
// The page goes through the filters too. Two of them that take turns in refusing each
// other's page are stopped as a cycle of redirects is.
func (r *Request) FilterFinalize(filter string, status int) int {
	if r.finalizes++; r.finalizes > maxURIChanges {
		r.Log(errlog.Alert, "header filters refuse each other's error pages")
		r.Terminate(500)
		return Error
	}
	r.Out.reset()
	r.clearContexts(filter)
	r.FilterFinalized = true
	r.run(r.specialResponse(status))
	return Error
}
