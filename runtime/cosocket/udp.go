package cosocket

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/inet"
)

// maxDatagram is the largest datagram receive returns and its default.
const maxDatagram = 65536

// udpSocket is a datagram socket with a fixed peer.
type udpSocket struct {
	links
	host        Host
	conn        net.Conn
	readDefault time.Duration // of the directive, when the peer was set
	readTimeout time.Duration // what the script has set counts
	waiting     bool          // for the resolver or a datagram
}

func (u *udpSocket) link() *links { return &u.links }

func (u *udpSocket) finalize() {
	u.leave()
	if u.conn != nil {
		u.conn.Close()
		u.conn = nil
	}
}

func (u *udpSocket) failf(format string, args ...any) {
	if u.host.Config().LogErrors {
		u.host.Log(Error, fmt.Sprintf(format, args...))
	}
}

func udpOf(t *rt.Table) *udpSocket {
	if v := t.Int(atSocket); v.IsUserdata() {
		u, _ := v.Userdata().Data.(*udpSocket)
		return u
	}
	return nil
}

func (u *udpSocket) own(th *rt.Thread, h Host) {
	if u.host != h {
		th.Errorf("bad request")
	}
}

// setPeerName is udpsock:setpeername(host, port?).
func (l *Lib) setPeerName(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	n := len(args)
	if n != 2 && n != 3 {
		th.Errorf("ngx.socket.udp setpeername: expecting 2 or 3 arguments (including the object), but seen %d", n)
	}
	l.enter(th)
	h := l.Host(th)
	t := th.CheckTable(args, 0)
	host := th.CheckString(args, 1)
	port := 0
	if n == 3 {
		port = int(int32(toInt(rt.Number(th.CheckNumber(args, 2)))))
		if port < 0 || port > 65535 {
			return fail(th, "bad port number: "+strconv.Itoa(port))
		}
	}
	u := udpOf(t)
	switch {
	case u == nil:
		u = &udpSocket{}
		t.SetInt(atSocket, rt.NewUserdata(u, nil))
	case u.host != h && !u.host.Ended():
		th.Errorf("bad request")
	}
	if u.waiting {
		return fail(th, "socket busy")
	}
	u.finalize()
	u.host, u.readDefault = h, h.Config().ReadTimeout
	u.setTimeout(t)
	a, reason := inet.Parse(host, port)
	if reason != "" {
		return fail(th, parseFailure(host, reason))
	}
	ip := ""
	if a.Name {
		a.Port = port
		u.waiting = true
		resolved, failure := h.Resolve(th, a.Host)
		u.waiting = false
		if failure != "" {
			return fail(th, failure)
		}
		ip = resolved
	}
	conn, err := h.Pools().dial(func() (net.Conn, error) { return u.dial(&a, ip, t.Int(atBind)) })
	if noSlots(h, err) {
		return fail(th, noSlotsText)
	}
	if err != nil {
		u.failed("connect", err)
		return fail(th, failureText(err))
	}
	u.conn = conn
	h.Open().add(u)
	return rt.Int(1), 1
}

// dial does not wait: a datagram socket's connect only notes the peer.
func (u *udpSocket) dial(a *inet.Addr, ip string, bound rt.Value) (net.Conn, error) {
	network, address := a.Dial(ip)
	var d net.Dialer
	if network == "unix" {
		network = "unixgram"
		d.Control = func(_, _ string, c syscall.RawConn) error { return c.Control(autobind) }
	} else {
		network = "udp"
		if bound.IsUserdata() {
			if text, ok := bound.Userdata().Data.(string); ok {
				d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(text)}
			}
		}
	}
	return d.Dial(network, address)
}

// autobind gives a socket an address in the abstract name space, to which the peer can
// answer.
func autobind(fd uintptr) { _ = syscall.Bind(int(fd), &syscall.SockaddrUnix{}) }

// failed logs the error of a system call.
func (u *udpSocket) failed(call string, err error) {
	var errno syscall.Errno
	switch {
	case !errors.As(err, &errno):
	case call == "connect":
		u.host.Log(Crit, fmt.Sprintf("connect() failed (%d: %s)", int(errno), capitalize(errno.Error())))
	default:
		logFault(u.host, call, errno)
	}
}

