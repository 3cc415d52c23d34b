package serve

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/http2"
	"github.com/moonphase/moonphase/runtime/guard"
)

// HTTP/2 (RFC 9113) as nginx speaks it. One goroutine reads a connection's frames,
// each request has one for its phases, and who has something to send writes: there
// is no goroutine that only writes. The state of streams and windows belongs to the
// lock of the connection's writer.
//
//	http2.go         the connection: start, end, timers
//	http2frames.go   what each frame of the client does
//	http2request.go  header blocks and the request they make
//	http2stream.go   a stream as the Downstream of its request
//	http2body.go     request bodies
//	http2write.go    windows, the order of writing, control frames
//	http2head.go     response heads

// http2Type is the type of a frame.
type http2Type uint8

const (
	http2Data http2Type = iota
	http2Headers
	http2Priority
	http2Reset
	http2Settings
	http2PushPromise
	http2Ping
	http2GoAway
	http2WindowUpdate
	http2Continuation
)

// Flags of frames.
const (
	http2Ack        = 0x1
	http2EndStream  = 0x1
	http2EndHeaders = 0x4
	http2Padded     = 0x8
	http2HasWeight  = 0x20 // HEADERS with the fields of PRIORITY
)

// http2Code says in RST_STREAM and GOAWAY what is wrong.
type http2Code uint32

const (
	http2NoError http2Code = iota
	http2ProtocolError
	http2InternalError
	http2FlowControlError
	http2SettingsTimeout
	http2StreamClosed
	http2SizeError
	http2RefusedStream
	http2Cancel
	http2CompressionError
	http2ConnectError
	http2Calm // ENHANCE_YOUR_CALM
)

const (
	http2FrameHead     = 9
	http2DefaultWindow = 1<<16 - 1
	http2DefaultFrame  = 1 << 14
	http2TableSize     = 4096 // of the client's dynamic table
)

// http2Error ends a connection: msg is logged at level info, code sent in GOAWAY.
type http2Error struct {
	code http2Code
	msg  string
}

func (e *http2Error) Error() string { return e.msg }

func http2Errorf(code http2Code, format string, args ...any) error {
	return &http2Error{code, fmt.Sprintf(format, args...)}
}

// longAgo is a deadline that ends a wait at once.
var longAgo = time.Unix(1, 0)

// errHTTP2Done ends a connection that has said GOAWAY and has no request left.
var errHTTP2Done = errors.New("http2 connection is done")

// http2Conn is a client connection that speaks HTTP/2.
type http2Conn struct {
	c      *conn
	bound  *binding // of the time the connection was made
	limits http2Limits
	start  time.Time

	// What follows belongs to the goroutine that reads.
	buf           []byte
	from, to      int // what was read ahead is buf[from:to]
	frame         http2FrameInfo
	block         http2Block
	decoder       *hpack.Decoder
	recvWindow    int64
	priorityLimit int
	acked         bool // our SETTINGS
	began         bool // a first frame has come
	burst         int  // streams since the client last paused
	refused       int  // streams, ever
	idles         int  // how often the connection became idle and woke again

	// And this to the lock of c.writer.
	streams    map[uint32]*http2Stream
	lastID     uint32
	running    int // requests, until their last phase has ended
	open       int // those of them whose response has not ended
	requests   int64
	window     int64 // to send DATA
	initWindow int64 // of new streams
	frameSize  int
	ready      http2Queue // streams that may send
	flushing   []*http2Stream
	appended   int64 // bytes given to the writer, ever
	control    int   // control frames since the writer was last empty
	goaway     bool
	resize     bool // the next header block begins with a table size update
	total      int64
	payload    int64
	idleAt     time.Time     // when the connection ends unless a request begins; zero: not idle
	armed      time.Time     // the read deadline
	drained    chan struct{} // closed when the last request ends; nil: nobody waits
}

// http2FrameInfo is the head of the frame being read.
type http2FrameInfo struct {
	length  int // of what is still to be read, without padding
	kind    http2Type
	flags   byte
	id      uint32
	padding int
}

// offersHTTP2 tells whether HTTP/2 is on for a server of this address.
func (b *binding) offersHTTP2(s *core.Server) bool { return b.listen.HTTP2 || http2.Server.Of(s).On.V }

// speaksHTTP2 tells whether a new connection speaks HTTP/2: it was agreed on in the
// TLS handshake, or the address is one for HTTP/2 without TLS and nothing else, as they
// are in older releases.
func (b *binding) speaksHTTP2(nc net.Conn) bool {
	if secure, ok := nc.(*tls.Conn); ok {
		return secure.ConnectionState().NegotiatedProtocol == "h2"
	}
	return b.listen.HTTP2 && !b.listen.TLS && !b.cycle.Stack.Has(compat.HTTP2Directive)
}

