package cosocket

import rt "github.com/moonphase/moonphase/runtime"

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
	atStore          = 9 // certificates to trust in place of lua_ssl_trusted_certificate's

	slots = 9
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

// AddAccess gives stream sockets the methods of newer ngx_lua that lead to what is below
// them.
func (l *Lib) AddAccess() {
	for _, t := range []*rt.Table{l.tcp, l.body, l.raw} {
		addMethods(t, []method{{"getfd", l.getFD}})
	}
	addMethods(l.tcp, []method{
		{"settrustedstore", l.setTrustedStore}, {"getsslsession", l.getSSLSession},
		{"getsslpointer", l.getSSLPointer}, {"getsslctx", l.getSSLContext},
	})
}

func metatable(methods []method) *rt.Table {
	t := rt.NewTable(0, len(methods)+1)
	addMethods(t, methods)
	t.SetStr("__index", rt.TableValue(t))
	return t
}

func addMethods(t *rt.Table, methods []method) {
	for _, m := range methods {
		t.SetStr(m.name, rt.NewGoFunction(m.name, m.f))
	}
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
