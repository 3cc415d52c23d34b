package cosocket

import (
	"fmt"
	"net"

	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/inet"
)

// A Lib makes sockets for scripts. It is what connects the package to a server.
type Lib struct {
	// Host returns the host of the running code; it raises an error where there is
	// none ("no request found").
	Host func(th *rt.Thread) Host
	// Gate says why no socket may be made or connected by the running code, "" when
	// it may: its phase cannot wait.
	Gate func(th *rt.Thread) string

	tcp, udp, body, raw *rt.Table // the metatables; each is its own __index
}

// Indexes of the object's table. Scripts see a plain table with these numbers in it,
// as they do in ngx_lua.
const (
	atSocket         = 1 // userdata with the *Socket or *udpSocket
	atConnectTimeout = 2 // milliseconds
	atKey            = 3 // of the keepalive pool
	atSendTimeout    = 4
	atReadTimeout    = 5
	atClientCert     = 6
	atClientKey      = 7
	atBind           = 8 // userdata with the address to connect from

	slots = 8
)

type method struct {
	name string
	f    rt.GoFunc
}

// NewLib makes the metatables of one Lua state.
func NewLib(host func(*rt.Thread) Host, gate func(*rt.Thread) string) *Lib {
	l := &Lib{Host: host, Gate: gate}
	reading := []method{
		{"receive", l.receive}, {"receiveany", l.receiveAny}, {"receiveuntil", l.receiveUntil},
		{"settimeout", l.setTimeout}, {"settimeouts", l.setTimeouts},
		{"getoption", l.getOption}, {"setoption", l.setOption},
	}
	l.body = metatable(reading)
	l.raw = metatable(append(reading[:len(reading):len(reading)], method{"send", l.send}))
	l.tcp = metatable(append(reading[:len(reading):len(reading)],
		method{"connect", l.connect}, method{"bind", l.bind}, method{"send", l.send}, method{"close", l.close},
		method{"setkeepalive", l.setKeepalive}, method{"getreusedtimes", l.getReusedTimes},
		method{"sslhandshake", l.sslHandshake}, method{"setclientcert", l.setClientCert}))
	l.udp = metatable([]method{
		{"setpeername", l.setPeerName}, {"send", l.udpSend}, {"receive", l.udpReceive},
		{"settimeout", l.udpSetTimeout}, {"bind", l.udpBind}, {"close", l.udpClose},
	})
	return l
}

func metatable(methods []method) *rt.Table {
	t := rt.NewTable(0, len(methods)+1)
	for _, m := range methods {
		t.SetStr(m.name, rt.NewGoFunction(m.name, m.f))
	}
	t.SetStr("__index", rt.TableValue(t))
	return t
}

// TCP is ngx.socket.tcp and ngx.socket.stream.
func (l *Lib) TCP(th *rt.Thread, args []rt.Value) (rt.Value, int) { return l.create(th, args, l.tcp) }

// UDP is ngx.socket.udp.
func (l *Lib) UDP(th *rt.Thread, args []rt.Value) (rt.Value, int) { return l.create(th, args, l.udp) }

func (l *Lib) create(th *rt.Thread, args []rt.Value, meta *rt.Table) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("expecting zero arguments, but got %d", len(args))
	}
	l.enter(th)
	return l.object(meta), 1
}

// enter raises an error where Gate has one.
func (l *Lib) enter(th *rt.Thread) {
	if refusal := l.Gate(th); refusal != "" {
		th.Errorf("%s", refusal)
	}
}

func (l *Lib) object(meta *rt.Table) rt.Value {
	t := rt.NewTable(slots, 0)
	t.SetMeta(meta)
	return rt.TableValue(t)
}

// Downstream returns the object for a socket of NewDownstream.
func (l *Lib) Downstream(s *Socket) rt.Value {
	meta := l.body
	if s.downstream == rawRequest {
		meta = l.raw
	}
	s.host.Open().add(s)
	v := l.object(meta)
	v.Table().SetInt(atSocket, rt.NewUserdata(s, nil))
	return v
}

