package core

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync/atomic"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// RequestBody is the client's request body: not read, read into memory, read
// into a file, or thrown away.
type RequestBody struct {
	Data      []byte // the body, when it is in memory
	File      string // path of the temporary file, when it is there
	Read      bool   // the body has been read (it may be empty), or is being read
	Reading   bool
	Discarded bool
	// KeepFile leaves the file when the request ends
	// (client_body_in_file_only on; a file given by the script).
	KeepFile bool
	// Taken says that a socket object of the script owns the unread body.
	Taken bool

	Writer *BodyWriter // a body that the script makes
	inFile bool        // such a body goes to a file, however short it is
}

// Exists reports whether the body has been read, or taken by a socket: from then on
// the script may put another in its place.
func (b *RequestBody) Exists() bool { return b.Read || b.Taken }

// ErrBadChunk is what Downstream.ReadBody reports for a malformed chunk.
var ErrBadChunk = errors.New("client sent invalid chunked body")

// ErrBodyTimeout is what Downstream.ReadBody reports when the client sends
// nothing for client_body_timeout.
var ErrBodyTimeout = errors.New("client timed out")

// ReadBody reads the whole body of the client's request, into memory or, when
// it is longer than client_body_buffer_size, into a file. It returns OK or a
// status (ngx_http_read_client_request_body). The waiting is done inside
// block, which gives the baton up meanwhile (Thread.Block); nil is for callers
// that are not in Lua.
func (r *Request) ReadBody(block func(func())) int {
	if r != r.Main || r.Body.Read || r.Body.Discarded || r.Body.Taken {
		return OK
	}
	if !r.SendContinue() {
		return 500
	}
	b := &r.Body
	b.Read = true
	if r.ContentLength < 0 && !r.Chunked {
		return OK
	}
	if r.ContentLength == 0 {
		b.Data = []byte{}
		if r.Loc.bodyInFile.V == bodyInFileOff {
			return OK
		}
	}
	l := r.Loc
	rd := bodyReader{r: r, limit: l.MaxBodySize.V, declared: r.ContentLength}
	rd.settleMemory(l.BodyBufferSize.V)
	if l.bodyInFile.V != bodyInFileOff {
		rd.memory = 0
		b.KeepFile = l.bodyInFile.V == bodyInFileOn
	}
	if block == nil {
		block = r.Wait
	}
	rc := OK
	b.Reading = true
	block(func() { rc = rd.run() })
	b.Reading = false
	b.Data, b.File = rd.data, rd.path
	if rd.cut {
		r.KeepAlive = false
	}
	if (rc == OK || rd.refused) && r.Chunked {
		r.ContentLength = rd.total
	}
	return rc
}

const (
	bodyInFileOff = iota
	bodyInFileOn
	bodyInFileClean
)

// bodyReader is one reading of a body.
type bodyReader struct {
	r        *Request
	limit    int64 // client_max_body_size, 0: none
	memory   int64 // a longer body goes to a file
	wire     int64 // so does a chunked one that takes more than this on the wire
	declared int64 // Content-Length, -1 for chunked bodies
	total    int64
	file     *os.File
	cut      bool // the client sent more than declared
	refused  bool // it is too long, or its chunks are malformed

	// What was read; moved to the request when its baton is held again.
	data []byte
	path string
}

// settleMemory says which bodies stay in memory. nginx keeps what came in with the
// head where it is, and a body that fits there altogether; for the rest it takes a
// buffer of client_body_buffer_size, and one of up to a quarter more when that
// holds all of it (ngx_http_read_client_request_body).
func (b *bodyReader) settleMemory(buffer int64) {
	b.memory, b.wire = buffer, math.MaxInt64
	conn, ok := b.r.Conn.(interface{ PrereadBody() (ahead, room int) })
	if !ok {
		return
	}
	ahead, room := conn.PrereadBody()
	if b.declared < 0 {
		b.memory, b.wire = math.MaxInt64, b.r.BodyReceived+int64(ahead)+buffer
		return
	}
	b.memory = 0
	if rest := b.declared - int64(ahead); rest <= int64(room) || rest < buffer+buffer>>2 {
		b.memory = b.declared
	}
}

