package http1

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// Limits are the directives that bound what a client may send. nginx takes them
// from the default server of the port, as the name is not known yet.
type Limits struct {
	HeaderBuffer  int           // client_header_buffer_size
	LargeBuffer   int           // size of large_client_header_buffers
	LargeCount    int           // number of large_client_header_buffers
	MaxHeaders    int           // max_headers
	HeaderTimeout time.Duration // client_header_timeout
	Fields        FieldOptions
	KeepSlashes   bool // merge_slashes off
	Connects      bool // the target of CONNECT is a host and a port, as in newer releases
}

// DefaultLimits are nginx's.
var DefaultLimits = Limits{
	HeaderBuffer:  1024,
	LargeBuffer:   8192,
	LargeCount:    4,
	MaxHeaders:    1000,
	HeaderTimeout: 60 * time.Second,
}

// initialBuffer is the size a connection's read buffer starts with: enough for
// the head of nearly every request, so that one read takes it.
const initialBuffer = 4096

// Reader reads the requests of one connection.
type Reader struct {
	conn   net.Conn
	limits *Limits

	buf        []byte
	start, end int // the bytes read ahead are buf[start:end]

	// BeforeWait is called before the reader waits for the start of a request,
	// so that pending output can be sent first. An error ends the wait.
	BeforeWait func() error
	// AfterWait is called when the first bytes of a request have come; nil for
	// nothing to do.
	AfterWait func()
	// BodyTimeout bounds each wait for a piece of the body
	// (client_body_timeout).
	BodyTimeout time.Duration
	// Pipelined tells that the current request came in with the one before.
	Pipelined bool

	deadline Deadline
	headEnd  time.Time // when the head being read must be complete; zero: not yet known
	began    time.Time // the connection, until its first head
	body     body
	fields   []field // of the head being read, offsets from start
	last     string  // text of the last head, to share it with an equal one
	room     int     // bytes that nginx's buffer of the head has left behind it
}

// Reset prepares rd for a new connection.
func (rd *Reader) Reset(conn net.Conn, limits *Limits) {
	buf := rd.buf
	if buf == nil || len(buf) > 4*initialBuffer {
		buf = make([]byte, initialBuffer)
	}
	*rd = Reader{conn: conn, limits: limits, buf: buf, fields: rd.fields[:0], BodyTimeout: time.Minute,
		deadline: NewDeadline(conn.SetReadDeadline), began: time.Now()}
}

// SetLimits replaces the limits, once the server that a request is for is known.
func (rd *Reader) SetLimits(limits *Limits) { rd.limits = limits }

// Buffered gives the bytes read ahead. They stay read ahead.
func (rd *Reader) Buffered() []byte { return rd.buf[rd.start:rd.end] }

// Preread tells how many of the bytes read ahead nginx would have got into the
// buffer of the head, and how many more fit there.
func (rd *Reader) Preread() (ahead, room int) {
	ahead = min(rd.end-rd.start, rd.room)
	return ahead, rd.room - ahead
}

// Take gives the bytes read ahead away.
func (rd *Reader) Take() []byte {
	b := bytes.Clone(rd.Buffered())
	rd.start, rd.end = 0, 0
	return b
}

// ErrTimeout is returned when the client was too slow in the middle of a head or
// body; ErrIdle when it did not start a request in time.
var (
	ErrTimeout = errors.New("client timed out")
	ErrIdle    = errors.New("client was idle")
)

// ReadHead reads the next request's head into h, which must begin within wait.
// The error is io.EOF or ErrIdle when no request came, *Error for one to
// be refused, and else ErrTimeout, io.ErrUnexpectedEOF or a network error. With
// an error h holds what is known of the request.
func (rd *Reader) ReadHead(h *Head, wait time.Duration) error {
	h.reset()
	rd.body, rd.headEnd = body{}, time.Time{}
	if err := rd.skipEmptyLines(wait); err != nil {
		return err
	}
	scan := headScan{room: rd.limits.HeaderBuffer}
	for {
		perr, done := scan.lines(rd)
		// nginx looks at a line as soon as it has it, so what an earlier line
		// says comes first.
		if err := rd.judge(h, &scan); err != nil {
			perr = err
		}
		if done && perr == nil {
			perr = h.finish()
		}
		if perr != nil {
			h.AsksHead = bytes.HasPrefix(rd.Buffered(), []byte("HEAD "))
			if perr == errMethod09 {
				h.Major, h.Minor = 0, 9
			}
			if h.Line == "" {
				b := rd.Buffered()
				if perr == errTooLong {
					b = b[:min(len(b), rd.limits.LargeBuffer)]
				}
				h.Line = brokenLine(b)
			}
			return perr
		}
		if done {
			rd.last, rd.room, rd.began = h.Text, scan.room, time.Time{}
			rd.start += len(h.Text)
			rd.body.init(h)
			return nil
		}
		if err := rd.moreHead(); err != nil {
			if h.Line == "" {
				h.Line = brokenLine(rd.Buffered())
			}
			return err
		}
	}
}

