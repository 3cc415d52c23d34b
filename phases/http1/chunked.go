package http1

import (
	"errors"
	"math"
	"strings"
)

// ErrBadChunk is returned for a body whose chunks are malformed. nginx answers
// a client's with 400 and logs "client sent invalid chunked body".
var ErrBadChunk = errors.New("client sent invalid chunked body")

// Chunked takes the chunked transfer coding off a body, with the rules of
// ngx_http_parse_chunked: extensions and trailers are skipped. A bare line feed ends no
// line, as who reads it differently would find the body's end elsewhere; old releases of
// nginx let it pass. Its zero value stands before the first chunk. It holds no bytes:
// it looks at those of its user, who says what data it took.
type Chunked struct {
	// Keep is how many bytes of trailer fields are kept; with more the body is malformed. 0
	// keeps none of any number.
	Keep int
	kept []byte

	left  int64 // of the current chunk, still to come
	state chunkState
	done  bool
}

// chunkState is the place in the syntax of a chunked body.
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

// Data is the number of bytes of the body that come next; 0 where syntax does.
func (b *Chunked) Data() int64 {
	if b.state == chunkData {
		return b.left
	}
	return 0
}

// Took says that n of the bytes of Data were taken.
func (b *Chunked) Took(n int64) {
	if b.left -= n; b.left == 0 && b.state == chunkData {
		b.state = chunkAfterData
	}
}

// Done reports whether the last chunk and its trailer have been read.
func (b *Chunked) Done() bool { return b.done }

// Need is the least number of bytes that must still come before the body can
// end, the most that may be waited for.
func (b *Chunked) Need() int64 {
	if b.done {
		return 0
	}
	switch b.state { // counted with bare line feeds, so that what is wrong is seen early
	case chunkStart:
		return 3 // "0" LF LF
	case chunkSize, chunkExtension, chunkExtensionLF:
		return 1 + b.left + 4
	case chunkData:
		return b.left + 4
	case chunkAfterData, chunkAfterDataLF:
		return 4
	case trailerStart, trailerEndLF:
		return 1
	}
	return 2
}

// Parse reads syntax from p until data follows, the body is done or p ends, and
// returns the number of bytes it took.
func (b *Chunked) Parse(p []byte) (int, error) {
	if b.done || b.state == chunkData {
		return 0, nil
	}
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
				return i, ErrBadChunk
			}
		case chunkExtensionLF, lastExtensionLF:
			if c != '\n' {
				return i, ErrBadChunk
			}
			b.startData()
		case chunkAfterData:
			if c != '\r' {
				return i, ErrBadChunk
			}
			b.state = chunkAfterDataLF
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
func (b *Chunked) afterSize(c byte) bool {
	extension := chunkExtension
	if b.left == 0 {
		extension = lastExtension
	}
	switch c {
	case '\r':
		b.state = extension + 1
	case ';', ' ', '\t':
		b.state = extension
	default:
		return false
	}
	return true
}

// startData goes on behind the line of a size.
func (b *Chunked) startData() {
	if b.left == 0 {
		b.state = trailerStart
	} else {
		b.state = chunkData
	}
}

// trailer takes a byte behind the last chunk.
func (b *Chunked) trailer(c byte) bool {
	switch b.state {
	case trailerStart:
		switch c {
		case '\r':
			b.state = trailerEndLF
		case '\n':
			return false
		default:
			b.state = trailerLine
			return b.keep(c)
		}
	case trailerEndLF:
		b.done = c == '\n'
		return b.done
	case trailerLine:
		if c == '\r' {
			b.state = trailerLineLF
			return true
		}
		return c != '\n' && b.keep(c)
	case trailerLineLF:
		if c != '\n' {
			return false
		}
		b.state = trailerStart
		return b.keep(c)
	}
	return true
}

// keep notes a byte of the trailer fields.
func (b *Chunked) keep(c byte) bool {
	if b.Keep > 0 {
		b.kept = append(b.kept, c)
	}
	return len(b.kept) <= b.Keep
}

// Trailer gives the fields behind the last chunk, as far as they have the form of one and as
// they were kept.
func (b *Chunked) Trailer() []Field {
	var list []Field
	for line := range strings.SplitSeq(string(b.kept), "\n") {
		name, value, ok := strings.Cut(line, ":")
		if ok && name != "" && strings.IndexFunc(name, func(r rune) bool { return r > 0x7e || nameClass[byte(r)] == 0 }) < 0 {
			list = append(list, Field{name, strings.Trim(value, " \t")})
		}
	}
	return list
}
