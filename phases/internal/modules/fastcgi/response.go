package fastcgi

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// records is where in the records of a response an exchange is: it is what
// ngx_http_fastcgi_process_record and the filters behind it keep.
type records struct {
	place   place
	head    [headSize]byte
	had     int // bytes of head
	kind    byte
	length  int    // of the content, still to come
	padding int    // still to come
	text    []byte // of the response's head
	rest    int64  // that Content-Length lets come, -1 for any number
	done    bool
}

// place is what of a record comes next.
type place uint8

const (
	inHead place = iota
	inContent
	inPadding
)

// Reset begins with the first record.
func (x *exchange) Reset() { x.in = records{text: x.in.text[:0]} }

// takeHead takes bytes of a record's head from b. Each byte is looked at when it comes.
func (c *records) takeHead(b []byte) (n int, complete bool, err error) {
	for n = 0; n < len(b) && c.had < headSize; n++ {
		v := b[n]
		switch c.had {
		case 0:
			if v != 1 {
				return n, false, fmt.Errorf("upstream sent unsupported FastCGI protocol version: %d", v)
			}
		case 1:
			if v != stdout && v != stderr && v != endRequest {
				return n, false, fmt.Errorf("upstream sent invalid FastCGI record type: %d", v)
			}
		case 2:
			if v != 0 {
				return n, false, fmt.Errorf("upstream sent unexpected FastCGI request id high byte: %d", v)
			}
		case 3:
			if v != 1 {
				return n, false, fmt.Errorf("upstream sent unexpected FastCGI request id low byte: %d", v)
			}
		}
		c.head[c.had] = v
		c.had++
	}
	if c.had < headSize {
		return n, false, nil
	}
	c.had, c.kind, c.place = 0, c.head[1], inContent
	c.length, c.padding = int(c.head[4])<<8|int(c.head[5]), int(c.head[6])
	return n, true, nil
}

// takePadding takes padding from b.
func (c *records) takePadding(b []byte) (n int) {
	n = min(c.padding, len(b))
	if c.padding -= n; c.padding == 0 {
		c.place = inHead
	}
	return n
}

// took says that n bytes of the content were taken.
func (c *records) took(n int) {
	if c.length -= n; c.length == 0 {
		c.place = inPadding
	}
}

// ParseHead reads the head of a response from its records
// (ngx_http_fastcgi_process_header).
func (x *exchange) ParseHead(b []byte) (n int, done bool, err error) {
	c := &x.in
	for {
		switch c.place {
		case inHead:
			took, complete, err := c.takeHead(b[n:])
			n += took
			switch {
			case err != nil:
				return n, false, upstream.HeadError(err.Error())
			case !complete:
				return n, false, nil
			case c.kind == endRequest:
				return n, false, upstream.HeadError(fmt.Sprintf("upstream sent unexpected FastCGI record: %d", c.kind))
			case c.kind == stdout && c.length == 0:
				return n, false, upstream.HeadError("upstream prematurely closed FastCGI stdout")
			}
		case inPadding:
			n += c.takePadding(b[n:])
		case inContent:
			piece := b[n:min(n+c.length, len(b))]
			if len(piece) == 0 && c.length > 0 {
				return n, false, nil
			}
			if c.kind == stderr {
				n += len(piece)
				if x.stderr(piece) {
					return n, false, upstream.HeadError("")
				}
				continue
			}
			took, done, err := x.parseLines(piece)
			n += took
			if done || err != nil {
				return n, done, err
			}
		}
		if n == len(b) && (c.place != inPadding || c.padding > 0) {
			return n, false, nil
		}
	}
}

// parseLines reads lines of the head from the content of a record, and takes no more of
// it than the head.
func (x *exchange) parseLines(piece []byte) (took int, done bool, err error) {
	c := &x.in
	before := len(c.text)
	c.text = append(c.text, piece...)
	end, done, err := x.In.ParseHeaders(c.text)
	took = len(piece)
	if done {
		took = end - before
	}
	c.took(took)
	if done && err == nil {
		err = x.status()
	}
	return took, done, err
}

