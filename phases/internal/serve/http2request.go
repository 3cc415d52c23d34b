package serve

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/moonphase/moonphase/phases/http1"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/http2"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/guard"
)

// http2Block is the header block being read. Its fields make the request while
// they come in; head is reused from block to block.
type http2Block struct {
	id      uint32       // of its stream; 0: there is none
	stream  *http2Stream // nil: the fields are decoded for the table's sake only
	at      time.Time    // when the client must be done
	room    int          // of large_client_header_buffers that is left
	count   int
	err     error
	head    http1.Head
	scheme  string
	path    bool
	cookies []string
}

// deadline is when the rest of the block must have come; zero when there is none.
func (b *http2Block) deadline(h *http2Conn) time.Time {
	if b.stream != nil && b.at.IsZero() {
		b.at = time.Now().Add(h.limits.headerTimeout)
	}
	return b.at
}

// headersFrame begins a request.
func (h *http2Conn) headersFrame() error {
	f := &h.frame
	extra := 0
	if f.flags&http2Padded != 0 {
		extra++
	}
	if f.flags&http2HasWeight != 0 {
		extra += 5
	}
	if f.length < extra {
		return http2Errorf(http2SizeError, "client sent HEADERS frame with incorrect length %d", f.length)
	}
	if f.length == extra {
		return &http2Error{http2SizeError, "client sent HEADERS frame with empty header block"}
	}
	o := &h.c.writer
	o.mu.Lock()
	late := h.goaway
	o.mu.Unlock()
	if late {
		return nil
	}
	b, err := h.framePart(extra)
	if err != nil {
		return err
	}
	if f.flags&http2Padded != 0 {
		if f.padding = int(b[0]); f.padding > f.length {
			return http2Errorf(http2ProtocolError, "client sent padded HEADERS frame with incorrect length: %d, padding: %d", f.length, f.padding)
		}
		f.length -= f.padding
		b = b[1:]
	}
	if f.id%2 == 0 || f.id <= h.lastID {
		return http2Errorf(http2ProtocolError, "client sent HEADERS frame with incorrect identifier %d, the last was %d", f.id, h.lastID)
	}
	if f.flags&http2HasWeight != 0 && binary.BigEndian.Uint32(b)&http2.MaxWindow == f.id {
		return h.dependsOn(b, "HEADERS")
	}
	if err := h.begin(); err != nil {
		return err
	}
	return h.readBlock()
}

// begin makes the stream that the frame opens, unless there are too many: that ends
// the stream, and if it happens too often the connection.
func (h *http2Conn) begin() error {
	f, l := &h.frame, &h.limits
	head, cookies := h.block.head, h.block.cookies[:0]
	head.Begin(2)
	h.block = http2Block{id: f.id, room: l.headerSize, head: head, cookies: cookies}
	h.decoder.SetMaxStringLength(max(l.fieldSize*8/5, http2TableSize))
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	h.lastID = f.id
	if why := h.refuses(); why != "" {
		h.log(errlog.Info, why)
		if h.refused++; h.refused > max(l.maxStreams, 100)+1 {
			return &http2Error{http2NoError, "client sent too many refused streams"}
		}
		h.appendReset(f.id, http2RefusedStream)
		return nil
	}
	b := h.c.owner.bound.Load()
	b.cycle.Begin()
	h.requests++
	s := &http2Stream{
		h: h, id: f.id, number: h.requests, inClosed: f.flags&http2EndStream != 0,
		window: h.initWindow, recvWindow: l.preread, chunk: http2DefaultFrame,
	}
	s.req = b.cycle.NewRequest(s, b.listen)
	s.req.Start = time.Now()
	s.req.HTTPMajor, s.req.HTTPMinor = 2, 0
	s.req.HeaderBytes = int64(f.length)
	h.block.stream = s
	h.streams[f.id] = s
	h.running++
	h.open++
	h.idleAt = time.Time{}
	h.priorityLimit += l.maxStreams
	if l.keepaliveTimeout == 0 || h.requests >= l.keepaliveRequests || time.Since(h.start) > l.keepaliveTime {
		h.sendGoAway(http2NoError)
	}
	return nil
}

// refuses tells why a further stream is one too many, "" when it is not. A request
// whose client has gone counts until it has ended, but not as an open stream.
func (h *http2Conn) refuses() string {
	l := &h.limits
	if h.open >= l.maxStreams || h.running >= 2*l.maxStreams {
		return "concurrent streams exceeded " + ngxtext.Itoa(int64(h.running))
	}
	if h.burst++; h.burst > 2*l.maxStreams {
		return "client sent too many streams at once"
	}
	if !h.acked && h.frame.flags&http2EndStream == 0 && l.preread < http2DefaultWindow {
		return "client sent stream with data before settings were acknowledged"
	}
	return ""
}