func (b *bodyReader) run() int {
	size := b.declared
	if size < 0 {
		size = 4096
	}
	if size <= b.memory {
		b.data = make([]byte, 0, size)
	}
	buf := make([]byte, min(max(size, 1), 16<<10))
	for {
		n, err := b.r.Conn.ReadBody(buf)
		if left := b.declared - b.total; b.declared >= 0 && (int64(n) > left || int64(n) == left && b.r.HTTPMajor < 2) {
			// A script may have made Content-Length smaller: the rest is not
			// part of the body.
			if int64(n) > left {
				n, b.cut = int(left), true
			}
			err = io.EOF
		}
		if n > 0 {
			if rc := b.store(buf[:n]); rc != OK {
				return rc
			}
		}
		if err == io.EOF {
			return b.end()
		}
		if err != nil {
			return b.fail(err)
		}
	}
}

// store keeps a piece of the body, moving to a file when it grows too long.
func (b *bodyReader) store(p []byte) int {
	b.total += int64(len(p))
	if b.limit > 0 && b.declared < 0 {
		size := int64(len(p)) // of the chunk, as far as it is not stored
		if c, ok := b.r.Conn.(interface{ ChunkLeft() int64 }); ok {
			size += c.ChunkLeft()
		}
		if b.total-int64(len(p))+size > b.limit {
			b.tooLarge(int64(len(p)), size)
			return 413
		}
	}
	if b.file == nil && b.total <= b.memory && b.r.BodyReceived <= b.wire {
		b.data = append(b.data, p...)
		return OK
	}
	if b.file == nil {
		if rc := b.openFile(); rc != OK {
			return rc
		}
	}
	if _, err := b.file.Write(p); err != nil {
		return b.fileError(err)
	}
	return OK
}

// openFile moves what was read so far to a file.
func (b *bodyReader) openFile() int {
	f, err := b.r.createBodyFile()
	if err != nil {
		b.r.Logf(errlog.Crit, "%v", err)
		return 500
	}
	b.file, b.path = f, f.Name()
	level := errlog.Warn
	if b.r.Loc.bodyInFile.V != bodyInFileOff {
		level = errlog.Notice
	}
	b.r.Logf(level, "a client request body is buffered to a temporary file %s", f.Name())
	if _, err := f.Write(b.data); err != nil {
		return b.fileError(err)
	}
	b.data = nil
	return OK
}

func (b *bodyReader) fileError(err error) int {
	b.r.Logf(errlog.Crit, "%v", err)
	b.close()
	return 500
}

func (b *bodyReader) end() int {
	if b.total == 0 && b.r.Loc.bodyInFile.V != bodyInFileOff {
		if rc := b.openFile(); rc != OK {
			return rc
		}
	}
	b.close()
	return OK
}

// tooLarge refuses a body of which n bytes have just come that are the first of a
// chunk of size bytes.
func (b *bodyReader) tooLarge(n, size int64) {
	if b.r.HTTPMajor > 1 {
		b.r.Logf(errlog.Err, "client intended to send too large chunked body: %d bytes", b.total)
		b.close()
		return
	}
	b.total -= n
	b.r.Logf(errlog.Err, "client intended to send too large chunked body: %d+%d bytes", b.total, size)
	b.refuse()
}

// refuse gives a chunked body up: for variables nothing of it has come.
func (b *bodyReader) refuse() {
	b.close()
	b.data, b.refused = nil, true
	b.r.BodyReceived = 0
}

func (b *bodyReader) close() {
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
}

