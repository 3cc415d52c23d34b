package upstream

import (
	"errors"
	"io"
	"sync"

	"github.com/moonphase/moonphase/phases/internal/core"
)

// A ResponseReader reads the response to one request from the connection of an
// upstream: head, then body. It trusts nothing: what is read is bounded by its
// buffer, what is delivered by the framing that the head announced, and whether
// the connection may carry another request is for clean to say.
type ResponseReader struct {
	src  io.Reader
	room *responseRoom
	buf  []byte
	r, w int // the bytes read ahead are buf[r:w]

	Head     ResponseHead
	lines    headParser
	framing  framing
	left     int64   // of framedByLength, still to come
	decoder  Decoder // of framedInside
	joins    bool    // all that was read is decoded at once
	failed   error   // of the decoder, behind what it has delivered
	excess   string  // what log lines say of bytes behind the end
	ended    bool    // the body was read to its end
	Received int64   // bytes, head included
	BodyRead int64   // bytes of the body that came, with their framing
	Preread  int64   // those of them that came with the head
	EOF      bool    // the upstream has closed
	allowed  int64   // bytes that may be read now (limit_rate), -1 for any number
}

// framing says how the end of a body is known.
type framing uint8

const (
	framedByClose framing = iota
	framedByLength
	framedInside // by what stands between pieces of the body
)

// Decoder takes a body apart whose framing stands in it, as chunks.
type Decoder interface {
	// Parse takes framing from b until data follows, the body is done or b ends, and
	// returns the number of bytes it took. The error is a BodyError or ErrCut.
	Parse(b []byte) (int, error)
	// Data is how many bytes of the body come next, 0 where framing does.
	Data() int64
	// Took says that n of those were taken.
	Took(n int64)
	// Need is the least number of bytes that must still come before the body can end.
	Need() int64
	// Done reports whether the end was read.
	Done() bool
}

// closer is a Decoder of bodies that may also end with the connection.
type closer interface {
	// Closed says what that end means: io.EOF for one that is right.
	Closed() error
}

// ErrCut is a body that ends too early. Its Decoder has logged it, and what came goes out.
var ErrCut = errors.New("upstream ended its response early")

// BodyError is a body that cannot be understood, in nginx's words.
type BodyError string

func (e BodyError) Error() string { return string(e) }

// ResponseHead is what the head of a response said.
type ResponseHead struct {
	Status  int
	Line    string // "200 OK": what stands behind the version
	Headers core.Headers
	Length  int64 // Content-Length, -1 without
	Chunked bool  // Transfer-Encoding: chunked
	Close   bool  // the connection ends with the response
	Bare    bool  // no head at all: what comes is the body, as in HTTP/0.9
}

// responseRoom is what a response is read through. Idle connections hold nothing,
// so only requests that run have one.
type responseRoom struct {
	buf   [16 << 10]byte
	lines [64]headLine
}

var responseRooms = sync.Pool{New: func() any { return new(responseRoom) }}

// Start prepares r for the response that comes from src.
func (r *ResponseReader) Start(src io.Reader) {
	room := r.room
	if room == nil {
		room = responseRooms.Get().(*responseRoom)
	}
	*r = ResponseReader{src: src, room: room, buf: room.buf[:], lines: headParser{lines: room.lines[:0]}, allowed: -1}
}

// Release gives the memory back. What Next delivered is no longer valid.
func (r *ResponseReader) Release() {
	if r.room != nil {
		responseRooms.Put(r.room)
		r.room, r.buf, r.src = nil, nil, nil
		r.r, r.w = 0, 0
	}
}

// ErrBigHead is a head that does not fit in buffer_size.
var ErrBigHead = errors.New("upstream sent too big header")

// HeadError is a head that cannot be understood, in nginx's words; "" when it has been
// logged already.
type HeadError string

func (e HeadError) Error() string { return string(e) }

// fill reads more bytes behind those that are buffered, up to limit in all.
func (r *ResponseReader) fill(limit int) error {
	if r.allowed >= 0 {
		limit = r.w + int(min(int64(limit-r.w), max(r.allowed, 1)))
	}
	n, err := r.src.Read(r.buf[r.w:limit])
	r.w += n
	r.Received += int64(n)
	if r.allowed >= 0 {
		r.allowed = max(r.allowed-int64(n), 0)
	}
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	r.EOF = err == io.EOF
	return err
}

// headReader is the part of a Protocol that reads heads.
type headReader interface {
	ParseHead(b []byte) (n int, done bool, err error)
}

// ReadHead has p read the head, which may be limit bytes long. The error is io.EOF,
// ErrBigHead, a HeadError, or one of the network.
func (r *ResponseReader) ReadHead(limit int, p headReader) error {
	if limit > len(r.buf) {
		r.buf = make([]byte, limit)
	}
	for {
		if err := r.fill(limit); err != nil {
			return err
		}
		n, done, err := p.ParseHead(r.buf[r.r:r.w])
		r.r += n
		switch {
		case err != nil:
			return err
		case done:
			r.Preread = int64(r.w - r.r)
			r.BodyRead = r.Preread
			return nil
		case r.w == limit:
			r.lines.collect(&r.Head)
			return ErrBigHead
		}
	}
}

// ByLength says that the body has n bytes. excess is what log lines say of more.
func (r *ResponseReader) ByLength(n int64, excess string) {
	r.framing, r.left, r.ended, r.excess = framedByLength, n, n == 0, excess
}

