package phases

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Flags of a piece of output.
const (
	outLast  = 1 << iota // nothing follows
	outFlush             // send it now
)

// SendHeader sends the head of the response through the header filters. It
// returns rcOK, rcError, or the status a filter ended the request with. Later
// calls do nothing (ngx_http_send_header).
func (r *Request) SendHeader() int {
	if r.HeadersSent {
		return rcOK
	}
	if r.ErrStatus != 0 {
		r.Out.Status, r.Out.StatusLine = r.ErrStatus, ""
	}
	if rc := r.headerFilters(); rc != rcDone {
		return rc
	}
	return rcOK
}

// headerFilters runs the location's header filters, and then sends what they made
// of the head. A filter that ends the chain answers rcDone or what SendHeader is to
// return.
func (r *Request) headerFilters() int {
	for _, filter := range r.Loc.headerFilters {
		if rc := filter(r); rc != rcOK {
			return rc
		}
	}
	return r.writeHead()
}

// writeHead decides on framing and keep-alive and writes the head into the
// connection (ngx_http_chunked_header_filter, ngx_http_header_filter). The head of
// a subrequest goes nowhere: its text stands in the main request's answer.
func (r *Request) writeHead() int {
	r.HeadersSent = true
	if r.Parent != nil {
		return rcOK
	}
	o := &r.Out
	if r.HTTPMajor < 1 { // HTTP/0.9 has no head
		r.KeepAlive = false
		return rcOK
	}
	isHead := r.Method == "HEAD"
	framed := o.Status >= 200 && o.Status != 204 && o.Status != 304 && !isHead // behind a 101 comes another protocol
	if framed && (o.ContentLength < 0 || r.trailers) {
		switch {
		case r.HTTPMajor > 1: // HTTP/2 frames bodies itself
		case r.HTTPMinor >= 1 && r.Loc.chunkedEncoding.v:
			r.chunkedOut = true
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
	if hw, ok := r.Conn.(headWriter); ok {
		r.chunkedOut = false
		hw.WriteHead(r)
		return rcOK
	}
	head := r.appendHead(r.headBuf[:0])
	r.headBuf = head
	_, _ = r.Conn.Write(head)
	r.bytesSent += int64(len(head))
	if int64(len(head)) >= r.Loc.postponeOutput.v {
		if err := r.Conn.Push(); err != nil {
			return r.writeFailed(err)
		}
	}
	return rcOK
}

// appendHead writes the status line and all headers in nginx's order.
func (r *Request) appendHead(b []byte) []byte {
	o, l := &r.Out, r.Loc
	b = append(b, "HTTP/1.1 "...)
	if o.StatusLine != "" {
		b = append(b, o.StatusLine...)
	} else {
		b = appendStatus(b, o.Status)
	}
	b = append(b, '\r', '\n')
	if !o.customServer {
		b = append(b, serverLine(l.serverTokens.v)...)
	}
	if !o.customDate {
		b = append(b, "Date: "...)
		b = append(b, httpDate()...)
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
	if o.ContentLength >= 0 && !o.customLength {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, o.ContentLength, 10)
		b = append(b, '\r', '\n')
	}
	if o.LastModified >= 0 && !o.Headers.Has("Last-Modified") {
		b = append(b, "Last-Modified: "...)
		b = append(b, formatHTTPTime(o.LastModified)...)
		b = append(b, '\r', '\n')
	}
	completed := strings.HasPrefix(o.Location, "/") && l.absoluteRedirect.v
	if completed {
		b = append(r.appendAbsoluteLocation(append(b, "Location: "...)), crlf...)
	}
	if r.chunkedOut {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case o.Status == 101:
		b = append(b, "Connection: upgrade\r\n"...)
	case r.KeepAlive:
		b = append(b, "Connection: keep-alive\r\n"...)
		if l.keepaliveHeader.v > 0 {
			b = append(b, "Keep-Alive: timeout="...)
			b = strconv.AppendInt(b, int64(l.keepaliveHeader.v/time.Second), 10)
			b = append(b, '\r', '\n')
		}
	default:
		b = append(b, "Connection: close\r\n"...)
	}
	if r.varyEncoding {
		b = append(b, "Vary: Accept-Encoding\r\n"...)
	}
	if o.Location != "" && !completed {
		b = appendHeader(b, "Location", o.Location)
	}
	for i := range o.Headers {
		b = appendHeader(b, o.Headers[i].Name, o.Headers[i].Value)
	}
	return append(b, '\r', '\n')
}

func appendHeader(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ':', ' ')
	b = append(b, value...)
	return append(b, '\r', '\n')
}

// serverLine is the Server header for a value of server_tokens.
func serverLine(tokens int) string {
	if tokens == 0 {
		return "Server: nginx\r\n"
	}
	return "Server: nginx/" + nginxVersion + "\r\n"
}

// appendAbsoluteLocation completes a relative redirect with scheme, host and
// port; from now on that is the target.
func (r *Request) appendAbsoluteLocation(b []byte) []byte {
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
	addr, localPort := splitAddr(local)
	if l.nameInRedirect.v {
		host = r.Server.Name
	} else if host == "" {
		host = addr
	}
	if l.portInRedirect.v && localPort != "" && !(localPort == "80" && !tls) && !(localPort == "443" && tls) {
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

// splitAddr parts host and port of an address; unix sockets have no port.
func splitAddr(addr string) (host, port string) {
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
// body. It returns rcOK or rcError (ngx_http_output_filter).
func (r *Request) Output(p []byte, last bool) int {
	flags := 0
	if last {
		flags = outLast
	}
	return r.output(p, flags)
}

func (r *Request) output(p []byte, flags int) int { return filterPlace(0).pass(r, p, flags) }

// ownOutput is what comes behind the filters that each request has for itself: what a
// subrequest makes goes on as a part of the main request's body, but for one that was
// asked for its head. done says that the piece has been dealt with.
func (r *Request) ownOutput(p []byte, flags int) (done bool, rc int) {
	if flags&outLast != 0 {
		r.outputEnded = true
	}
	switch {
	case r != r.Main && r.HeaderOnly:
		return true, rcOK
	case r != r.Main:
		return true, r.Main.Loc.postpone.passMain(r.Main, p, flags&^outLast)
	}
	return false, rcOK
}

// frame writes body bytes of the main request with their transfer coding.
func (m *Request) frame(p []byte, flags int) int {
	if m.HeaderOnly || !m.HeadersSent {
		return rcOK
	}
	conn := m.Conn
	before := m.bodySent
	if len(p) > 0 {
		n, err := m.writePiece(p)
		m.bodySent += n
		if err != nil {
			return m.writeFailed(err)
		}
	}
	if flags&outLast != 0 && !m.lastChunk {
		m.lastChunk = true
		if m.chunkedOut {
			n, err := m.writeLastChunk()
			if err != nil {
				return m.writeFailed(err)
			}
			m.bodySent += n
		} else if hw, ok := conn.(headWriter); ok {
			if len(m.sentTrailers) > 0 {
				hw.WriteTrailers(m.sentTrailers)
			}
			hw.EndBody()
		}
	}
	m.bytesSent += m.bodySent - before
	if flags&outFlush != 0 || int64(conn.Buffered()) >= m.Loc.postponeOutput.v {
		if err := conn.Push(); err != nil {
			return m.writeFailed(err)
		}
	}
	return rcOK
}

// flushBeforeWait starts sending what is buffered, as nginx's event loop does
// when a handler waits.
func (r *Request) flushBeforeWait() {
	if conn := r.Main.Conn; conn != nil && !r.inMemory && r.Main.HeadersSent && int64(conn.Buffered()) >= r.Loc.postponeOutput.v {
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
	if !m.chunkedOut {
		_, err := conn.Write(p)
		return int64(len(p)), err
	}
	b := strconv.AppendInt(m.headBuf[:0], int64(len(p)), 16)
	b = append(b, crlf...)
	n := int64(len(b) + len(p) + len(crlf))
	m.headBuf = b
	if len(p) > smallPiece {
		_, _ = conn.Write(b)
		_, _ = conn.Write(p)
		_, err := conn.Write(crlf) // once a write has failed, all do
		return n, err
	}
	b = append(append(b, p...), crlf...)
	m.headBuf = b
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
	return rcError
}

// writeLastChunk ends a chunked body, with its trailers, and returns the number of
// bytes that took.
func (m *Request) writeLastChunk() (int64, error) {
	end := lastChunk
	if len(m.sentTrailers) > 0 {
		end = lastChunk[:len("0\r\n"):len("0\r\n")]
		for _, t := range m.sentTrailers {
			end = appendHeader(end, t.Name, t.Value)
		}
		end = append(end, crlf...)
	}
	_, err := m.Conn.Write(end)
	return int64(len(end)), err
}

var (
	crlf      = []byte("\r\n")
	lastChunk = []byte("0\r\n\r\n")
)

// endOutput completes a main request's response and sends what is buffered. A
// response whose head promised a body that never ended cannot be kept alive.
func (r *Request) endOutput() {
	if r.HeadersSent && !r.outputEnded && !r.HeaderOnly && !r.rawSocket {
		if r.chunkedOut || r.Out.ContentLength != r.bodySent {
			r.KeepAlive = false
		}
	}
	if r.Conn != nil {
		if err := r.Conn.Flush(); err != nil {
			r.sendFailed(err)
			r.KeepAlive = false
		}
	}
}

// sendFailed notes that the answer could not be sent. It reports whether the client
// was too slow, which is logged.
func (r *Request) sendFailed(err error) (late bool) {
	switch {
	case errors.Is(err, errSendTime): // logged by the stream
		return true
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return false
	}
	if !r.sendTimedOut {
		r.sendTimedOut = true
		r.Log(errlog.Info, clientTimedOut+r.action)
	}
	return true
}

// filterFinalize answers with the error page of status from inside a header
// filter: what the response had so far is forgotten, and what the modules noted,
// that of the filter excepted. Its result is for the filter to return: the handler
// whose response this was must not go on (ngx_http_filter_finalize_request).
func (r *Request) filterFinalize(filter string, status int) int {
	r.Out.reset()
	r.clearContexts(filter)
	r.filterFinalized = true
	r.run(r.specialResponse(status))
	return rcError
}
