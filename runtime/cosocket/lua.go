package cosocket

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// A Lib makes sockets for scripts. It is what connects the package to a server.
type Lib struct {
	// Host returns the host of the running code; it raises an error where there is
	// none ("no request found").
	Host func(th *rt.Thread) Host
	// Gate raises an error where the running phase may not wait.
	Gate func(th *rt.Thread)

	tcp, udp, body, raw *rt.Table // the metatables; each is its own __index
}

// Indexes of the object's table. Scripts see a plain table with these numbers in it,
// as they do in ngx_lua.
const (
	atSocket = 1 // userdata with the *Socket or *udpSocket
	atKey    = 3
)

type method struct {
	name string
	f    rt.GoFunc
}

// NewLib makes the metatables of one Lua state.
func NewLib(host func(*rt.Thread) Host, gate func(*rt.Thread)) *Lib {
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
func (l *Lib) TCP(th *rt.Thread, args []rt.Value) (rt.Value, int) { return l.object(th, args, l.tcp) }

// UDP is ngx.socket.udp.
func (l *Lib) UDP(th *rt.Thread, args []rt.Value) (rt.Value, int) { return l.object(th, args, l.udp) }

func (l *Lib) object(th *rt.Thread, args []rt.Value, meta *rt.Table) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("expecting zero arguments, but got %d", len(args))
	}
	l.Host(th)
	l.Gate(th)
	t := rt.NewTable(5, 0)
	t.SetMeta(meta)
	return rt.TableValue(t), 1
}

// Downstream returns the object for a socket of NewDownstream.
func (l *Lib) Downstream(s *Socket) rt.Value {
	t := rt.NewTable(5, 0)
	t.SetMeta(l.body)
	if s.downstream == rawRequest {
		t.SetMeta(l.raw)
	}
	s.host.Open().add(s)
	t.SetInt(atSocket, rt.NewUserdata(s, nil))
	return rt.TableValue(t)
}