// ByClose says that the body ends with the connection.
func (r *ResponseReader) ByClose() { r.framing = framedByClose }

// Inside says that d finds the end of the body. excess is what log lines say of bytes
// behind it.
func (r *ResponseReader) Inside(d Decoder, excess string) {
	r.framing, r.decoder, r.excess = framedInside, d, excess
}

// InsideJoined is Inside for pieces that are passed on as they were read together,
// however many of the decoder's they are.
func (r *ResponseReader) InsideJoined(d Decoder) {
	r.framing, r.decoder, r.joins = framedInside, d, true
}

// Clean reports whether the connection stands exactly at the end of the
// response, so that the next bytes belong to the next request's.
func (r *ResponseReader) Clean() bool {
	return r.ended && r.r == r.w && !r.EOF && r.framing != framedByClose && !r.Head.Close && !r.Head.Bare
}

// Ahead is what has been read and not delivered, valid until the next read.
func (r *ResponseReader) Ahead() []byte { return r.buf[r.r:r.w] }

// Surplus reports whether more came than the response may hold.
func (r *ResponseReader) Surplus() bool { return r.ended && r.r < r.w }

// Next gives the next bytes of the body, valid until the next call, and io.EOF at
// its end. With gather it waits until a piece of some size is there, or all that
// can be counted on. The error is a BodyError, io.ErrUnexpectedEOF for a
// body cut short, or one of the network.
func (r *ResponseReader) Next(gather bool) ([]byte, error) {
	for {
		if r.joins {
			if p, err, ready := r.joined(gather); ready {
				return p, err
			}
			if err := r.more(); err != nil {
				return r.rest(err)
			}
			continue
		}
		if r.framing == framedInside && !r.ended && (!gather || r.enough()) {
			n, err := r.decoder.Parse(r.buf[r.r:r.w])
			r.r += n
			if err != nil {
				return nil, err
			}
			r.ended = r.decoder.Done()
		}
		if r.ended {
			return nil, io.EOF
		}
		if n := r.deliverable(); n > 0 && (!gather || r.enough()) {
			p := r.buf[r.r : r.r+n]
			r.r += n
			r.took(int64(n))
			return p, nil
		}
		if err := r.more(); err != nil {
			return r.rest(err)
		}
	}
}

// joined lays together all of the body that has been read; ready is false when more must
// be read first.
func (r *ResponseReader) joined(gather bool) (p []byte, err error, ready bool) {
	switch {
	case r.failed != nil:
		return nil, r.failed, true
	case r.ended:
		return nil, io.EOF, true
	case gather && !r.enough():
		return nil, nil, false
	}
	start, end := r.r, r.r
	for !r.ended {
		n, err := r.decoder.Parse(r.buf[r.r:r.w])
		r.r += n
		if err == ErrCut {
			r.failed = err
			break
		}
		if err != nil {
			return nil, err, true
		}
		r.ended = r.decoder.Done()
		if n = r.deliverable(); n == 0 {
			break
		}
		end += copy(r.buf[end:], r.buf[r.r:r.r+n])
		r.r += n
		r.took(int64(n))
	}
	switch {
	case end > start:
		return r.buf[start:end], nil, true
	case r.failed != nil:
		return nil, r.failed, true
	case r.ended:
		return nil, io.EOF, true
	}
	return nil, nil, false
}

// gatherSize is how much is waited for before a piece is passed on
// (buffers).
const gatherSize = 4096

// enough reports whether what is buffered is worth passing on.
func (r *ResponseReader) enough() bool {
	n := r.w - r.r
	if n >= gatherSize || r.EOF {
		return true
	}
	switch r.framing {
	case framedByLength:
		return int64(n) >= r.left
	case framedInside:
		return int64(n) >= r.decoder.Need()
	}
	return false
}

// deliverable is how many of the bytes read ahead are the body's and come next.
func (r *ResponseReader) deliverable() int {
	n := int64(r.w - r.r)
	switch r.framing {
	case framedByLength:
		n = min(n, r.left)
	case framedInside:
		n = min(n, r.decoder.Data())
	}
	return int(n)
}

func (r *ResponseReader) took(n int64) {
	switch r.framing {
	case framedByLength:
		r.left -= n
		r.ended = r.left == 0
	case framedInside:
		r.decoder.Took(n)
	}
}

// more reads the next bytes of the body, with the buffer's whole room for them.
func (r *ResponseReader) more() error {
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	before := r.Received
	err := r.fill(len(r.buf))
	r.BodyRead += r.Received - before
	return err
}

// rest is what an upstream that closed leaves: what was gathered, then the end.
func (r *ResponseReader) rest(err error) ([]byte, error) {
	if err != io.EOF {
		return nil, err
	}
	if c, ok := r.decoder.(closer); ok {
		return r.closed(c)
	}
	if r.deliverable() > 0 || r.framing == framedInside && r.w > r.r {
		return r.Next(false)
	}
	if r.framing == framedByClose {
		r.ended = true
		return nil, io.EOF
	}
	if r.ended {
		return nil, io.EOF
	}
	return nil, io.ErrUnexpectedEOF
}

// closed ends a body whose decoder judges the end of the connection.
func (r *ResponseReader) closed(c closer) ([]byte, error) {
	if p, err, ready := r.joined(true); ready {
		return p, err
	}
	err := c.Closed()
	r.ended = err == io.EOF
	return nil, err
}