// status finds the response's status: Status says it, or that there is a Location.
func (x *exchange) status() error {
	h := &x.In.Head
	h.Close = !x.conf.keepConn.V
	if v, ok := h.Headers.Get("Status"); ok {
		n, good := int64(0), len(v) >= 3
		if good {
			n, good = ngxtext.ParseDecimal(v[:3])
		}
		if !good {
			return upstream.HeadError(fmt.Sprintf("upstream sent invalid status \"%s\"", v))
		}
		h.Status, h.Line = int(n), v
		return nil
	}
	h.Status, h.Line = 200, "200 OK"
	if h.Headers.Has("Location") {
		h.Status, h.Line = 302, "302 Moved Temporarily"
	}
	return nil
}

// stderr logs what an application says there and tells whether fastcgi_catch_stderr
// takes it for a failure.
func (x *exchange) stderr(text []byte) (caught bool) {
	x.in.took(len(text))
	if len(text) == 0 {
		return false
	}
	msg := string(text)
	x.R.Logf(errlog.Err, "FastCGI sent in stderr: \"%s\"", strings.TrimRight(msg, "\n\r. "))
	for _, part := range x.conf.catch {
		if strings.Contains(msg, part) {
			return true
		}
	}
	return false
}

// StartBody goes on to the body (ngx_http_fastcgi_input_filter_init).
func (x *exchange) StartBody() {
	h := &x.In.Head
	x.in.rest = h.Length
	if h.Status == 204 || h.Status == 304 {
		x.in.rest = 0
	}
	x.In.InsideJoined((*body)(x))
}

// body is the exchange as the upstream.Decoder of its records
// (ngx_http_fastcgi_input_filter, ngx_http_fastcgi_non_buffered_filter).
type body exchange

// Parse takes all that is not data of the body from b.
func (x *body) Parse(b []byte) (n int, err error) {
	c := &x.in
	for !c.done {
		switch c.place {
		case inHead:
			took, complete, err := c.takeHead(b[n:])
			n += took
			if err != nil {
				return n, upstream.BodyError(err.Error())
			}
			if !complete {
				return n, nil
			}
			if x.cut() {
				return n, upstream.ErrCut
			}
		case inPadding:
			n += c.takePadding(b[n:])
			switch {
			case c.place == inPadding:
				return n, nil
			case c.kind == endRequest:
				c.done = true
			}
		case inContent:
			if x.Data() > 0 {
				return n, nil
			}
			piece := b[n:min(n+c.length, len(b))]
			if len(piece) == 0 && c.length > 0 {
				return n, nil
			}
			n += len(piece)
			switch {
			case c.kind == stderr:
				(*exchange)(x).stderr(piece)
				continue
			case c.kind == stdout && len(piece) > 0 && c.rest == 0:
				x.R.Log(errlog.Warn, "upstream sent more data than specified in \"Content-Length\" header")
				c.done = true
			}
			c.took(len(piece))
		}
	}
	return n, nil
}

// cut reports, and logs, that a record ends the response before its Content-Length does.
func (x *body) cut() bool {
	c := &x.in
	if c.rest <= 0 {
		return false
	}
	if c.kind == stdout && c.length == 0 && x.Buffered() {
		x.R.Log(errlog.Err, "upstream prematurely closed FastCGI stdout")
		return true
	}
	if c.kind == endRequest {
		x.R.Log(errlog.Err, "upstream prematurely closed FastCGI request")
		return true
	}
	return false
}

// Data is how many bytes of the body come next.
func (x *body) Data() int64 {
	c := &x.in
	if c.place != inContent || c.kind != stdout {
		return 0
	}
	if c.rest >= 0 {
		return min(int64(c.length), c.rest)
	}
	return int64(c.length)
}

// Took says that n of those were taken.
func (x *body) Took(n int64) {
	if x.in.rest >= 0 {
		x.in.rest -= n
	}
	x.in.took(int(n))
}

// Need is what must still come. An application that does not keep its connection may end
// by closing it, so what comes is gathered until a buffer is full.
func (x *body) Need() int64 {
	c := &x.in
	switch {
	case !x.conf.keepConn.V:
		return math.MaxInt64
	case c.place == inHead:
		return int64(headSize - c.had)
	}
	return int64(c.length + c.padding + headSize)
}

// Done reports whether the request has ended.
func (x *body) Done() bool { return x.in.done }

// Closed says that the end of the connection is that of the response, but for a buffered
// one of an application that was told to keep the connection.
func (x *body) Closed() error {
	if x.conf.keepConn.V && x.Buffered() {
		return io.ErrUnexpectedEOF
	}
	if x.in.rest > 0 {
		x.R.KeepAlive = false // its length was announced
	}
	return io.EOF
}