// fail returns nil and a message.
func fail(th *rt.Thread, message string) (rt.Value, int) {
	return th.Return2(rt.Nil, rt.String(message))
}

// socketOf finds the socket of an object, nil before its first use.
func socketOf(t *rt.Table) *Socket {
	if v := t.Int(atSocket); v.IsUserdata() {
		s, _ := v.Userdata().Data.(*Socket)
		return s
	}
	return nil
}

// own checks that the running request connected s.
func own(th *rt.Thread, s *Socket, h Host) {
	if s.host != h {
		th.Errorf("bad request")
	}
}

// send is tcpsock:send(data).
func (l *Lib) send(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("expecting 2 arguments (including the object), but got %d", len(args))
	}
	h := l.Host(th)
	t := th.CheckTable(args, 0)
	s := socketOf(t)
	if s == nil || !s.dialing && (s.conn == nil || s.writeClosed) {
		l.logClosed(s, h, "send")
		return fail(th, closedText)
	}
	own(th, s, h)
	if text := s.busy(true, false, true); text != "" {
		return fail(th, text)
	}
	if s.downstream == requestBody {
		th.Errorf("attempt to write to request sockets")
	}
	s.debugf("lua tcp socket send timeout: %d", milliseconds(s.timeout.send))
	data := appendData(th, s.out[:0], args, 1)
	if len(data) == 0 {
		return rt.Int(0), 1
	}
	s.out = nil
	s.setNoDelay()
	if failure := s.sendAll(th, data); failure != "" {
		return fail(th, failure)
	}
	if cap(data) <= maxKeptBuffer {
		s.out = data
	}
	return rt.Int(len(data)), 1
}

// maxKeptBuffer bounds the send buffer that a socket keeps for its next send.
const maxKeptBuffer = 64 << 10

// logClosed notes the use of an object that is not connected. Its own host may be gone.
func (l *Lib) logClosed(s *Socket, h Host, what string) {
	if !h.Config().LogErrors {
		return
	}
	var c net.Conn
	eof := 0
	if s != nil {
		c, eof = s.conn, boolInt(s.eof)
	}
	h.Log(Error, fmt.Sprintf("attempt to %s data on a closed socket: u:%s, c:%s, ft:0 eof:%d", what, pointer(s), pointer(c), eof))
}

// pointer prints an address as nginx does, also that of nothing.
func pointer(p any) string {
	if p == nil {
		return "0000000000000000"
	}
	return rt.Address{Pointer: p}.String()
}

// reader finds the socket of a read and what prevents it, "" for nothing.
func (l *Lib) reader(th *rt.Thread, t *rt.Table, logged bool) (*Socket, string) {
	h := l.Host(th)
	s := socketOf(t)
	if s == nil || !s.dialing && (s.conn == nil || s.readClosed) {
		if logged {
			l.logClosed(s, h, "receive")
		}
		return nil, closedText
	}
	own(th, s, h)
	if text := s.busy(true, true, false); text != "" {
		return nil, text
	}
	return s, ""
}

func (s *Socket) debugReadTimeout() {
	if s.host.Logs(Debug) {
		s.debugf("lua tcp socket read timeout: %d", milliseconds(s.timeout.read))
	}
}

// result returns data, or nil, the failure and the data that came before it.
func result(th *rt.Thread, data, failure string) (rt.Value, int) {
	if failure != "" {
		return th.Return3(rt.Nil, rt.String(failure), rt.String(data))
	}
	return rt.String(data), 1
}

