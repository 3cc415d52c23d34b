package serve

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/http1"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	"github.com/moonphase/moonphase/runtime/sockio"
)

// conn is one client connection: it reads requests and gives them to the phases,
// one after the other, on its own goroutine. It is the Downstream of them.
type conn struct {
	writer

	owner  *listener
	socket net.Conn // as it was accepted
	rd     http1.Reader
	head   http1.Head
	watch  abortWatch
	number int64
	served int64 // requests so far, with the current one
	req    *core.Request
	taken  bool // the script has the raw connection
	proxy  core.ClientClaim

	ssl       *ssl.Connection           // nil when the client does not speak TLS
	wait      clientWait                // for a request: a shutdown may cut the connection then
	keepMin   time.Duration             // keepalive_min_timeout of the last request
	held      time.Duration             // for so long nobody may cut the connection
	discards  bool                      // the current request's body is thrown away
	late      bool                      // the client was too slow: reset_timedout_connection
	slotGiven atomic.Bool               // its place among the worker_connections is another's
	http2     atomic.Pointer[http2Conn] // when it speaks that
}

var connPool = sync.Pool{New: func() any { return new(conn) }}

// accepted makes a connection of what was accepted. Until its client says something
// it may be closed for others.
func (l *listener) accepted(nc net.Conn) *conn {
	c := connPool.Get().(*conn)
	c.socket = nc
	c.wait.word.Store(clientBusy)
	if b := l.bound.Load(); !b.listen.TLS && !b.listen.Proxy {
		c.wait.begin(clientWaits)
	}
	c.owner, c.number, c.served, c.taken, c.req = l, core.ConnNumbers.Add(1), 0, false, nil
	c.ssl, c.late, c.keepMin, c.held = nil, false, 0, 0
	c.slotGiven.Store(false)
	l.process.track(c)
	return c
}

// handle serves a connection until it ends.
func (c *conn) handle() {
	l, nc := c.owner, c.socket
	defer c.guard(nc)
	nc, ok := c.start(nc)
	switch {
	case !ok:
	case l.bound.Load().speaksHTTP2(nc):
		c.serveHTTP2()
	default:
		c.serve()
	}
	l.process.untrack(c)
	_ = nc.Close()
	c.rd.BeforeWait, c.rd.AfterWait = nil, nil
	c.req, c.socket = nil, nil
	connPool.Put(c)
}

// start prepares c for the connection, with its TLS handshake. It gives the
// connection that requests are read from.
func (c *conn) start(nc net.Conn) (net.Conn, bool) {
	b := c.owner.bound.Load()
	var raw syscall.RawConn
	if sc, ok := nc.(syscall.Conn); ok {
		raw, _ = sc.SyscallConn()
	}
	c.watch.reset(raw)
	c.writer.reset(nc, raw)
	c.proxy = core.ClientClaim{}
	if b.listen.Proxy {
		var err error
		if c.proxy, nc, err = readProxyHeader(nc, b.limits.HeaderTimeout); err != nil {
			c.logProxy(b, err)
			return nc, false
		}
		c.writer.reset(nc, raw)
	}
	if b.listen.TLS {
		secure, err := c.handshake(b, nc)
		if err != nil {
			return nc, false
		}
		nc = secure
		c.writer.reset(nc, nil)
	}
	c.writer.timeout = time.Minute
	c.rd.Reset(nc, &b.limits)
	c.rd.BeforeWait, c.rd.AfterWait = c.beforeWait, c.afterWait
	return nc, true
}

// logProxy logs what is wrong with a PROXY protocol header.
func (c *conn) logProxy(b *binding, err error) {
	level, text := errlog.Err, err.Error()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		level, text = errlog.Info, core.ClientTimedOut
	case errors.Is(err, io.EOF):
		level, text = errlog.Info, "client closed connection"
	}
	if text != "" && b.log().Enabled(level) {
		host, _ := core.SplitAddr(c.RemoteAddr().String())
		b.log().Output(level, c.number, text+" while reading PROXY protocol, client: "+host+", server: "+c.owner.addr)
	}
}