// beginsHTTP2 tells whether what was read ahead is, as far as it goes, the preface of
// HTTP/2 on an address where either version is spoken.
func (c *conn) beginsHTTP2() bool {
	b := c.owner.bound.Load()
	if c.served > 0 || b.listen.TLS || !b.cycle.Stack.Has(compat.HTTP2Directive) || !b.offersHTTP2(b.listen.Default) {
		return false
	}
	ahead := string(c.rd.Buffered())
	return strings.HasPrefix(ahead, http2Preface) || ahead != "" && strings.HasPrefix(http2Preface, ahead)
}

// serveHTTP2 answers the connection's requests.
func (c *conn) serveHTTP2() {
	b := c.owner.bound.Load()
	h := &http2Conn{
		c: c, bound: b, limits: newHTTP2Limits(b), start: time.Now(),
		buf:     make([]byte, http2SmallBuffer),
		streams: map[uint32]*http2Stream{},
		window:  http2DefaultWindow, initWindow: http2DefaultWindow, frameSize: http2DefaultFrame,
		recvWindow: http2.MaxWindow,
	}
	h.priorityLimit = max(h.limits.maxStreams, 100)
	h.idleAt = h.start.Add(h.limits.headerTimeout)
	c.writer.timeout = h.limits.sendTimeout
	h.decoder = hpack.NewDecoder(http2TableSize, h.field)
	c.http2.Store(h)
	defer c.http2.Store(nil)
	if first := c.rd.Take(); len(first) > 0 {
		h.buf = append(first, make([]byte, max(http2SmallBuffer-len(first), 0))...)
		h.to = len(first)
		h.received(len(first))
	}
	h.sendSettings()
	h.end(h.read())
}

// read takes frames until the connection ends.
func (h *http2Conn) read() error {
	if h.c.owner.process.stopping.Load() {
		return errHTTP2Done
	}
	if err := h.preface(); err != nil {
		return err
	}
	for {
		if err := h.readFrame(); err != nil {
			return err
		}
	}
}

const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// preface reads what every connection begins with; like nginx in two parts.
func (h *http2Conn) preface() error {
	for _, part := range [...]string{http2Preface[:16], http2Preface[16:]} {
		b, err := h.take(len(part))
		if err != nil {
			return err
		}
		if string(b) != part {
			return &http2Error{http2ProtocolError, "invalid connection preface"}
		}
	}
	return nil
}

// The read buffer is small while little comes in.
const (
	http2SmallBuffer = 2 << 10
	http2LargeBuffer = 32 << 10
)

// take gives the next n bytes, which must fit into the small buffer. They are valid
// until the next read.
func (h *http2Conn) take(n int) ([]byte, error) {
	for h.to-h.from < n {
		if err := h.more(); err != nil {
			return nil, err
		}
	}
	b := h.buf[h.from : h.from+n]
	h.from += n
	return b, nil
}

// some gives up to n bytes, at least one.
func (h *http2Conn) some(n int) ([]byte, error) {
	if h.from == h.to {
		if err := h.more(); err != nil {
			return nil, err
		}
	}
	return h.take(min(n, h.to-h.from))
}

