package cosocket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// A Socket is a stream socket: one that the script opened, or the downstream
// connection of its request.
type Socket struct {
	links
	host Host
	conn net.Conn

	defaults timeouts // of the directives, when it was connected
	timeout  timeouts // what the script has set counts

	pool   *pool  // that counts the connection, nil when none does yet
	reused int    // how often the connection came from the pool
	local  string // address to connect from, "" for any
	name   string // the peer as the script called it, for log lines

	session *tlsSession // of the handshake that this object has made, nil without

	in  []byte // received, not yet consumed
	out []byte // buffer for the next send
	eof bool   // the peer has closed its side and in is all there is left

	readClosed, writeClosed      bool
	connecting, reading, writing bool
	dialing                      bool // connecting, and past the resolver
	resolving                    bool // stays when the wait is cut short: the socket is busy for good, as in ngx_lua
	noDelaySet                   bool // TCP_NODELAY is as the configuration says
	downstream                   downstreamKind

	read, write pending
}

// pending is a read or write that is under way without the baton. Its functions are
// made once a socket, so that an operation allocates nothing.
type pending struct {
	conn      net.Conn
	buf       []byte
	timeout   time.Duration
	n         int
	err       error
	stopped   atomic.Bool // interrupted
	run       func()
	interrupt func()
}

// downstreamKind tells the sockets of ngx.req.socket from others.
type downstreamKind uint8

const (
	upstream    downstreamKind = iota
	requestBody                // reads the declared body and cannot write
	rawRequest                 // the client's connection as it is
)

// NewDownstream returns the socket of a request's own connection. What was read
// ahead of the body comes from conn's Read. raw sockets may write.
func NewDownstream(host Host, conn net.Conn, raw bool) *Socket {
	cfg := host.Config()
	s := &Socket{host: host, conn: conn, downstream: requestBody}
	s.defaults = timeouts{cfg.ConnectTimeout, cfg.SendTimeout, cfg.ReadTimeout}
	s.timeout = s.defaults
	if raw {
		s.downstream = rawRequest
	}
	return s
}

// connected reports whether there is a connection with a side that is open.
func (s *Socket) connected() bool {
	return s.conn != nil && !(s.readClosed && s.writeClosed)
}

// busy names the operation that is under way in another light thread.
func (s *Socket) busy(connect, read, write bool) string {
	switch {
	case connect && s.connecting:
		return "socket busy connecting"
	case read && s.reading:
		return "socket busy reading"
	case write && s.writing:
		return "socket busy writing"
	}
	return ""
}

func (s *Socket) link() *links { return &s.links }

// finalize closes the connection. A downstream connection is the server's to close.
func (s *Socket) finalize() {
	s.leave()
	conn := s.conn
	s.conn, s.in, s.eof = nil, nil, false
	s.readClosed, s.writeClosed = true, true
	if conn == nil || s.downstream != upstream {
		return
	}
	conn.Close()
	if s.pool != nil {
		s.host.Pools().closed(s.pool)
		s.pool = nil
	}
}

// closeRead and closeWrite end one direction; the connection goes with the second.
func (s *Socket) closeRead() {
	s.readClosed = true
	if s.writeClosed {
		s.finalize()
	}
}

func (s *Socket) closeWrite() {
	s.writeClosed = true
	if s.readClosed {
		s.finalize()
	}
}

func (s *Socket) debugf(format string, args ...any) {
	if s.host.Logs(Debug) {
		s.host.Log(Debug, fmt.Sprintf(format, args...))
	}
}

// failf logs an error of the peer, unless lua_socket_log_errors is off.
func (s *Socket) failf(level Level, format string, args ...any) {
	if s.host.Config().LogErrors {
		s.host.Log(level, fmt.Sprintf(format, args...)+s.peer())
	}
}

// peer says whom the connection leads to, for log lines: ", upstream: ADDRESS(NAME)".
func (s *Socket) peer() string {
	if s == nil || s.conn == nil || s.name == "" || !s.host.Config().NamesPeers {
		return ""
	}
	addr, ok := s.conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	return ", upstream: " + addr.String() + "(" + s.name + ")"
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func milliseconds(d time.Duration) int64 { return int64(d / time.Millisecond) }

// The failures that have no errno.
const (
	closedText  = "closed"
	timeoutText = "timeout"
)

// dial connects to an address that needs no resolving and returns what went wrong,
// "" for nothing.
func (s *Socket) dial(th *rt.Thread, network, address string) string {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout.connect)
	defer cancel()
	dialer := net.Dialer{KeepAlive: -1}
	if s.local != "" && network == "tcp" {
		dialer.LocalAddr = localTCP(s.local)
	}
	var conn net.Conn
	var err error
	s.connecting, s.dialing, s.reused = true, true, 0
	th.Block(cancel, func() {
		conn, err = s.host.Pools().dial(func() (net.Conn, error) { return dialer.DialContext(ctx, network, address) })
	})
	s.connecting, s.dialing = false, false
	if err != nil {
		return s.connectFailure(err, network, address)
	}
	s.attach(conn, 0)
	return ""
}

