package serve

import (
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Places of names in the static table of HPACK (RFC 7541, appendix A).
const (
	hpackStatus        = 8 // ":status: 200", the others follow
	hpackContentLength = 28
	hpackContentType   = 31
	hpackDate          = 33
	hpackLastModified  = 44
	hpackLocation      = 46
	hpackServer        = 54
	hpackVary          = 59
)

// hpackStatuses are those that have an entry of their own.
var hpackStatuses = [...]int{200, 204, 206, 304, 400, 404, 500}

// WriteHead implements HeadWriter. Like nginx it refers to nothing in the dynamic
// table: heads need no order among each other.
func (s *http2Stream) WriteHead(r *core.Request) {
	r.HeadBuf = appendHTTP2Head(r.HeadBuf[:0], r)
	fin := r.HeaderOnly || r.Out.ContentLength == 0 && !r.Trailers
	h := s.h
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.lost || o.err != nil {
		return
	}
	h.appendHead(s, r.HeadBuf, fin)
}

// WriteHints sends the head of a 103 ahead of the answer's (early_hints).
func (s *http2Stream) WriteHints(list core.Headers) {
	b := appendHpackFields(appendHpackStatus(nil, 103), list)
	h := s.h
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.lost || o.err != nil {
		return
	}
	h.appendHead(s, b, false)
	h.push()
}

// appendHead is appendBlock for a block that may be the first of the connection.
func (h *http2Conn) appendHead(s *http2Stream, b []byte, fin bool) {
	if h.resize {
		h.resize = false
		b = append([]byte{0x20}, b...) // our table has no entries
	}
	h.appendBlock(s, b, fin)
}

// appendBlock appends the frames of a header block; fin says that the stream ends
// with it. The caller holds the lock of the writer.
func (h *http2Conn) appendBlock(s *http2Stream, b []byte, fin bool) {
	o := &h.c.writer
	kind, flags := http2Headers, byte(0)
	if fin {
		flags = http2EndStream
	}
	for first := true; first || len(b) > 0; first = false {
		n := min(len(b), h.frameSize)
		if n == len(b) {
			flags |= http2EndHeaders
		}
		o.buf = appendHTTP2Frame(o.buf, n, kind, flags, s.id)
		o.buf = append(o.buf, b[:n]...)
		h.noteFrame(s, n)
		b = b[n:]
		kind, flags = http2Continuation, 0
	}
	if fin {
		h.closeOut(s)
	}
}

// appendHTTP2Head codes the response's head, in nginx's order.
func appendHTTP2Head(b []byte, r *core.Request) []byte {
	o, l := &r.Out, r.Loc
	b = appendHpackStatus(b, o.Status)
	if !o.CustomServer {
		b = appendHpack(b, hpackServer, l.ServerName)
	}
	if !o.CustomDate {
		b = appendHpack(b, hpackDate, core.HTTPDate())
	}
	if o.ContentType != "" {
		b = appendHpack(b, hpackContentType, o.FullContentType())
	}
	if o.ContentLength >= 0 && !o.CustomLength {
		digits := ngxtext.Itoa(o.ContentLength)
		b = append(b, 0x40|hpackContentLength, byte(len(digits)))
		b = append(b, digits...)
	}
	if o.LastModified >= 0 && (o.Status == 200 || o.Status == 206 || o.Status == 304) && !o.Headers.Has("Last-Modified") {
		b = appendHpack(b, hpackLastModified, ngxtext.FormatHTTPTime(o.LastModified))
	}
	if o.Location != "" {
		location := o.Location
		if strings.HasPrefix(location, "/") && l.AbsoluteRedirect.V {
			location = string(r.AppendAbsoluteLocation(nil))
		}
		b = appendHpack(b, hpackLocation, location)
	}
	if r.VaryEncoding && r.Loc.GzipVary.V {
		b = appendHpack(b, hpackVary, "Accept-Encoding")
	}
	return appendHpackFields(b, o.Headers)
}

// appendHpackFields appends fields with names of any kind.
func appendHpackFields(b []byte, fields []core.Header) []byte {
	for i := range fields {
		b = append(b, 0)
		b = appendHpackString(b, ngxtext.Lower(fields[i].Name))
		b = appendHpackString(b, fields[i].Value)
	}
	return b
}

// appendHpackStatus appends the status.
func appendHpackStatus(b []byte, status int) []byte {
	for i, known := range hpackStatuses {
		if status == known {
			return append(b, 0x80|byte(hpackStatus+i))
		}
	}
	b = append(b, 0x40|hpackStatus, 3)
	return append(b, ngxtext.ThreeDigits(status)...)
}

// appendHpack appends a field whose name is in the static table. The client notes it
// in its dynamic table, which is never referred to: this form is a byte shorter.
func appendHpack(b []byte, name byte, value string) []byte {
	return appendHpackString(append(b, 0x40|name), value)
}

// appendHpackString appends a text in the coding that is shorter.
func appendHpackString(b []byte, text string) []byte {
	if n := hpack.HuffmanEncodeLength(text); n < uint64(len(text)) {
		return hpack.AppendHuffmanString(appendHpackInt(b, 0x80, 7, n), text)
	}
	return append(appendHpackInt(b, 0, 7, uint64(len(text))), text...)
}

// appendHpackInt appends a number behind the bits of first, of whose byte it has the
// given number.
func appendHpackInt(b []byte, first byte, bits int, n uint64) []byte {
	full := uint64(1)<<bits - 1
	if n < full {
		return append(b, first|byte(n))
	}
	b = append(b, first|byte(full))
	for n -= full; n >= 0x80; n >>= 7 {
		b = append(b, 0x80|byte(n))
	}
	return append(b, byte(n))
}