// receive is tcpsock:receive(pattern or size).
func (l *Lib) receive(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n != 1 && n != 2 {
		th.Errorf("expecting 1 or 2 arguments (including the object), but got %d", n)
	}
	s, failure := l.reader(th, th.CheckTable(args, 0), true)
	if failure != "" {
		return fail(th, failure)
	}
	s.debugReadTimeout()
	if len(args) == 1 {
		return s.returnLine(th)
	}
	switch v := args[1]; {
	case isNumeric(v):
		size := toInt(v)
		if size < 0 {
			th.ArgError(1, "bad pattern argument")
		}
		if size == 0 {
			return rt.String(""), 1
		}
		data, failure := s.readSize(th, size)
		return result(th, data, failure)
	case v.IsString():
		switch text := v.Str(); {
		case len(text) != 2 || text[0] != '*':
			th.ArgError(1, "bad pattern argument: "+inet.CString(text))
		case text[1] == 'l':
			return s.returnLine(th)
		case text[1] == 'a':
			data, failure := s.readAll(th)
			return result(th, data, failure)
		}
	}
	th.ArgError(1, "bad pattern argument")
	return rt.Nil, 0
}

func (s *Socket) returnLine(th *rt.Thread) (rt.Value, int) {
	line, failure := s.readLine(th)
	return result(th, line, failure)
}

// receiveAny is tcpsock:receiveany(max).
func (l *Lib) receiveAny(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("expecting 2 arguments (including the object), but got %d", len(args))
	}
	s, failure := l.reader(th, th.CheckTable(args, 0), true)
	if failure != "" {
		return fail(th, failure)
	}
	if !isNumeric(args[1]) || toInt(args[1]) <= 0 {
		th.ArgError(1, "bad max argument")
	}
	s.debugf("lua tcp socket calling receiveany() method to read at most %d bytes", toInt(args[1]))
	s.debugReadTimeout()
	s.debugf("lua tcp socket read any")
	data, failure := s.readSome(th, toInt(args[1]))
	return result(th, data, failure)
}

// receiveUntil is tcpsock:receiveuntil(pattern, options?).
func (l *Lib) receiveUntil(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n != 2 && n != 3 {
		th.Errorf("expecting 2 or 3 arguments (including the object), but got %d", n)
	}
	l.Host(th)
	object := th.CheckTable(args, 0)
	inclusive := false
	if len(args) == 3 {
		switch v := th.CheckTable(args, 2).GetStr("inclusive"); {
		case v.IsBool():
			inclusive = v.Truthy()
		case !v.IsNil():
			th.Errorf("bad \"inclusive\" option value type: %s", rt.TypeName(v))
		}
	}
	pattern := th.CheckString(args, 1)
	if pattern == "" {
		return fail(th, "pattern is empty")
	}
	u := newUntil(pattern, inclusive)
	return rt.NewGoFunction("iterator", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		if len(args) > 1 {
			th.Errorf("expecting 0 or 1 arguments, but seen %d", len(args))
		}
		size := 0
		if len(args) == 1 {
			size = max(0, th.CheckInt(args, 0))
		}
		s, failure := l.reader(th, object, false)
		if failure != "" {
			return fail(th, failure)
		}
		s.debugReadTimeout()
		if u.ended {
			u.ended = false
			return th.Return3(rt.Nil, rt.Nil, rt.Nil)
		}
		data, failure := u.read(th, s, size)
		return result(th, data, failure)
	}), 1
}

// close is tcpsock:close().
func (l *Lib) close(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("expecting 1 argument (including the object) but seen %d", len(args))
	}
	h := l.Host(th)
	s := socketOf(th.CheckTable(args, 0))
	if s == nil || !s.dialing && !s.connected() {
		return fail(th, closedText)
	}
	own(th, s, h)
	if text := s.busy(true, true, true); text != "" {
		return fail(th, text)
	}
	if s.downstream != upstream {
		return fail(th, "attempt to close a request socket")
	}
	s.finalize()
	return rt.Int(1), 1
}

// getReusedTimes is tcpsock:getreusedtimes().
func (l *Lib) getReusedTimes(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("expecting 1 argument (including the object), but got %d", len(args))
	}
	s := socketOf(th.CheckTable(args, 0))
	if s == nil || !s.dialing && !s.connected() {
		return fail(th, closedText)
	}
	return rt.Int(s.reused), 1
}