// attach makes conn the connection of s.
func (s *Socket) attach(conn net.Conn, reused int) {
	s.conn, s.reused, s.noDelaySet = conn, reused, reused > 0
	if set := s.host.Open(); set.freed > 0 {
		set.freed--
		s.debugf("lua http cleanup reuse: %v", rt.Address{Pointer: s})
	}
	s.in, s.eof = s.in[:0], false
	s.readClosed, s.writeClosed = false, false
	s.host.Open().add(s)
}

// releasePool takes back the count of a connection that never came to be.
func (s *Socket) releasePool() {
	if s.pool != nil {
		s.host.Pools().closed(s.pool)
		s.pool = nil
	}
}

func (s *Socket) connectFailure(err error, network, address string) string {
	if noSlots(s.host, err) {
		return noSlotsText
	}
	if isTimeout(err) {
		s.failf(Error, "lua tcp socket connect timed out, when connecting to %s", address)
		return timeoutText
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return failureText(err)
	}
	if errno == syscall.EADDRNOTAVAIL && s.local != "" {
		s.host.Log(Crit, fmt.Sprintf("bind(%s) failed (%d: %s)", strings.TrimSuffix(s.local, ":0"), int(errno), capitalize(errno.Error())))
		return errno.Error()
	}
	if network == "unix" {
		s.host.Log(Crit, fmt.Sprintf("connect() to %s failed (%d: %s)", s.name, int(errno), capitalize(errno.Error())))
	} else {
		s.failf(faultLevel(errno), "connect() failed (%d: %s)", int(errno), capitalize(errno.Error()))
	}
	return errno.Error()
}

// logFault logs what a system call on a connection failed with, whatever
// lua_socket_log_errors says (ngx_connection_error).
func logFault(h Host, call string, errno syscall.Errno) {
	h.Log(faultLevel(errno), fmt.Sprintf("%s() failed (%d: %s)", call, int(errno), capitalize(errno.Error())))
}

// faultLevel is the level of an error: what peers and networks cause is less grave.
func faultLevel(errno syscall.Errno) Level {
	switch errno {
	case syscall.ECONNRESET, syscall.EPIPE, syscall.ENOTCONN, syscall.ETIMEDOUT, syscall.ECONNREFUSED,
		syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH:
		return Error
	}
	return Alert
}

func capitalize(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// failureText words an error as ngx_lua does: strerror in lower case.
func failureText(err error) string {
	var errno syscall.Errno
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return closedText
	case errors.As(err, &errno):
		return errno.Error()
	case isTimeout(err):
		return timeoutText
	}
	return "error"
}

// interrupt ends an operation whose light thread is killed: the socket cannot be used
// any more.
func (s *Socket) interrupt() {
	if s.downstream != upstream && s.conn != nil {
		s.conn.SetDeadline(time.Unix(1, 0))
	}
	s.finalize()
}

// mayWait raises an error where a read would have to wait in a phase that cannot.
func mayWait(th *rt.Thread, h Host, conn net.Conn) {
	if !h.Waits(th) && stateOf(conn) == connQuiet {
		th.Throw(rt.String("attempt to yield across C-call boundary"))
	}
}

// receiveMore reads from the connection into buf, which is not empty, and returns
// how much came and what went wrong. It waits for at most the read timeout.
func (s *Socket) receiveMore(th *rt.Thread, buf []byte) (int, string) {
	if s.eof {
		return 0, closedText
	}
	mayWait(th, s.host, s.conn)
	op := &s.read
	if op.run == nil {
		op.run = func() {
			op.conn.SetReadDeadline(time.Now().Add(op.timeout))
			if op.stopped.Load() { // interrupted before that: its deadline is undone
				op.n, op.err = 0, os.ErrDeadlineExceeded
				return
			}
			op.n, op.err = op.conn.Read(op.buf)
		}
		op.interrupt = func() { s.reading = false; op.stopped.Store(true); s.interrupt() }
	}
	op.conn, op.buf, op.timeout = s.conn, buf, s.timeout.read
	op.stopped.Store(false)
	s.reading = true
	th.Block(op.interrupt, op.run)
	s.reading = false
	n, err := op.n, op.err
	op.conn, op.buf, op.err = nil, nil, nil
	switch {
	case n > 0:
		return n, ""
	case err == nil, errors.Is(err, io.EOF):
		s.eof = true
		return 0, closedText
	case isTimeout(err):
		s.failf(Error, "lua tcp socket read timed out")
		return 0, timeoutText
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		logFault(s.host, "recv", errno)
	}
	var own interface{ SocketError() string }
	if errors.As(err, &own) {
		return 0, own.SocketError()
	}
	return 0, failureText(err)
}