// udpBind is udpsock:bind(address).
func (l *Lib) udpBind(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("expecting 2 arguments, but got %d", len(args))
	}
	l.enter(th)
	t := th.CheckTable(args, 0)
	ip, ok := parseIP(th.CheckString(args, 1))
	if !ok {
		return fail(th, "bad address")
	}
	t.SetInt(atBind, rt.NewUserdata(ip, nil))
	return rt.True, 1
}

func (l *Lib) udpLogClosed(u *udpSocket, h Host, what string) {
	if h.Config().LogErrors {
		h.Log(Error, fmt.Sprintf("attempt to %s data on a closed socket: u:%s, c:%s", what, pointer(u), pointer(nil)))
	}
}

// udpSend is udpsock:send(data): one datagram.
func (l *Lib) udpSend(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("expecting 2 arguments (including the object), but got %d", len(args))
	}
	h := l.Host(th)
	u := udpOf(th.CheckTable(args, 0))
	if u == nil || u.conn == nil {
		l.udpLogClosed(u, h, "send")
		return fail(th, closedText)
	}
	u.own(th, h)
	if u.waiting {
		return fail(th, "socket busy")
	}
	data := appendData(th, nil, args, 1)
	u.conn.SetWriteDeadline(time.Now().Add(h.Config().SendTimeout))
	if _, err := u.conn.Write(data); err != nil {
		u.failed("send", err)
		return fail(th, failureText(err))
	}
	return rt.Int(1), 1
}

// udpReceive is udpsock:receive(size?): one datagram, or its first size bytes.
func (l *Lib) udpReceive(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n != 1 && n != 2 {
		th.Errorf("expecting 1 or 2 arguments (including the object), but got %d", n)
	}
	h := l.Host(th)
	u := udpOf(th.CheckTable(args, 0))
	if u == nil || u.conn == nil {
		l.udpLogClosed(u, h, "receive")
		return fail(th, closedText)
	}
	u.own(th, h)
	if u.waiting {
		return fail(th, "socket busy")
	}
	size := maxDatagram
	if len(args) == 2 && !args[1].IsNil() {
		if size = toInt(rt.Number(th.CheckNumber(args, 1))); size < 0 || size > maxDatagram {
			size = maxDatagram
		}
	}
	if h.Logs(Debug) {
		h.Log(Debug, fmt.Sprintf("lua udp socket receive buffer size: %d", size))
	}
	data, err := u.readDatagram(th, size)
	switch {
	case err == nil:
		return rt.String(string(data)), 1
	case isTimeout(err):
		u.failf("lua udp socket read timed out")
		return fail(th, timeoutText)
	}
	u.failed("recv", err)
	return fail(th, failureText(err))
}

// readDatagram waits for a datagram and returns at most size bytes of it.
func (u *udpSocket) readDatagram(th *rt.Thread, size int) ([]byte, error) {
	mayWait(th, u.host, u.conn)
	buf := make([]byte, max(size, 1))
	conn, timeout := u.conn, u.readTimeout
	n, err := 0, error(nil)
	u.waiting = true
	th.Block(func() { u.waiting = false; u.finalize() }, func() {
		conn.SetReadDeadline(time.Now().Add(timeout))
		n, err = conn.Read(buf)
	})
	u.waiting = false
	return buf[:min(n, size)], err
}

// udpSetTimeout is udpsock:settimeout(milliseconds).
func (l *Lib) udpSetTimeout(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("ngx.socket settimeout: expecting at least 2 arguments (including the object) but seen %d", len(args))
	}
	t := th.CheckTable(args, 0)
	t.SetInt(atConnectTimeout, rt.Int(toInt(args[1])))
	if u := udpOf(t); u != nil {
		u.setTimeout(t)
	}
	return rt.Nil, 0
}

// setTimeout takes over the timeout that the script gave to the object.
func (u *udpSocket) setTimeout(t *rt.Table) {
	u.readTimeout = timeouts{connect: u.readDefault}.with(timeoutsOf(t)).connect
}

// udpClose is udpsock:close().
func (l *Lib) udpClose(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("expecting 1 argument (including the object) but seen %d", len(args))
	}
	h := l.Host(th)
	u := udpOf(th.CheckTable(args, 0))
	if u == nil || u.conn == nil {
		return fail(th, closedText)
	}
	u.own(th, h)
	if u.waiting {
		return fail(th, "socket busy")
	}
	u.finalize()
	return rt.Int(1), 1
}