// readBlock reads the frames of a header block and starts the request.
func (h *http2Conn) readBlock() error {
	f, b := &h.frame, &h.block
	for {
		for f.length > 0 {
			part, err := h.some(f.length)
			if err != nil {
				return err
			}
			f.length -= len(part)
			if _, err := h.decoder.Write(part); err != nil && b.err == nil {
				b.err = blockError(err)
			}
			if b.err != nil {
				return b.err
			}
		}
		if f.flags&http2EndHeaders != 0 {
			break
		}
		if err := h.continuation(); err != nil {
			return err
		}
	}
	if h.decoder.Close() != nil {
		return &http2Error{http2SizeError, "client sent header field with incorrect length"}
	}
	s := b.stream
	b.id, b.stream, b.at = 0, nil, time.Time{}
	if s != nil {
		h.complete(s)
		guard.Go(s.run)
	}
	return nil
}

// continuation reads the head of the next frame of the block.
func (h *http2Conn) continuation() error {
	if err := h.skip(); err != nil {
		return err
	}
	first := h.frame
	if err := h.readFrameHead(); err != nil {
		return err
	}
	if h.frame.kind != http2Continuation {
		return &http2Error{http2ProtocolError, "client sent inappropriate frame while CONTINUATION was expected"}
	}
	if h.frame.id != first.id {
		return &http2Error{http2ProtocolError, "client sent CONTINUATION frame with incorrect identifier"}
	}
	if s := h.block.stream; s != nil {
		s.req.HeaderBytes += int64(h.frame.length)
	}
	h.frame.flags |= first.flags
	return nil
}

// blockError tells what a client that breaks the coding hears.
func blockError(err error) error {
	var index hpack.InvalidIndexError
	var coding hpack.DecodingError
	msg := "client sent header block with too long header index value"
	switch {
	case errors.Is(err, hpack.ErrStringLength):
		return errFieldSize
	case errors.As(err, &coding) && errors.As(coding.Err, &index):
		switch {
		case index == 0:
			msg = "client sent invalid hpack table index 0"
		case index < 1<<21:
			msg = "client sent out of bound hpack table index: " + ngxtext.Itoa(int64(index-hpackEntries-1))
		}
	case errors.Is(err, hpack.ErrInvalidHuffman):
		msg = "client sent invalid encoded header field"
	case strings.Contains(err.Error(), "table size"):
		msg = "client sent invalid table size update"
	}
	return &http2Error{http2CompressionError, msg}
}

// hpackEntries is the length of HPACK's static table.
const hpackEntries = 61

var errFieldSize = &http2Error{http2Calm, "client sent too large header field"}

// blockTimedOut gives the request up whose head does not come. The caller holds
// the lock of the writer.
func (h *http2Conn) blockTimedOut() {
	b := &h.block
	s := b.stream
	b.stream, b.at = nil, time.Time{}
	if s != nil {
		s.req.Log(errlog.Info, core.ClientTimedOut+readingRequestHeaders)
		s.timedOut = true
		s.refusal, s.status = http2Dropped, core.StatusRequestTimeout
		guard.Go(s.run)
	}
}

const readingRequestHeaders = " while reading client request headers"

// field is called by the decoder for each field.
func (h *http2Conn) field(f hpack.HeaderField) {
	b := &h.block
	if b.err != nil {
		return
	}
	if f.Name == "" {
		b.err = &http2Error{http2ProtocolError, "client sent zero header name length"}
		return
	}
	if h.tooLong(f.Name) || h.tooLong(f.Value) {
		b.err = errFieldSize
		return
	}
	if b.room -= len(f.Name) + len(f.Value); b.room < 0 {
		b.err = &http2Error{http2Calm, "client sent too large header"}
		return
	}
	s := b.stream
	if s == nil {
		return
	}
	odd, fatal := h.validate(f)
	switch {
	case fatal != "":
		s.req.Log(errlog.Info, fatal+readingRequestHeaders)
		o := &h.c.writer
		o.mu.Lock()
		s.reset(http2ProtocolError)
		o.mu.Unlock()
		h.give(http2Dropped, 0)
	case f.Name == ":authority":
		h.addField("host", f.Value)
	case f.Name[0] == ':':
		if msg := b.pseudo(f.Name[1:], f.Value, h.bound); msg != "" {
			s.req.Log(errlog.Info, msg+readingRequestHeaders)
			h.give(http2Refused, 400)
		}
	case odd && !h.bound.limits.Fields.KeepInvalid:
		s.req.Log(errlog.Info, "client sent invalid header: \""+f.Name+"\""+readingRequestHeaders)
	case f.Name == "cookie":
		b.cookies = append(b.cookies, f.Value)
	default:
		if b.count++; b.count > h.limits.maxHeaders {
			s.req.Log(errlog.Info, "client sent too many header lines"+readingRequestHeaders)
			h.give(http2Refused, 494)
			return
		}
		h.addField(f.Name, f.Value)
	}
}

