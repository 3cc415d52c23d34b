package cosocket

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// maxDatagram is the largest datagram receive returns and its default.
const maxDatagram = 65536

// udpSocket is a datagram socket with a fixed peer.
type udpSocket struct {
	links
	host        Host
	conn        net.Conn
	local       string
	readTimeout time.Duration
	reading     bool
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

func ensureUDP(t *rt.Table) *udpSocket {
	u := udpOf(t)
	if u == nil {
		u = &udpSocket{}
		t.SetInt(atSocket, rt.NewUserdata(u, nil))
	}
	return u
}

func (u *udpSocket) own(th *rt.Thread, h Host) {
	if u.host.Owner() != h.Owner() {
		th.Errorf("bad request")
	}
}

// setPeerName is udpsock:setpeername(host, port?).
func (l *Lib) setPeerName(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	n := len(args)
	if n != 2 && n != 3 {
		th.Errorf("ngx.socket.udp setpeername: expecting 2 or 3 arguments (including the object), but seen %d", n)
	}
	h := l.Host(th)
	l.Gate(th)
	t := th.CheckTable(args, 0)
	host := th.CheckString(args, 1)
	port := 0
	if n == 3 {
		port = th.CheckInt(args, 2)
		if port < 0 || port > 65535 {
			return fail(th, "bad port number: "+strconv.Itoa(port))
		}
	}
	u := ensureUDP(t)
	if u.host != nil {
		u.own(th, h)
	}
	if u.reading {
		return fail(th, "socket busy")
	}
	u.finalize()
	u.host = h
	network, address := "udp", host
	switch {
	case isUnix(host):
		network, address = "unixgram", host[len("unix:"):]
	case net.ParseIP(host) == nil:
		if reason := badHost(host); reason != "" {
			return fail(th, fmt.Sprintf("failed to parse host name \"%s\": %s", host, reason))
		}
		u.reading = true
		resolved, failure := h.Resolve(th, host)
		u.reading = false
		if failure != "" {
			return fail(th, failure)
		}
		address = resolved
	}
	if network == "udp" {
		address = net.JoinHostPort(address, strconv.Itoa(port))
	}
	conn, err := u.dial(network, address)
	if err != nil {
		return fail(th, failureText(err))
	}
	u.conn = conn
	h.Open().add(u)
	return rt.Int(1), 1
}

// dial does not wait: a datagram socket's connect only notes the peer.
func (u *udpSocket) dial(network, address string) (net.Conn, error) {
	var d net.Dialer
	if network == "unixgram" {
		// An address of its own in the abstract name space lets the peer answer.
		d.LocalAddr = &net.UnixAddr{Name: "", Net: network}
	} else if u.local != "" {
		d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(u.local)}
	}
	return d.Dial(network, address)
}

// udpBind is udpsock:bind(address).
func (l *Lib) udpBind(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("expecting 2 arguments, but got %d", len(args))
	}
	l.Host(th)
	t := th.CheckTable(args, 0)
	address := th.CheckString(args, 1)
	if net.ParseIP(address) == nil {
		return fail(th, "bad address")
	}
	ensureUDP(t).local = address
	return rt.Int(1), 1
}

func (l *Lib) udpLogClosed(h Host, what string) {
	u := &udpSocket{host: h}
	u.failf("attempt to %s data on a closed socket: u:%p, c:%016X", what, u, 0)
}

// udpSend is udpsock:send(data): one datagram.
func (l *Lib) udpSend(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("expecting 2 arguments (including the object), but got %d", len(args))
	}
	h := l.Host(th)
	u := udpOf(th.CheckTable(args, 0))
	if u == nil || u.conn == nil {
		l.udpLogClosed(h, "send")
		return fail(th, closedText)
	}
	u.own(th, h)
	if u.reading {
		return fail(th, "socket busy")
	}
	data := appendData(th, nil, args, 1)
	u.conn.SetWriteDeadline(time.Now().Add(h.Config().SendTimeout))
	if _, err := u.conn.Write(data); err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			u.failf("send() failed (%d: %s)", int(errno), capitalize(errno.Error()))
		}
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
		l.udpLogClosed(h, "receive")
		return fail(th, closedText)
	}
	u.own(th, h)
	if u.reading {
		return fail(th, "socket busy")
	}
	size := maxDatagram
	if len(args) == 2 {
		if size = th.CheckInt(args, 1); size <= 0 || size > maxDatagram {
			size = maxDatagram
		}
	}
	if h.Logs(Debug) {
		h.Log(Debug, fmt.Sprintf("lua udp socket receive buffer size: %d", size))
	}
	buf := make([]byte, size)
	conn, timeout := u.conn, pick(u.readTimeout, h.Config().ReadTimeout)
	var n int
	var err error
	u.reading = true
	th.Block(func() { u.reading = false; u.finalize() }, func() {
		conn.SetReadDeadline(time.Now().Add(timeout))
		n, err = conn.Read(buf)
	})
	u.reading = false
	if err == nil {
		return rt.String(string(buf[:n])), 1
	}
	if isTimeout(err) {
		u.failf("lua udp socket read timed out")
		return fail(th, timeoutText)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		u.failf("recv() failed (%d: %s)", int(errno), capitalize(errno.Error()))
	}
	return fail(th, failureText(err))
}

// udpSetTimeout is udpsock:settimeout(milliseconds).
func (l *Lib) udpSetTimeout(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("ngx.socket settimeout: expecting at least 2 arguments (including the object) but seen %d", len(args))
	}
	u := ensureUDP(th.CheckTable(args, 0))
	f, _ := rt.ToNumber(args[1])
	u.readTimeout = max(0, time.Duration(f)) * time.Millisecond
	return rt.Nil, 0
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
	if u.reading {
		return fail(th, "socket busy")
	}
	u.finalize()
	return rt.Int(1), 1
}