// errStopping ends connections that wait for a request: the server stops, or needs
// their place.
var errStopping = errors.New("wait for a request ended")

// beforeWait is called before the connection waits for a request; its read
// deadline has been set, so that a shutdown which comes now ends the wait.
func (c *conn) beforeWait() error {
	if c.held > 0 {
		return nil
	}
	kind := clientWaits
	if c.served > 0 {
		kind = clientKeeps
	}
	if !c.wait.begin(kind) {
		return errStopping
	}
	if c.served > 0 {
		// Let the other connections run first: under load the next request is
		// there when our turn comes again, and the read that would find
		// nothing, and the wait for the poller, are saved (10 % of the work of
		// a small request).
		runtime.Gosched()
	}
	if c.owner.process.stopping.Load() && c.served > 0 {
		return errStopping
	}
	return nil
}

// afterWait is called when a request begins. If somebody has ended the wait just
// then, the request came first, and is the last.
func (c *conn) afterWait() {
	if c.wait.end() {
		c.rd.NoDeadline()
	}
}

// interrupt ends the wait for a next request.
func (c *conn) interrupt() {
	if h := c.http2.Load(); h != nil {
		h.shutdown()
		return
	}
	c.wait.cut(clientKeeps, c.socket)
}

// serve answers the connection's requests.
func (c *conn) serve() {
	wait := c.owner.bound.Load().limits.HeaderTimeout
	for {
		err := c.readHead(wait)
		if c.wait.end() {
			return
		}
		if err != nil && c.beginsHTTP2() {
			c.rd.NoDeadline()
			c.serveHTTP2()
			return
		}
		c.served++
		r := c.request()
		if c.slotGiven.Load() || c.owner.process.stopping.Load() {
			r.KeepAlive = false
		}
		if err != nil {
			c.refuse(r, err)
			c.release(r)
			return
		}
		if status := ssl.Status(r); status != 0 {
			r.ServeError(status)
		} else {
			r.Serve()
		}
		linger := lingering{mode: r.Loc.LingeringClose.V, total: r.Loc.LingeringTime.V, each: r.Loc.LingeringTimeout.V}
		wait, c.keepMin = r.Loc.KeepaliveTimeout.V, r.Loc.KeepaliveMin.V
		keep := r.KeepAlive && !r.Terminated && !c.taken
		terminated, discarding := r.Terminated, c.discards && !c.rd.BodyDone() && !c.taken
		c.late = c.late || r.SendTimedOut
		c.resetLate(r)
		c.watch.stop(&c.rd)
		c.release(r)
		switch {
		case keep && (c.rd.BodyDone() || c.discard(linger)):
		case terminated:
			return
		case discarding && !c.discard(linger): // nginx waits for the rest before it closes
			return
		default:
			c.linger(linger)
			return
		}
	}
}

// readHead reads the head of the next request. A connection that is kept is nobody
// else's to end for the first part of the wait (keepalive_min_timeout).
func (c *conn) readHead(wait time.Duration) error {
	if c.held = min(c.keepMin, wait); c.held > 0 {
		err := c.rd.ReadHead(&c.head, c.held)
		wait -= c.held
		c.held = 0
		if !errors.Is(err, http1.ErrIdle) || wait == 0 {
			return err
		}
	}
	return c.rd.ReadHead(&c.head, wait)
}

// request makes a Request of the head that was read.
func (c *conn) request() *core.Request {
	b := c.owner.bound.Load()
	h := &c.head
	b.cycle.Begin()
	r := b.cycle.NewRequest(c, b.listen)
	c.req = r
	c.writer.begin()
	c.discards = false
	r.Method, r.URI, r.Args = h.Method, h.Path, h.Args
	r.RequestURI, r.RequestLine, r.HeaderText = h.Target, h.Line, h.Text
	r.HTTPMajor, r.HTTPMinor = h.Major, h.Minor
	r.HeaderBytes, r.Protocol = int64(h.Size), h.Proto
	r.Host, r.Port = h.Host, h.Port
	for _, f := range h.Fields {
		r.In = append(r.In, core.Header{Name: f.Name, Value: f.Value})
	}
	r.ContentLength, r.Chunked, r.KeepAlive = h.ContentLength, h.Chunked, h.KeepAlive
	r.Pipelined = c.rd.Pipelined
	r.Server = b.listen.FindServer(r, h.Host)
	return r
}