// fail turns a read error into the status nginx gives.
func (b *bodyReader) fail(err error) int {
	b.close()
	b.r.KeepAlive = false
	var refusal *BodyRefusal
	switch {
	case errors.As(err, &refusal):
		b.r.Log(errlog.Info, refusal.Msg)
		return refusal.Status
	case errors.Is(err, ErrBadChunk):
		b.refuse()
		b.r.Log(errlog.Err, "client sent invalid chunked body")
		return 400
	case errors.Is(err, ErrBodyTimeout):
		if b.r.HTTPMajor == 2 { // on HTTP/1 nginx says nothing
			b.r.Log(errlog.Info, ClientTimedOut)
		}
		return StatusRequestTimeout
	}
	b.r.Log(errlog.Info, "client prematurely closed connection")
	b.r.clientGone = true
	return 400
}

// TempNumbers counts what nginx numbers with ngx_next_temp_number: files of bodies
// and the boundaries of multipart answers.
var TempNumbers atomic.Uint64

// createBodyFile makes the temporary file of a body.
func (r *Request) createBodyFile() (*os.File, error) {
	dir := r.bodyTempDir()
	if dir == "" {
		return os.CreateTemp("", "body")
	}
	for {
		name := fmt.Sprintf("%s/%010d", strings.TrimSuffix(dir, "/"), TempNumbers.Add(1))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// bodyTempDir is where bodies that do not fit in memory are written; "" means
// the system's folder for temporary files.
func (r *Request) bodyTempDir() string {
	dir := r.Loc.bodyTempPath.V
	if dir == "" {
		return ""
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ""
	}
	return dir
}

// DiscardBody gives up the body: what has come of it is thrown away now, and the
// rest after the response. It returns OK, or a status for a body that cannot be
// read (ngx_http_discard_request_body).
func (r *Request) DiscardBody() int {
	if r != r.Main || r.Body.Read || r.Body.Discarded || r.Body.Taken {
		return OK
	}
	if !r.SendContinue() {
		return 500
	}
	if r.ContentLength <= 0 && !r.Chunked {
		return OK
	}
	r.Body.Discarded = true
	if r.Conn.SkipBody() != nil {
		r.Log(errlog.Err, "client sent invalid chunked body")
		return 400
	}
	if conn, ok := r.Conn.(interface{ BodyDone() bool }); ok && conn.BodyDone() {
		r.BodyDiscarded()
	}
	return OK
}

// BodyDiscarded notes that all of a discarded body has come: the request is one
// without a body now (ngx_http_discard_request_body).
func (r *Request) BodyDiscarded() {
	r.Body.Discarded = false
	if r.Chunked { // nginx reads chunks by way of a body
		r.Body.Read, r.Body.Data = true, []byte{}
	}
	r.ContentLength = 0
}

// continueLine answers "Expect: 100-continue".
var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// SendContinue answers "Expect: 100-continue" once, before the body is read or
// thrown away, even one that is not there. The answer overtakes what is buffered (ngx_http_test_expect).
func (r *Request) SendContinue() bool {
	if r.expectTested || r.HTTPMajor != 1 || r.HTTPMinor == 0 {
		return true
	}
	expect, ok := r.In.Get("Expect")
	if !ok {
		return true
	}
	r.expectTested = true
	if !ngxtext.EqualFold(expect, "100-continue") {
		return true
	}
	r.Log(errlog.Debug, "send 100 Continue")
	r.BodySent += int64(len(continueLine))
	r.BytesSent += int64(len(continueLine))
	return r.Conn.Interim(continueLine) == nil
}

// Bytes is the body that was read, from memory or from its file.
func (b *RequestBody) Bytes() ([]byte, error) {
	if b.File == "" {
		return b.Data, nil
	}
	return os.ReadFile(b.File)
}

// cleanup removes the temporary file.
func (b *RequestBody) cleanup() {
	b.closeWriter()
	if b.File != "" && !b.KeepFile {
		os.Remove(b.File)
	}
	*b = RequestBody{}
}

// BodyRefusal is an error of ReadBody that has nginx's log line and status.
type BodyRefusal struct {
	Status int
	Msg    string
}

func (e *BodyRefusal) Error() string { return e.Msg }