// skipEmptyLines reads until the first byte that is no line end. nginx lets them
// stand before a request.
func (rd *Reader) skipEmptyLines(wait time.Duration) error {
	rd.Pipelined = rd.start < rd.end
	fresh := true
	for {
		for rd.start < rd.end {
			if c := rd.buf[rd.start]; c != '\r' && c != '\n' {
				return nil
			}
			rd.start++
		}
		rd.start, rd.end = 0, 0
		if fresh {
			rd.deadline.Extend(wait)
		} else {
			rd.boundHead()
		}
		fresh = false
		if rd.BeforeWait != nil {
			if err := rd.BeforeWait(); err != nil {
				return err
			}
		}
		n, err := rd.conn.Read(rd.buf)
		rd.end = n
		if n > 0 && rd.AfterWait != nil {
			rd.AfterWait()
		}
		if n == 0 && err != nil {
			if rd.timedOut(err) {
				return ErrIdle
			}
			return err
		}
	}
}

// boundHead makes the next read end when the time for the whole head is over. That
// of a connection's first request counts from the start.
func (rd *Reader) boundHead() {
	if rd.headEnd.IsZero() {
		from := rd.began
		if from.IsZero() {
			from = time.Now()
		}
		rd.headEnd = from.Add(rd.limits.HeaderTimeout)
	}
	rd.deadline.Until(rd.headEnd)
}

// moreHead is more for the bytes of a head.
func (rd *Reader) moreHead() error {
	rd.boundHead()
	return rd.readMore()
}

// more reads more bytes behind those read ahead, which stay in one piece.
func (rd *Reader) more(timeout time.Duration) error {
	rd.deadline.Extend(timeout)
	return rd.readMore()
}

func (rd *Reader) readMore() error {
	if rd.start > 0 {
		copy(rd.buf, rd.buf[rd.start:rd.end])
		rd.end -= rd.start
		rd.start = 0
	}
	if rd.end == len(rd.buf) {
		rd.buf = append(rd.buf, make([]byte, len(rd.buf))...)
	}
	n, err := rd.conn.Read(rd.buf[rd.end:])
	rd.end += n
	switch {
	case n > 0:
		return nil
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case rd.timedOut(err):
		return ErrTimeout
	}
	return err
}

// headScan is the state of finding the lines of one head.
type headScan struct {
	line   requestLine
	next   int // offset of the first line that is not complete
	judged int // what next was when the lines were last looked at
	// nginx keeps the head in buffers, and no line may cross from one to the
	// next: room is what the current one has left, used counts the large ones.
	room, used int
}

// lines finds the complete lines among the bytes read ahead. done tells that the
// head is complete. Header lines go to rd.fields.
func (s *headScan) lines(rd *Reader) (perr *Error, done bool) {
	b := rd.Buffered()
	if s.next == 0 {
		rd.fields = rd.fields[:0]
		ok, err := s.line.parse(b, rd.limits.Connects)
		if err != nil {
			return err, false
		}
		if err := s.fits(rd.limits, b, s.line.next, ok, errTooLong); err != nil || !ok {
			return err, false
		}
		s.next = s.line.next
		if s.line.major == 0 {
			return nil, true // HTTP/0.9 has no headers
		}
	}
	var f field
	for {
		rest := b[s.next:]
		ok, bad := f.parse(rest, rd.limits.Fields)
		if bad {
			return invalidLine(rest[:f.next+1]), false
		}
		if err := s.fits(rd.limits, rest, f.next, ok, nil); err != nil || !ok {
			return err, false
		}
		f.start = s.next
		s.next += f.next
		if f.last {
			return nil, true
		}
		if len(rd.fields) == rd.limits.MaxHeaders {
			return errTooMany, false
		}
		rd.fields = append(rd.fields, f)
	}
}