// release ends the request.
func (c *conn) release(r *core.Request) {
	cycle := r.Cycle
	c.req = nil
	r.Release()
	cycle.End()
}

// refuse ends a connection whose next request could not be read. What nginx logs
// about it stands at level info, so that a curious client does not fill the log.
func (c *conn) refuse(r *core.Request, err error) {
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		msg := bad.Msg
		if c.rd.Pipelined {
			msg = strings.Replace(msg, "reading client request line", "reading client pipelined request line", 1)
		}
		r.Log(errlog.Info, msg)
		r.HeaderOnly = c.head.AsksHead
		r.ServeError(bad.Status)
		c.linger(lingering{mode: lingerOn, total: 30 * time.Second, each: 5 * time.Second, pending: true})
	case errors.Is(err, errStopping):
	case errors.Is(err, http1.ErrIdle):
		if c.served == 1 {
			c.logWaiting(r, "client timed out (110: Connection timed out) while waiting for request")
		}
	case errors.Is(err, io.EOF) && c.served == 1:
		c.logWaiting(r, "client closed connection while waiting for request")
	case errors.Is(err, io.EOF):
		if log := r.Logger(); log.Enabled(errlog.Info) {
			host, _ := core.SplitAddr(c.RemoteAddr().String())
			log.Output(errlog.Info, c.number, "client "+host+" closed keepalive connection")
		}
	case errors.Is(err, http1.ErrTimeout):
		r.Log(errlog.Info, core.ClientTimedOut+c.action())
		serveNothing(r, core.StatusRequestTimeout)
		c.late = true
		c.resetLate(r)
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.Log(errlog.Info, "client prematurely closed connection"+c.action())
		serveNothing(r, 400)
	default:
		r.Log(errlog.Info, "recv() failed ("+conf.Errno(err)+")"+c.action())
		serveNothing(r, 400)
	}
}

// logWaiting logs what ended a connection before its first request.
func (c *conn) logWaiting(r *core.Request, msg string) {
	if log := r.Logger(); log.Enabled(errlog.Info) {
		host, _ := core.SplitAddr(c.RemoteAddr().String())
		log.Output(errlog.Info, c.number, msg+", client: "+host+", server: "+c.owner.addr)
	}
}

// action is what log lines say the connection was doing.
func (c *conn) action() string {
	if c.head.Method != "" {
		return " while reading client request headers"
	}
	return " while reading client request line"
}

// serveNothing logs a request that could not even be refused.
func serveNothing(r *core.Request, status int) {
	r.Begin()
	r.Terminate(status)
	r.End()
}

// ReadBody implements Downstream.
func (c *conn) ReadBody(p []byte) (int, error) {
	return c.ReadBodyWithin(p, c.req.Loc.BodyTimeout.V)
}

// ReadBodyWithin is ReadBody for a caller with its own idea of how long to wait.
func (c *conn) ReadBodyWithin(p []byte, d time.Duration) (int, error) {
	c.watch.pause(&c.rd)
	c.rd.BodyTimeout = d
	before := c.rd.BodyTaken()
	n, err := c.rd.ReadBody(p)
	c.req.BodyReceived += c.rd.BodyTaken() - before
	c.watch.resume(&c.rd)
	switch {
	case err == nil || err == io.EOF:
	case errors.Is(err, http1.ErrBadChunk):
		err = core.ErrBadChunk
	case errors.Is(err, http1.ErrTimeout):
		err, c.late = core.ErrBodyTimeout, true
	}
	return n, err
}

// resetLate makes the close of a connection whose client was too slow a reset, if
// that is wanted (reset_timedout_connection): the system keeps nothing of it then.
func (c *conn) resetLate(r *core.Request) {
	if c.late && r.Loc.ResetTimedout.V {
		if below, ok := c.socket.(*sockio.Conn); ok {
			if tc, ok := below.NetConn().(*net.TCPConn); ok {
				_ = tc.SetLinger(0)
			}
		}
	}
}