// more reads from the client, after sending what there is to send.
func (h *http2Conn) more() error {
	full := h.to == len(h.buf)
	if !full {
		h.burst = 0
	}
	if h.from == h.to {
		h.from, h.to = 0, 0
	}
	if full && len(h.buf) < http2LargeBuffer {
		h.buf = append(make([]byte, 0, http2LargeBuffer), h.buf[h.from:h.to]...)[:http2LargeBuffer]
		h.from, h.to = 0, h.to-h.from
	} else if h.from > 0 {
		h.to = copy(h.buf, h.buf[h.from:h.to])
		h.from = 0
	}
	for {
		if err := h.beforeRead(); err != nil {
			return err
		}
		n, err := h.c.nc.Read(h.buf[h.to:])
		if h.c.wait.end() {
			return errHTTP2Done // its place is needed for others
		}
		h.to += n
		if n > 0 {
			h.received(n)
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if err := h.expired(); err != nil {
			return err
		}
	}
}

// received accounts for bytes that came in.
func (h *http2Conn) received(n int) {
	o := &h.c.writer
	o.mu.Lock()
	h.total += int64(n)
	o.mu.Unlock()
}

// incomplete tells whether the client stopped in the middle of something.
func (h *http2Conn) incomplete() bool {
	return !h.began || h.to > h.from || h.frame.length+h.frame.padding > 0 || h.block.id != 0
}

// beforeRead sends what is due and arms the timers. An error ends the connection.
func (h *http2Conn) beforeRead() error {
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if h.total/8 > h.payload+1<<20 {
		return &http2Error{http2NoError, "http2 flood detected"}
	}
	h.push()
	if h.goaway && h.running == 0 {
		return errHTTP2Done
	}
	if h.running == 0 && !h.incomplete() {
		if h.idles++; int64(h.idles) > 10*h.limits.keepaliveRequests {
			return &http2Error{http2NoError, "http2 flood detected"}
		}
		h.c.wait.begin(clientKeeps)
		if len(h.buf) > http2SmallBuffer {
			h.buf, h.from, h.to = make([]byte, http2SmallBuffer), 0, 0
		}
	}
	h.arm()
	return nil
}

// arm makes the read end at the next timer. A deadline that is earlier than needed
// stays: moving it costs more than one early end.
func (h *http2Conn) arm() {
	at := h.block.deadline(h)
	if at.IsZero() && h.running == 0 {
		if h.idleAt.IsZero() {
			h.idleAt = time.Now().Add(h.limits.keepaliveTimeout)
		}
		at = h.idleAt
	}
	if !at.IsZero() && (h.armed.IsZero() || at.Before(h.armed)) {
		h.wakeReader(at)
	}
}

// wakeReader ends the wait for frames at the given time.
func (h *http2Conn) wakeReader(at time.Time) {
	h.armed = at
	_ = h.c.nc.SetReadDeadline(at)
}

// expired looks which timer ended the wait, if one did.
func (h *http2Conn) expired() error {
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	h.armed = time.Time{}
	_ = h.c.nc.SetReadDeadline(time.Time{})
	now := time.Now()
	if at := h.block.deadline(h); !at.IsZero() {
		if !now.Before(at) {
			h.blockTimedOut()
		}
		return nil
	}
	if h.running > 0 || h.idleAt.IsZero() || now.Before(h.idleAt) {
		return nil
	}
	if h.incomplete() {
		return &http2Error{http2ProtocolError, core.ClientTimedOut}
	}
	return &http2Error{http2NoError, ""}
}

// end closes the connection for err: it says GOAWAY, ends the requests, and waits
// for both to be done.
func (h *http2Conn) end(err error) {
	var bad *http2Error
	done := errors.Is(err, errHTTP2Done)
	o := &h.c.writer
	o.mu.Lock()
	running := h.running
	switch {
	case done:
	case errors.As(err, &bad):
		if bad.msg != "" {
			h.log(errlog.Info, bad.msg)
		}
	default:
		if errors.Is(err, io.EOF) && (h.incomplete() || running > 0) {
			h.log(errlog.Info, "client prematurely closed connection")
		} else if !errors.Is(err, io.EOF) && o.err == nil {
			h.log(errlog.Info, "recv() failed ("+conf.Errno(err)+")")
		}
		o.fail(err)
	}
	if o.err == nil && !h.goaway {
		code := http2NoError
		if bad != nil {
			code = bad.code
		}
		h.sendGoAway(code)
	}
	if !done {
		for _, s := range h.streams {
			s.rstSent = true // GOAWAY has said it
			s.abandon()
		}
	}
	if b := &h.block; b.stream != nil {
		// Its request never began.
		s := b.stream
		b.stream = nil
		s.refusal = http2Dropped
		guard.Go(s.run)
	}
	h.push()
	if h.running > 0 {
		drained := make(chan struct{})
		h.drained = drained
		o.mu.Unlock()
		<-drained
		o.mu.Lock()
	}
	failed := o.err != nil
	if failed && o.busy != nil {
		_ = h.c.nc.SetWriteDeadline(longAgo)
	}
	for o.busy != nil {
		busy := o.busy
		o.mu.Unlock()
		<-busy
		o.mu.Lock()
	}
	o.mu.Unlock()
	if failed || h.c.writer.Flush() != nil {
		return
	}
	h.c.awaitClose(h.limits.linger)
}

// shutdown makes the connection end when its requests have (SIGQUIT).
func (h *http2Conn) shutdown() {
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	if !h.goaway {
		h.sendGoAway(http2NoError)
	}
	h.push()
	h.wakeReader(longAgo)
}

// log writes a line about the connection.
func (h *http2Conn) log(level errlog.Level, msg string) {
	if log := h.bound.log(); log.Enabled(level) {
		host, _ := core.SplitAddr(h.c.RemoteAddr().String())
		log.Output(level, h.c.number, msg+" while processing HTTP/2 connection, client: "+host+", server: "+h.c.owner.addr)
	}
}

// appendHTTP2Frame appends the head of a frame.
func appendHTTP2Frame(b []byte, length int, kind http2Type, flags byte, id uint32) []byte {
	b = append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), flags)
	return binary.BigEndian.AppendUint32(b, id)
}
