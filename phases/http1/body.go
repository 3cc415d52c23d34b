package http1

import (
	"errors"
	"io"
	"math"
)

// ErrBadChunk is returned for a body whose chunks are malformed. nginx answers
// 400 and logs "client sent invalid chunked body".
var ErrBadChunk = errors.New("client sent invalid chunked body")

// body is the state of reading one request's body.
type body struct {
	left    int64 // bytes of the body, or of the current chunk, still to come
	chunked bool
	state   chunkState
	done    bool
	taken   int64 // bytes consumed, the syntax of chunks included
}

// init prepares for the body that h announces.
func (b *body) init(h *Head) {
	*b = body{chunked: h.Chunked}
	if !h.Chunked {
		b.left = max(h.ContentLength, 0)
		b.done = b.left == 0
	}
}

// BodyDone reports whether the whole body has been read.
func (rd *Reader) BodyDone() bool { return rd.body.done }

// BodyLeft is the number of body bytes that are still to come, -1 when the
// length is not known.
func (rd *Reader) BodyLeft() int64 {
	if rd.body.chunked && !rd.body.done {
		return -1
	}
	return rd.body.left
}

// BodyTaken is the number of bytes read of the body as it came over the wire.
func (rd *Reader) BodyTaken() int64 { return rd.body.taken }

// SkipBody throws away what has been read ahead of the body, without waiting for
// more. The error is ErrBadChunk.
func (rd *Reader) SkipBody() error {
	for b := &rd.body; !b.done && rd.start < rd.end; {
		if b.chunked && b.state != chunkData {
			if err := rd.chunkSyntax(); err != nil {
				return err
			}
			continue
		}
		n := min(int64(rd.end-rd.start), b.left)
		rd.start += int(n)
		b.passed(n)
	}
	return nil
}

// chunkSyntax reads what has been read ahead of the lines between chunks.
func (rd *Reader) chunkSyntax() error {
	n, err := rd.body.parse(rd.Buffered())
	rd.start += n
	rd.body.taken += int64(n)
	return err
}

// passed notes that n bytes of data were read.
func (b *body) passed(n int64) {
	b.left -= n
	b.taken += n
	if b.left > 0 {
		return
	}
	if b.chunked {
		b.state = chunkAfterData
	} else {
		b.done = true
	}
}

// ReadBody reads the next bytes of the body, transfer coding removed. It returns
// io.EOF at the body's end, ErrBadChunk, ErrTimeout, io.ErrUnexpectedEOF when the
// client went away early, or a network error.
func (rd *Reader) ReadBody(p []byte) (int, error) {
	b := &rd.body
	for {
		if b.done {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		if b.chunked && b.state != chunkData {
			if err := rd.chunkSyntax(); err != nil {
				return 0, err
			}
			if b.state != chunkData && !b.done {
				if err := rd.more(rd.BodyTimeout); err != nil {
					return 0, err
				}
			}
			continue
		}
		n, err := rd.bodyBytes(p[:min(int64(len(p)), b.left)])
		b.passed(int64(n))
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// bodyBytes fills p from the bytes read ahead, else from the connection.
func (rd *Reader) bodyBytes(p []byte) (int, error) {
	if rd.start < rd.end {
		n := copy(p, rd.Buffered())
		rd.start += n
		return n, nil
	}
	if len(p) < len(rd.buf)/2 {
		if err := rd.more(rd.BodyTimeout); err != nil {
			return 0, err
		}
		return rd.bodyBytes(p)
	}
	rd.deadline.Extend(rd.BodyTimeout)
	n, err := rd.conn.Read(p)
	switch {
	case n > 0:
		return n, nil
	case err == io.EOF:
		return 0, io.ErrUnexpectedEOF
	case rd.timedOut(err):
		return 0, ErrTimeout
	}
	return 0, err
}

// chunkState is the place in the syntax of a chunked body, with the rules of
// ngx_http_parse_chunked: extensions and trailers are skipped, a bare line feed
// ends a line.
type chunkState int

const (
	chunkStart     chunkState = iota // first digit of a size
	chunkSize                        // further digits
	chunkExtension                   // up to the line end
	chunkExtensionLF
	chunkData
	chunkAfterData
	chunkAfterDataLF
	lastExtension // the same behind a size of zero
	lastExtensionLF
	trailerStart
	trailerEndLF
	trailerLine
	trailerLineLF
)

// maxChunk keeps the size with the syntax around it within an off_t.
const maxChunk = math.MaxInt64 - 5

// parse reads syntax from p until data follows, the body is done or p ends, and
// returns the number of bytes it took.
func (b *body) parse(p []byte) (int, error) {
	for i, c := range p {
		switch b.state {
		case chunkStart:
			digit, ok := unhex(c)
			if !ok {
				return i, ErrBadChunk
			}
			b.left = int64(digit)
			b.state = chunkSize
		case chunkSize:
			if digit, ok := unhex(c); ok {
				if b.left > (maxChunk-int64(digit))/16 {
					return i, ErrBadChunk
				}
				b.left = b.left*16 + int64(digit)
				continue
			}
			if !b.afterSize(c) {
				return i, ErrBadChunk
			}
		case chunkExtension, lastExtension:
			if c == '\r' {
				b.state++
			} else if c == '\n' {
				b.startData()
			}
		case chunkExtensionLF, lastExtensionLF:
			if c != '\n' {
				return i, ErrBadChunk
			}
			b.startData()
		case chunkAfterData:
			if c == '\r' {
				b.state = chunkAfterDataLF
			} else if c == '\n' {
				b.state = chunkStart
			} else {
				return i, ErrBadChunk
			}
		case chunkAfterDataLF:
			if c != '\n' {
				return i, ErrBadChunk
			}
			b.state = chunkStart
		default:
			if !b.trailer(c) {
				return i, ErrBadChunk
			}
		}
		if b.state == chunkData || b.done {
			return i + 1, nil
		}
	}
	return len(p), nil
}

// afterSize takes the byte behind the digits of a size.
func (b *body) afterSize(c byte) bool {
	extension := chunkExtension
	if b.left == 0 {
		extension = lastExtension
	}
	switch c {
	case '\r':
		b.state = extension + 1
	case '\n':
		b.startData()
	case ';', ' ', '\t':
		b.state = extension
	default:
		return false
	}
	return true
}

// startData goes on behind the line of a size.
func (b *body) startData() {
	if b.left == 0 {
		b.state = trailerStart
	} else {
		b.state = chunkData
	}
}

// trailer takes a byte behind the last chunk.
func (b *body) trailer(c byte) bool {
	switch b.state {
	case trailerStart:
		switch c {
		case '\r':
			b.state = trailerEndLF
		case '\n':
			b.done = true
		default:
			b.state = trailerLine
		}
	case trailerEndLF:
		b.done = c == '\n'
		return b.done
	case trailerLine:
		if c == '\r' {
			b.state = trailerLineLF
		} else if c == '\n' {
			b.state = trailerStart
		}
	case trailerLineLF:
		if c != '\n' {
			return false
		}
		b.state = trailerStart
	}
	return true
}