// fits accounts for the line at the start of b: of length next when it is
// complete, else of all that b holds. tooLong is the error for one that does not
// fit, nil for that of header lines.
func (s *headScan) fits(limits *Limits, b []byte, next int, complete bool, tooLong *Error) *Error {
	size := next
	if !complete {
		// A full buffer without a line end does not do.
		if size = len(b); size < s.room {
			return nil
		}
		size++
	}
	if size <= s.room {
		s.room -= size
		return nil
	}
	if size > limits.LargeBuffer || s.used == limits.LargeCount {
		if tooLong == nil {
			full := s.room // nginx shows its buffer, which ends here
			if size > limits.LargeBuffer && s.used < limits.LargeCount {
				full = limits.LargeBuffer
			}
			shown := b[:min(len(b), full, maxLineShown)]
			tooLong = &Error{494, `client sent too long header line: "` + string(shown) + `..."` + readingHeaders}
		}
		return tooLong
	}
	if complete {
		s.used++
		s.room = limits.LargeBuffer - size
	}
	return nil
}

// invalidLine reports the header line whose last byte may not stand there.
func invalidLine(line []byte) *Error {
	const hex = "0123456789abcdef"
	n := len(line) - 1
	shown := append([]byte(`client sent invalid header line: "`), line[:n]...)
	shown = append(shown, '\\', 'x', hex[line[n]>>4], hex[line[n]&15])
	return &Error{400, string(shown) + `..."` + readingHeaders}
}

// maxLineShown bounds what a log line quotes of a header line
// (NGX_MAX_ERROR_STR - 300).
const maxLineShown = 1748

// judge takes the complete lines over into h, from the first one on, and reports
// the first that the request must be refused for.
func (rd *Reader) judge(h *Head, s *headScan) *Error {
	if s.next == s.judged {
		return nil
	}
	if s.judged > 0 { // begin anew with more lines
		h.reset()
	}
	s.judged = s.next
	text := rd.share(s.next)
	h.Text, h.Size = text, s.line.next
	if err := h.setLine(text, &s.line, !rd.limits.KeepSlashes); err != nil {
		return err
	}
	for i := range rd.fields {
		f := &rd.fields[i]
		if f.invalid && !rd.limits.Fields.KeepInvalid {
			continue
		}
		line := text[f.start:]
		name, value := line[:f.nameEnd], line[f.valueStart:f.valueEnd]
		known := len(h.Fields)
		if err := h.add(name, value); err != nil {
			if len(h.Fields) == known { // it is refused, but there
				h.Fields = append(h.Fields, Field{name, value})
			}
			h.Size = f.start + f.next
			return err
		}
	}
	h.Size = s.next
	return nil
}

// share gives the first n bytes read ahead as a string. Clients that keep a
// connection often repeat themselves, so an equal head costs no memory.
func (rd *Reader) share(n int) string {
	text := rd.buf[rd.start : rd.start+n]
	if string(text) == rd.last {
		return rd.last
	}
	return string(text)
}

// brokenLine is what log lines show of a request line that was refused.
func brokenLine(b []byte) string {
	if n := bytes.IndexAny(b, "\r\n"); n >= 0 {
		b = b[:n]
	}
	return string(b)
}

// timedOut tells whether err is that of a deadline which has passed. It may have
// been set by Interrupt, so the next wait sets it in any case.
func (rd *Reader) timedOut(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	rd.deadline.Forget()
	return true
}

// Deadline moves a connection's deadline ahead. As that costs more than reading a
// small request, one that is already within 1/64 of the wanted time stays.
type Deadline struct {
	set func(time.Time) error
	at  time.Time
}

// NewDeadline returns a deadline that is changed by set.
func NewDeadline(set func(time.Time) error) Deadline { return Deadline{set: set} }

// Extend moves the deadline to timeout from now.
func (d *Deadline) Extend(timeout time.Duration) {
	// Until asks the monotonic clock alone, which costs half of what Now does.
	if left := time.Until(d.at); left <= timeout && left >= timeout-timeout/64 {
		return
	}
	want := time.Now().Add(timeout)
	d.at = want
	_ = d.set(want) // fails only on a closed connection, and so will its use
}

// Until moves the deadline to at.
func (d *Deadline) Until(at time.Time) {
	if d.at.Equal(at) {
		return
	}
	d.at = at
	_ = d.set(at)
}

// Forget makes the next Extend set the deadline in any case, after someone else
// has changed it.
func (d *Deadline) Forget() { d.at = time.Time{} }

// Interrupt ends a wait for the connection to become readable, in which another
// goroutine is. ForgetDeadline has to follow.
func (rd *Reader) Interrupt() { _ = rd.conn.SetReadDeadline(time.Unix(1, 0)) }

// NoDeadline lets the connection be waited for without a limit.
func (rd *Reader) NoDeadline() {
	_ = rd.conn.SetReadDeadline(time.Time{})
	rd.deadline.Forget()
}

// ForgetDeadline is to be called when the connection's read deadline was changed.
func (rd *Reader) ForgetDeadline() { rd.deadline.Forget() }
