package phases

import (
	"errors"
	"io"
	"sync"

	"github.com/moonphase/moonphase/phases/http1"
)

// A responseReader reads the response to one request from the connection of an
// upstream: head, then body. It trusts nothing: what is read is bounded by its
// buffer, what is delivered by the framing that the head announced, and whether
// the connection may carry another request is for clean to say.
type responseReader struct {
	src  io.Reader
	room *responseRoom
	buf  []byte
	r, w int // the bytes read ahead are buf[r:w]

	head     responseHead
	framing  framing
	left     int64 // of framedByLength, still to come
	chunks   http1.Chunked
	ended    bool  // the body was read to its end
	received int64 // bytes, head included
	bodyRead int64 // bytes of the body that came, with their framing
	preread  int64 // those of them that came with the head
	eof      bool  // the upstream has closed
}

// framing says how the end of a body is known.
type framing uint8

const (
	framedByClose framing = iota
	framedByLength
	framedByChunks
)

// responseHead is what the head of a response said.
type responseHead struct {
	status  int
	line    string // "200 OK": what stands behind the version
	headers Headers
	length  int64 // Content-Length, -1 without
	chunked bool
	close   bool // the connection ends with the response
	bare    bool // no head at all: what comes is the body, as in HTTP/0.9
}

// responseRoom is what a response is read through. Idle connections hold nothing,
// so only requests that run have one.
type responseRoom struct {
	buf   [16 << 10]byte
	lines [64]headLine
}

var responseRooms = sync.Pool{New: func() any { return new(responseRoom) }}

// start prepares r for the response that comes from src.
func (r *responseReader) start(src io.Reader) {
	room := r.room
	if room == nil {
		room = responseRooms.Get().(*responseRoom)
	}
	*r = responseReader{src: src, room: room, buf: room.buf[:]}
}

// release gives the memory back. What next delivered is no longer valid.
func (r *responseReader) release() {
	if r.room != nil {
		responseRooms.Put(r.room)
		r.room, r.buf, r.src = nil, nil, nil
		r.r, r.w = 0, 0
	}
}

// errBigHead is a head that does not fit in proxy_buffer_size.
var errBigHead = errors.New("upstream sent too big header")

// headError is a head that cannot be understood, in nginx's words.
type headError string

func (e headError) Error() string { return string(e) }

// fill reads more bytes behind those that are buffered, up to limit in all.
func (r *responseReader) fill(limit int) error {
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	n, err := r.src.Read(r.buf[r.w:limit])
	r.w += n
	r.received += int64(n)
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	r.eof = err == io.EOF
	return err
}

// readHead reads the head, which may be limit bytes long. The error is io.EOF,
// errBigHead, a headError, or one of the network.
func (r *responseReader) readHead(limit int) error {
	if limit > len(r.buf) {
		r.buf = make([]byte, limit)
	}
	p := headParser{head: &r.head, lines: r.room.lines[:0]}
	for {
		if err := r.fill(limit); err != nil {
			return err
		}
		done, err := p.parse(r.buf[:r.w])
		switch {
		case err != nil:
			return err
		case done:
			r.r = p.at
			r.preread = int64(r.w - r.r)
			r.bodyRead = r.preread
			return nil
		case r.w == limit:
			p.collect(r.buf)
			return errBigHead
		}
	}
}

// begin goes on to the body. The responses to HEAD, and those of status 204 and
// 304, have none whatever their head says.
func (r *responseReader) begin(isHead bool) {
	switch h := &r.head; {
	case isHead || h.status == 204 || h.status == 304:
		r.framing, r.left = framedByLength, 0
	case h.chunked:
		r.framing = framedByChunks
	case h.length >= 0:
		r.framing, r.left = framedByLength, h.length
	default:
		r.framing = framedByClose
	}
	r.ended = r.framing == framedByLength && r.left == 0
}

// clean reports whether the connection stands exactly at the end of the
// response, so that the next bytes belong to the next request's.
func (r *responseReader) clean() bool {
	return r.ended && r.r == r.w && !r.eof && r.framing != framedByClose && !r.head.close && !r.head.bare
}

// ahead is what has been read and not delivered, valid until the next read.
func (r *responseReader) ahead() []byte { return r.buf[r.r:r.w] }

// inChunks reports whether the body comes in chunks.
func (r *responseReader) inChunks() bool { return r.framing == framedByChunks }

// surplus reports whether more came than the response may hold.
func (r *responseReader) surplus() bool { return r.ended && r.r < r.w }

// next gives the next bytes of the body, valid until the next call, and io.EOF at
// its end. With gather it waits until a piece of some size is there, or all that
// can be counted on. The error is http1.ErrBadChunk, io.ErrUnexpectedEOF for a
// body cut short, or one of the network.
func (r *responseReader) next(gather bool) ([]byte, error) {
	for {
		if r.framing == framedByChunks && !r.ended && (!gather || r.enough()) {
			n, err := r.chunks.Parse(r.buf[r.r:r.w])
			r.r += n
			if err != nil {
				return nil, err
			}
			r.ended = r.chunks.Done()
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

// gatherSize is how much is waited for before a piece is passed on
// (proxy_buffers).
const gatherSize = 4096

// enough reports whether what is buffered is worth passing on.
func (r *responseReader) enough() bool {
	n := r.w - r.r
	if n >= gatherSize || r.eof {
		return true
	}
	switch r.framing {
	case framedByLength:
		return int64(n) >= r.left
	case framedByChunks:
		return int64(n) >= r.chunks.Need()
	}
	return false
}

// deliverable is how many of the bytes read ahead are the body's and come next.
func (r *responseReader) deliverable() int {
	n := int64(r.w - r.r)
	switch r.framing {
	case framedByLength:
		n = min(n, r.left)
	case framedByChunks:
		n = min(n, r.chunks.Data())
	}
	return int(n)
}

func (r *responseReader) took(n int64) {
	switch r.framing {
	case framedByLength:
		r.left -= n
		r.ended = r.left == 0
	case framedByChunks:
		r.chunks.Took(n)
	}
}

// more reads the next bytes of the body.
func (r *responseReader) more() error {
	before := r.received
	err := r.fill(len(r.buf))
	r.bodyRead += r.received - before
	return err
}

// rest is what an upstream that closed leaves: what was gathered, then the end.
func (r *responseReader) rest(err error) ([]byte, error) {
	if err != io.EOF {
		return nil, err
	}
	if r.deliverable() > 0 || r.framing == framedByChunks && r.w > r.r {
		return r.next(false)
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