// BodyDone reports whether all of the request's body has been read.
func (c *conn) BodyDone() bool { return c.rd.BodyDone() }

// PrereadBody tells of how much of the request's body nginx would find in the buffer
// of its head, and how much more there is room for (see bodyReader.settleMemory).
func (c *conn) PrereadBody() (ahead, room int) { return c.rd.Preread() }

// ChunkLeft is how much of a chunk is still to come that ReadBody has begun to give.
func (c *conn) ChunkLeft() int64 { return c.rd.ChunkLeft() }

// SkipBody implements Downstream.
func (c *conn) SkipBody() error {
	c.discards = true
	c.watch.pause(&c.rd)
	defer c.watch.resume(&c.rd)
	if c.rd.SkipBody() != nil {
		return core.ErrBadChunk
	}
	return nil
}

// BodyAhead reports whether reading the body will not wait.
func (c *conn) BodyAhead() bool { return c.rd.BodyAhead() }

// InterruptRead implements Downstream.
func (c *conn) InterruptRead() { c.rd.Interrupt() }

// Flush implements Downstream.
func (c *conn) Flush() error {
	c.writer.timeout = c.req.Loc.SendTimeout.V
	return c.writer.Flush()
}

// Aborted implements Downstream.
func (c *conn) Aborted() <-chan struct{} { return c.watch.start() }

// Number implements Downstream.
func (c *conn) Number() int64 { return c.number }

// Requests implements Downstream.
func (c *conn) Requests() int64 { return c.served }

// RemoteAddr implements Downstream.
func (c *conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// LocalAddr implements Downstream.
func (c *conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// TCPInfo is what the system knows of the connection.
func (c *conn) TCPInfo() (info core.TCPInfo, ok bool) {
	if c.watch.raw != nil {
		_ = c.watch.raw.Control(func(fd uintptr) { info, ok = tcpInfo(fd) })
	}
	return info, ok
}

// Claim implements ClaimedConn.
func (c *conn) Claim() *core.ClientClaim { return &c.proxy }

// SSL implements Downstream.
func (c *conn) SSL() *ssl.Connection { return c.ssl }

// TLS implements Downstream.
func (c *conn) TLS() bool { return c.ssl != nil }

// NetConn implements Downstream.
func (c *conn) NetConn() net.Conn {
	c.taken = true
	c.writer.drop()
	return &takenConn{Conn: c.nc, owner: c, ahead: c.rd.Take()}
}

// SyscallConn gives access to the socket, for its options.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if c.watch.raw == nil {
		return nil, syscall.ENOTSOCK
	}
	return c.watch.raw, nil
}

// lingering says how to close a connection whose client may still be sending:
// closing at once would make its kernel throw the response away.
type lingering struct {
	mode    int // off, on, always
	total   time.Duration
	each    time.Duration
	pending bool // the client is known to be sending
}

const (
	lingerOff = iota
	lingerOn
	lingerAlways
)

// linger closes a connection whose client may be sending.
func (c *conn) linger(l lingering) {
	pending := l.pending || c.taken || !c.rd.BodyDone() || len(c.rd.Buffered()) > 0
	if l.mode == lingerOff || l.mode == lingerOn && !pending {
		return
	}
	c.rd.Take()
	c.awaitClose(l)
}

// awaitClose shuts our side down and reads until the client does so with its.
func (c *conn) awaitClose(l lingering) {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	end := time.Now().Add(l.total)
	buf := make([]byte, 4096)
	for time.Now().Before(end) {
		_ = c.nc.SetReadDeadline(time.Now().Add(l.each))
		if _, err := c.nc.Read(buf); err != nil {
			return
		}
	}
}

// discard reads the rest of a body that nobody wanted, so that the connection
// can be kept. It tells whether that was possible in time.
func (c *conn) discard(l lingering) bool {
	end := time.Now().Add(l.total)
	c.rd.BodyTimeout = l.each
	buf := make([]byte, 4096)
	for time.Now().Before(end) {
		if _, err := c.rd.ReadBody(buf); err != nil {
			return err == io.EOF
		}
	}
	return false
}