// addField takes over a field that the server itself may know.
func (h *http2Conn) addField(name, value string) {
	b, r := &h.block, h.block.stream.req
	r.In = append(r.In, core.Header{Name: name, Value: value})
	if err := b.head.AddField(name, value); err != nil {
		r.Log(errlog.Info, err.Msg)
		h.give(http2Refused, err.Status)
	} else if r.Host == "" && b.head.Host != "" {
		r.Host, r.Port = b.head.Host, b.head.Port
		r.Server = r.Listen.FindServer(r, r.Host)
	}
}

// tooLong tells whether a text is longer than large_client_header_buffers allows.
// nginx looks at the coded length; clients code what becomes shorter by it.
func (h *http2Conn) tooLong(text string) bool {
	limit := h.limits.fieldSize
	return len(text) > limit && hpack.HuffmanEncodeLength(text) > uint64(limit)
}

// give ends the making of the stream's request: it is answered with status, or
// only logged when the stream was dropped.
func (h *http2Conn) give(refusal, status int) {
	s := h.block.stream
	h.block.stream, h.block.at = nil, time.Time{}
	s.refusal, s.status = refusal, status
	h.fill(s)
	guard.Go(s.run)
}

// validate looks at the bytes of a field (ngx_http_v2_validate_header): odd says that
// its name is not one of the usual, fatal what ends the stream.
func (h *http2Conn) validate(f hpack.HeaderField) (odd bool, fatal string) {
	name := f.Name
	if name[0] == ':' {
		name = name[1:]
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c == '-', c >= '0' && c <= '9', c == '_' && h.bound.limits.Fields.AllowUnderscores:
		case c <= 0x20, c == 0x7f, c == ':', c >= 'A' && c <= 'Z':
			return false, "client sent invalid header name: \"" + f.Name + "\""
		default:
			odd = true
		}
	}
	if strings.ContainsAny(f.Value, "\x00\r\n") {
		return odd, "client sent header \"" + f.Name + "\" with invalid value: \"" + f.Value + "\""
	}
	return odd, ""
}

// pseudo takes over a pseudo-header and returns what is wrong with it; authorities
// are Host headers.
func (b *http2Block) pseudo(name, value string, bound *binding) string {
	var seen bool
	switch name {
	case "path":
		seen = b.path
	case "method":
		seen = b.head.Method != ""
	case "scheme":
		seen = b.scheme != ""
	default:
		return "client sent unknown pseudo-header \":" + name + "\""
	}
	if seen {
		return "client sent duplicate :" + name + " header"
	}
	if value == "" {
		return "client sent empty :" + name + " header"
	}
	ok := true
	switch name {
	case "path":
		b.path = true
		if ok = http1.ValidTarget(value); ok && !b.head.SetTarget(value, !bound.limits.KeepSlashes) {
			return "client sent invalid request"
		}
	case "method":
		b.head.Method = value
		if !http1.ValidMethod(value) {
			return "client sent invalid method: \"" + value + "\""
		}
	case "scheme":
		b.scheme = value
		ok = validScheme(value)
	}
	if !ok {
		return "client sent invalid :" + name + " header: \"" + value + "\""
	}
	return ""
}

func validScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return true
}

// complete judges the request as a whole.
func (h *http2Conn) complete(s *http2Stream) {
	b := &h.block
	refuse := func(status int, msg string) {
		s.refusal, s.status = http2Refused, status
		s.req.Log(errlog.Info, msg)
	}
	if len(b.cookies) > 0 {
		s.req.In = append(s.req.In, core.Header{Name: "cookie", Value: strings.Join(b.cookies, "; ")})
	}
	missing := ""
	switch {
	case b.head.Method == "":
		missing = "method"
	case b.scheme == "":
		missing = "scheme"
	case !b.path:
		missing = "path"
	}
	if missing != "" {
		h.fill(s)
		refuse(400, "client sent no :"+missing+" header"+readingRequestHeaders)
		return
	}
	s.req.RequestLine = b.head.Method + " " + b.head.Target + " HTTP/2.0"
	err := b.head.Finish()
	h.fill(s)
	switch {
	case err != nil:
		refuse(err.Status, err.Msg)
	case b.head.ContentLength > 0 && s.inClosed:
		refuse(400, "client prematurely closed stream"+readingRequestHeaders)
	}
}

// fill takes what is known of the head over into the request.
func (h *http2Conn) fill(s *http2Stream) {
	r, head := s.req, &h.block.head
	r.Method, r.URI, r.Args, r.RequestURI = head.Method, head.Path, head.Args, head.Target
	r.ContentLength, r.Chunked = head.ContentLength, head.Chunked || head.ContentLength < 0 && !s.inClosed
	o := &h.c.writer
	o.mu.Lock()
	s.about = http2About{server: r.Server, line: r.RequestLine}
	s.about.host, _ = r.In.Get("Host")
	s.about.referer, _ = r.In.Get("Referer")
	s.declared = r.ContentLength
	if r.Chunked {
		s.declared = -1
	}
	s.chunk = int(http2.Loc.Of(r.Server.Loc).Chunk.V)
	h.payload += r.HeaderBytes
	o.mu.Unlock()
}