// fill reads into the socket's own buffer, which is empty.
func (s *Socket) fill(th *rt.Thread) string {
	size := max(s.host.Config().BufferSize, 1)
	if cap(s.in) < size {
		s.in = make([]byte, 0, size)
	}
	buf := s.in[:size]
	n, failure := s.receiveMore(th, buf)
	if failure == "" {
		s.in = buf[:n]
	}
	return failure
}

// consume takes the first n buffered bytes away.
func (s *Socket) consume(n int) {
	if n == len(s.in) {
		s.in = s.in[:0]
		return
	}
	s.in = s.in[n:]
}

// failRead ends a read that cannot be completed; only a timeout leaves the read side
// open.
func (s *Socket) failRead(failure string) {
	if failure != timeoutText {
		s.closeRead()
	}
}

// readSize reads exactly n bytes. A failure comes with what was read until then.
func (s *Socket) readSize(th *rt.Thread, n int) (string, string) {
	if n <= len(s.in) {
		data := string(s.in[:n])
		s.consume(n)
		return data, ""
	}
	const step = 1 << 20 // do not trust a script's number with all memory
	out := append(make([]byte, 0, min(n, len(s.in)+step)), s.in...)
	s.in = s.in[:0]
	for len(out) < n {
		if n-len(out) < s.host.Config().BufferSize {
			if failure := s.fill(th); failure != "" {
				s.failRead(failure)
				return string(out), failure
			}
			k := min(n-len(out), len(s.in))
			out = append(out, s.in[:k]...)
			s.consume(k)
			continue
		}
		if len(out) == cap(out) {
			out = append(make([]byte, 0, min(n, 2*len(out))), out...)
		}
		k, failure := s.receiveMore(th, out[len(out):cap(out)])
		if failure != "" {
			s.failRead(failure)
			return string(out), failure
		}
		out = out[:len(out)+k]
	}
	return string(out), ""
}

// readSome returns what is there, at most n bytes, waiting when nothing is.
func (s *Socket) readSome(th *rt.Thread, n int) (string, string) {
	if len(s.in) == 0 {
		if failure := s.fill(th); failure != "" {
			s.failRead(failure)
			return "", failure
		}
	}
	return s.readSize(th, min(n, len(s.in)))
}

// readAll reads until the peer closes.
func (s *Socket) readAll(th *rt.Thread) (string, string) {
	out := append([]byte(nil), s.in...)
	s.in = s.in[:0]
	for {
		failure := s.fill(th)
		switch failure {
		case "":
			out = append(out, s.in...)
			s.in = s.in[:0]
		case closedText:
			return string(out), ""
		default:
			s.failRead(failure)
			return string(out), failure
		}
	}
}

// readLine reads up to a line feed; carriage returns are dropped wherever they are.
func (s *Socket) readLine(th *rt.Thread) (string, string) {
	var out []byte
	for {
		if i := bytes.IndexByte(s.in, '\n'); i >= 0 {
			line := lineOf(out, s.in[:i])
			s.consume(i + 1)
			return line, ""
		}
		out = append(out, s.in...)
		s.in = s.in[:0]
		if failure := s.fill(th); failure != "" {
			s.failRead(failure)
			return lineOf(out, nil), failure
		}
	}
}

func lineOf(head, tail []byte) string {
	line := string(tail)
	if len(head) > 0 {
		line = string(append(head, tail...))
	}
	if strings.IndexByte(line, '\r') >= 0 {
		line = strings.ReplaceAll(line, "\r", "")
	}
	return line
}

// setNoDelay makes TCP_NODELAY, which Go turns on, what the configuration says, when
// the first data is sent.
func (s *Socket) setNoDelay() {
	if s.noDelaySet {
		return
	}
	s.noDelaySet = true
	if s.host.Config().NoDelay {
		s.debugf("lua socket tcp_nodelay")
	} else if c, ok := underlying(s.conn).(*net.TCPConn); ok {
		_ = c.SetNoDelay(false)
	}
}

// sendAll sends data.
func (s *Socket) sendAll(th *rt.Thread, data []byte) string {
	op := &s.write
	if op.run == nil {
		op.run = func() {
			op.conn.SetWriteDeadline(time.Now().Add(op.timeout))
			if op.stopped.Load() {
				op.n, op.err = 0, os.ErrDeadlineExceeded
				return
			}
			op.n, op.err = op.conn.Write(op.buf)
		}
		op.interrupt = func() { s.writing = false; op.stopped.Store(true); s.interrupt() }
	}
	op.conn, op.buf, op.timeout = s.conn, data, s.timeout.send
	op.stopped.Store(false)
	s.writing = true
	th.Block(op.interrupt, op.run)
	s.writing = false
	err := op.err
	op.conn, op.buf, op.err = nil, nil, nil
	if err == nil {
		return ""
	}
	failure := failureText(err)
	if isTimeout(err) {
		failure = timeoutText
		s.failf(Error, "lua tcp socket write timed out")
	} else if errno := syscall.Errno(0); errors.As(err, &errno) {
		logFault(s.host, "send", errno)
	}
	s.closeWrite()
	return failure
}