// Connect is ngx.socket.connect: a new socket, connected.
func (l *Lib) Connect(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	v, _ := l.object(th, nil, l.tcp)
	got, n := l.connect(th, append([]rt.Value{v}, args...))
	if got.Truthy() {
		return v, 1
	}
	return got, n
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

// ensure is socketOf, making the socket when there is none.
func ensure(t *rt.Table) *Socket {
	s := socketOf(t)
	if s == nil {
		s = &Socket{readClosed: true, writeClosed: true}
		t.SetInt(atSocket, rt.NewUserdata(s, nil))
	}
	return s
}

// own checks that the running request made s.
func own(th *rt.Thread, s *Socket, h Host) {
	if s.host != nil && s.host.Owner() != h.Owner() {
		th.Errorf("bad request")
	}
}

// connect is tcpsock:connect(host, port?, options?).
func (l *Lib) connect(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	n := len(args)
	if n < 2 || n > 4 {
		th.Errorf("ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen %d", n)
	}
	h := l.Host(th)
	l.Gate(th)
	t := th.CheckTable(args, 0)
	host := th.CheckString(args, 1)
	opts := connectOptions(th, args, h)
	port := -1
	if n >= 3 && isNumeric(args[2]) {
		port = th.CheckInt(args, 2)
		if port < 0 || port > 65535 {
			return fail(th, "bad port number: "+strconv.Itoa(port))
		}
	} else if !isUnix(host) {
		return fail(th, "missing the port number")
	}
	key := opts.pool
	if key == "" {
		key = host
		if port >= 0 {
			key += ":" + strconv.Itoa(port)
		}
	}
	s := ensure(t)
	own(th, s, h)
	if s.downstream != upstream {
		th.Errorf("attempt to re-connect a request socket")
	}
	if text := s.busy(true, true, true); text != "" {
		return fail(th, text)
	}
	if s.connected() {
		s.debugf("lua tcp socket reconnect without shutting down")
		s.finalize()
	}
	if s.host != nil {
		s.debugf("lua reuse socket upstream ctx")
	}
	s.host, s.key = h, key
	t.SetInt(atKey, rt.String(key))
	s.debugf("lua tcp socket connect timeout: %d", milliseconds(pick(s.connectTimeout, h.Config().ConnectTimeout)))
	returned := false
	defer func() {
		if !returned { // the light thread was killed while it waited
			s.connecting, s.dialing = false, false
			s.releasePool()
		}
	}()
	failure := s.connectPooled(th, host, port, opts)
	returned = true
	if failure != "" {
		return fail(th, failure)
	}
	return rt.Int(1), 1
}

func isUnix(host string) bool { return len(host) >= 5 && strings.EqualFold(host[:5], "unix:") }

// isNumeric is lua_isnumber: a number or a string that reads as one.
func isNumeric(v rt.Value) bool {
	if v.IsString() {
		_, ok := rt.ToNumber(v)
		return ok
	}
	return v.IsNumber()
}

// connectOpts is the options table of connect.
type connectOpts struct {
	pool    string // "" for the default key
	size    int    // 0: make no pool now
	backlog int    // -1: no limit
}

func connectOptions(th *rt.Thread, args []rt.Value, h Host) connectOpts {
	o := connectOpts{backlog: -1}
	last := len(args) - 1
	if last < 2 || !args[last].IsTable() {
		return o
	}
	t := args[last].Table()
	switch v := t.GetStr("pool_size"); {
	case isNumeric(v):
		if o.size = toInt(v); o.size <= 0 {
			th.ArgError(last, fmt.Sprintf("bad \"pool_size\" option value: %d", o.size))
		}
	case !v.IsNil():
		th.ArgError(last, "bad \"pool_size\" option type: "+rt.TypeName(v))
	}
	if v := t.GetStr("backlog"); isNumeric(v) {
		if o.backlog = toInt(v); o.backlog < 0 {
			th.ArgError(last, fmt.Sprintf("bad \"backlog\" option value: %d", o.backlog))
		}
		if o.size == 0 {
			o.size = h.Config().PoolSize
		}
	}
	switch v := t.GetStr("pool"); {
	case v.IsString():
		o.pool = v.Str()
	case v.IsNumber():
		o.pool = rt.NumberString(v.Num())
	case !v.IsNil():
		th.ArgError(last, "bad \"pool\" option type: "+rt.TypeName(v))
	}
	return o
}

func toInt(v rt.Value) int {
	f, _ := rt.ToNumber(v)
	return int(math.Trunc(f))
}

// connectPooled takes an idle connection of the pool, or makes a connection when the
// pool's limits allow it. It returns what went wrong, "" for nothing.
func (s *Socket) connectPooled(th *rt.Thread, host string, port int, o connectOpts) string {
	pools := s.host.Pools()
	pl := pools.lookup(s.key, o.size, o.backlog, s.debugf)
	resuming := false
	for pl != nil {
		if ic := pools.take(pl); ic != nil {
			s.debugf("lua tcp socket get keepalive peer: using connection %p, fd:%d", ic, descriptor(ic.conn))
			s.pool = pl
			s.attach(ic.conn, ic.reused+1)
			return ""
		}
		pl = pools.lookup(s.key, o.size, o.backlog, s.debugf) // it may have gone with its last connection
		if pl == nil {
			break
		}
		q, failure := pools.enter(pl, resuming)
		if failure != "" {
			return failure
		}
		if q == nil {
			s.pool = pl
			break
		}
		timeout := pick(s.connectTimeout, s.host.Config().ConnectTimeout)
		s.debugf("lua tcp socket queue connect operation for connection pool \"%s\", connections: %d", s.key, pl.connections)
		s.connecting = true
		resumed := pools.wait(th, pl, q, timeout)
		s.connecting = false
		if !resumed {
			s.failf(Error, "lua tcp socket queued connect timed out, when trying to connect to %s:%d", host, max(port, 0))
			return timeoutText
		}
		resuming = true
	}
	return s.connectNew(th, host, port)
}

// connectNew resolves the host when that is needed and connects.
func (s *Socket) connectNew(th *rt.Thread, host string, port int) string {
	if isUnix(host) {
		path := host[len("unix:"):]
		if path == "" {
			s.releasePool()
			return fmt.Sprintf("failed to parse host name \"%s\": no path in the unix domain socket", host)
		}
		return s.dial(th, "unix", path, host)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if net.ParseIP(address) == nil {
		if reason := badHost(host); reason != "" {
			s.releasePool()
			return fmt.Sprintf("failed to parse host name \"%s\": %s", host, reason)
		}
		s.connecting = true
		resolved, failure := s.host.Resolve(th, host)
		s.connecting = false
		if failure != "" {
			s.releasePool()
			return failure
		}
		address = resolved
	}
	return s.dial(th, "tcp", net.JoinHostPort(address, strconv.Itoa(port)), host)
}

// badHost says why nginx refuses a text as a host name, "" when it does not.
func badHost(host string) string {
	switch {
	case host == "":
		return "no host"
	case strings.ContainsAny(host, "/?"):
		return "invalid host"
	case strings.Contains(host, ":"):
		return "invalid port"
	}
	return ""
}

// bind is tcpsock:bind(address, port?).
func (l *Lib) bind(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n != 2 && n != 3 {
		th.Errorf("expecting 2 or 3 arguments, but got %d", n)
	}
	h := l.Host(th)
	l.Gate(th)
	t := th.CheckTable(args, 0)
	address := th.CheckString(args, 1)
	if len(args) == 3 {
		if !isNumeric(args[2]) {
			return fail(th, "expecting port to be anumber but got type: "+rt.TypeName(args[2]))
		}
		port := toInt(args[2])
		if port < 0 || port > 65535 {
			return fail(th, "bad port number: "+strconv.Itoa(port))
		}
		address = net.JoinHostPort(address, strconv.Itoa(port))
	}
	ip := address
	if len(args) == 3 {
		ip, _, _ = net.SplitHostPort(address)
	}
	if net.ParseIP(ip) == nil {
		return fail(th, "bad address")
	}
	if h.Logs(Debug) {
		h.Log(Debug, "lua tcp socket bind ip: "+address)
	}
	ensure(t).local = address
	return rt.Int(1), 1
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
	if s.downstream == requestBody {
		th.Errorf("attempt to write to request sockets")
	}
	if text := s.busy(true, false, true); text != "" {
		return fail(th, text)
	}
	s.debugf("lua tcp socket send timeout: %d", milliseconds(pick(s.sendTimeout, h.Config().SendTimeout)))
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

// logClosed notes the use of an object that is not connected.
func (l *Lib) logClosed(s *Socket, h Host, what string) {
	if s == nil {
		s = &Socket{}
	}
	if s.host == nil {
		s = &Socket{host: h}
	}
	s.logClosed(what)
}

// reader finds the socket of a read and what prevents it, "" for nothing.
func (l *Lib) reader(th *rt.Thread, args []rt.Value) (*Socket, string) {
	h := l.Host(th)
	s := socketOf(th.CheckTable(args, 0))
	if s == nil || !s.dialing && (s.conn == nil || s.readClosed) {
		l.logClosed(s, h, "receive")
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
		s.debugf("lua tcp socket read timeout: %d", milliseconds(pick(s.readTimeout, s.host.Config().ReadTimeout)))
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
	s, failure := l.reader(th, args)
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
			th.ArgError(1, "bad number argument")
		}
		if size == 0 {
			return rt.String(""), 1
		}
		data, failure := s.readSize(th, size)
		return result(th, data, failure)
	case v.IsString():
		text := v.Str()
		if len(text) != 2 || text[0] != '*' {
			th.ArgError(1, "bad pattern argument: "+text)
		}
		switch text[1] {
		case 'l':
			return s.returnLine(th)
		case 'a':
			data, failure := s.readAll(th)
			return result(th, data, failure)
		}
		th.ArgError(1, "bad pattern argument")
	}
	th.ArgError(1, "bad argument")
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
	s, failure := l.reader(th, args)
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
		s, failure := l.reader(th, []rt.Value{rt.TableValue(object)})
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
	if s.downstream != upstream {
		th.Errorf("attempt to close a request socket")
	}
	if text := s.busy(true, true, true); text != "" {
		return fail(th, text)
	}
	s.finalize()
	return rt.Int(1), 1
}

// timeoutArg reads a number of milliseconds; what is not positive means the default.
func timeoutArg(th *rt.Thread, v rt.Value) time.Duration {
	f, _ := rt.ToNumber(v)
	if f = math.Trunc(f); f >= 1<<31 || f < 0 {
		th.Errorf("bad timeout value")
	}
	return time.Duration(f) * time.Millisecond
}

// setTimeout is tcpsock:settimeout(milliseconds).
func (l *Lib) setTimeout(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("ngx.socket settimeout: expecting 2 arguments (including the object) but seen %d", len(args))
	}
	d := timeoutArg(th, args[1])
	s := ensure(th.CheckTable(args, 0))
	s.connectTimeout, s.sendTimeout, s.readTimeout = d, d, d
	return rt.Nil, 0
}

// setTimeouts is tcpsock:settimeouts(connect, send, read).
func (l *Lib) setTimeouts(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 4 {
		th.Errorf("ngx.socket settimeouts: expecting 4 arguments (including the object) but seen %d", len(args))
	}
	connect, send, read := timeoutArg(th, args[1]), timeoutArg(th, args[2]), timeoutArg(th, args[3])
	s := ensure(th.CheckTable(args, 0))
	s.connectTimeout, s.sendTimeout, s.readTimeout = connect, send, read
	return rt.Nil, 0
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

// setKeepalive is tcpsock:setkeepalive(timeout?, size?).
func (l *Lib) setKeepalive(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n < 1 || n > 3 {
		th.Errorf("expecting 1 to 3 arguments (including the object), but got %d", n)
	}
	t := th.CheckTable(args, 0)
	h := l.Host(th)
	s := socketOf(t)
	if s == nil || !s.dialing && (s.conn == nil || s.readClosed || s.writeClosed) {
		return fail(th, closedText)
	}
	own(th, s, h)
	if text := s.busy(true, true, true); text != "" {
		return fail(th, text)
	}
	switch {
	case len(s.in) > 0:
		return fail(th, "unread data in buffer")
	case s.eof:
		return fail(th, "invalid connection")
	}
	cfg := h.Config()
	timeout := cfg.KeepaliveTimeout
	if len(args) >= 2 && !args[1].IsNil() {
		timeout = time.Duration(th.CheckInt(args, 1)) * time.Millisecond
	}
	pools := h.Pools()
	if pools.isExiting() {
		s.debugf("lua tcp socket set keepalive while process exiting, closing connection %p", s)
		s.finalize()
		return rt.Int(1), 1
	}
	s.debugf("lua tcp socket set keepalive: saving connection %p", s)
	pl := pools.lookup(s.key, 0, -1, s.debugf)
	if pl == nil {
		size := cfg.PoolSize
		if len(args) == 3 && !args[2].IsNil() {
			size = th.CheckInt(args, 2)
		}
		if size <= 0 {
			th.ArgError(len(args)-1, fmt.Sprintf("bad \"pool_size\" option value: %d", size))
		}
		pl = pools.lookup(s.key, size, -1, s.debugf)
	}
	if !quiet(s.conn) {
		s.finalize()
		return fail(th, "connection in dubious state")
	}
	if timeout > 0 {
		s.debugf("lua tcp socket keepalive timeout: %d ms", milliseconds(timeout))
	} else {
		s.debugf("lua tcp socket keepalive timeout: unlimited")
	}
	ic := &idleConn{conn: s.conn, reused: s.reused, timeout: timeout}
	counted := s.pool == pl
	if s.pool != nil && !counted {
		s.releasePool()
	}
	s.pool, s.conn = nil, nil
	s.finalize()
	pools.put(pl, ic, counted)
	return rt.Int(1), 1
}
