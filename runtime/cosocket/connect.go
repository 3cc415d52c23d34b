package cosocket

import (
	"fmt"
	"math"
	"strconv"

	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/inet"
)

// raiser raises the errors of connect: with the position of the script's call, or,
// for ngx.socket.connect, which is a Lua chunk in ngx_lua, with that of the chunk.
type raiser struct {
	th    *rt.Thread
	chunk string // "ngx.socket.connect:1: ", "" when the script made the call itself
}

func (r raiser) errorf(format string, args ...any) {
	if r.chunk == "" {
		r.th.Errorf(format, args...)
	}
	r.th.Throw(rt.String(r.chunk + fmt.Sprintf(format, args...)))
}

// argError complains of argument i, of which 0 is the object.
func (r raiser) argError(i int, message string) {
	if r.chunk == "" {
		r.th.ArgError(i, message)
	}
	r.errorf("bad argument #%d to 'connect' (%s)", i, message)
}

// Connect is ngx.socket.connect: a new socket, connected.
func (l *Lib) Connect(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := raiser{th, "ngx.socket.connect:1: "}
	if refusal := l.Gate(th); refusal != "" {
		r.errorf("%s", refusal)
	}
	v := l.object(l.tcp)
	got, n := l.connectAs(r, append([]rt.Value{v}, args...))
	if got.Truthy() {
		return v, 1
	}
	return got, n
}

// connect is tcpsock:connect(host, port?, options?).
func (l *Lib) connect(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return l.connectAs(raiser{th: th}, args)
}

func (l *Lib) connectAs(r raiser, args []rt.Value) (rt.Value, int) {
	th, n := r.th, len(args)
	if n < 2 || n > 4 {
		r.errorf("ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen %d", n)
	}
	if refusal := l.Gate(th); refusal != "" {
		r.errorf("%s", refusal)
	}
	h := l.Host(th)
	t := th.CheckTable(args, 0)
	host, ok := stringArg(args[1])
	if !ok {
		r.argError(1, "string expected, got "+rt.TypeName(args[1]))
	}
	opts := connectOptions(r, t, args, h)
	port := 0
	switch {
	case n >= 3 && isNumeric(args[2]):
		if port = int(int32(toInt(args[2]))); port < 0 || port > 65535 {
			return fail(th, "bad port number: "+strconv.Itoa(port))
		}
		if !opts.custom {
			text, _ := stringArg(args[2])
			opts.pool = host + ":" + text
		}
	case inet.IsUnix(host):
		if !opts.custom {
			opts.pool = host
		}
	default:
		return fail(th, "missing the port number")
	}
	if !opts.custom {
		t.SetInt(atKey, rt.String(opts.pool))
	}
	s := l.claim(r, t, h)
	if text := s.busy(true, true, true); text != "" {
		return fail(th, text)
	}
	if s.downstream != upstream {
		r.errorf("attempt to re-connect a request socket")
	}
	s.renew(t, h)
	s.debugf("lua tcp socket connect timeout: %d", milliseconds(s.timeout.connect))
	returned := false
	defer func() {
		if !returned { // the light thread was killed while it waited
			s.connecting, s.dialing = s.resolving, false
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

// claim finds the object's socket, making it when there is none. A socket works only
// for the request that connected it, as long as that lives.
func (l *Lib) claim(r raiser, t *rt.Table, h Host) *Socket {
	s := socketOf(t)
	switch {
	case s == nil:
		s = &Socket{}
		t.SetInt(atSocket, rt.NewUserdata(s, nil))
	case s.host != h && !s.host.Ended():
		r.errorf("bad request")
	}
	return s
}

// renew makes s ready to be connected on behalf of h.
func (s *Socket) renew(t *rt.Table, h Host) {
	again := s.host != nil
	s.host = h
	if s.connected() {
		s.debugf("lua tcp socket reconnect without shutting down")
		s.finalize()
	}
	if again {
		s.debugf("lua reuse socket upstream ctx")
	}
	cfg := h.Config()
	s.defaults = timeouts{cfg.ConnectTimeout, cfg.SendTimeout, cfg.ReadTimeout}
	s.timeout = s.defaults.with(timeoutsOf(t))
	if v := t.Int(atBind); v.IsUserdata() {
		s.local, _ = v.Userdata().Data.(string)
	} else {
		s.local = ""
	}
	s.reused = 0
}

// isNumeric is lua_isnumber: a number or a string that reads as one.
func isNumeric(v rt.Value) bool {
	if v.IsString() {
		_, ok := rt.ToNumber(v)
		return ok
	}
	return v.IsNumber()
}

// stringArg is the text of a string or number.
func stringArg(v rt.Value) (string, bool) {
	switch {
	case v.IsString():
		return v.Str(), true
	case v.IsNumber():
		return rt.NumberString(v.Num()), true
	}
	return "", false
}

// toInt is lua_tointeger: a number cut to a whole one; what does not fit gives the
// smallest, as the processor's conversion does.
func toInt(v rt.Value) int {
	if f, _ := rt.ToNumber(v); f >= -1<<63 && f < 1<<63 {
		return int(f)
	}
	return math.MinInt
}

// connectOpts is the options table of connect.
type connectOpts struct {
	pool    string // key of the pool
	custom  bool   // pool was given
	size    int    // 0: make no pool now
	backlog int    // -1: no limit
}

// connectOptions reads the options, and keeps a given pool's name in the object even
// if the call fails later.
func connectOptions(r raiser, object *rt.Table, args []rt.Value, h Host) connectOpts {
	o := connectOpts{backlog: -1}
	last := len(args) - 1
	if !args[last].IsTable() {
		return o
	}
	option := func(name string) rt.Value { return rt.Index(r.th, args[last], rt.String(name), "") }
	switch v := option("pool_size"); {
	case isNumeric(v):
		if o.size = toInt(v); o.size <= 0 {
			r.argError(last, fmt.Sprintf("bad \"pool_size\" option value: %d", int32(o.size)))
		}
	case !v.IsNil():
		r.argError(last, "bad \"pool_size\" option type: "+rt.TypeName(v))
	}
	if v := option("backlog"); isNumeric(v) {
		if o.backlog = toInt(v); o.backlog < 0 {
			r.argError(last, fmt.Sprintf("bad \"backlog\" option value: %d", int32(o.backlog)))
		}
		if o.size == 0 {
			o.size = h.Config().PoolSize
		}
	}
	v := option("pool")
	if o.pool, o.custom = stringArg(v); o.custom {
		object.SetInt(atKey, rt.String(o.pool))
	} else if !v.IsNil() {
		r.argError(last, "bad \"pool\" option type: "+rt.TypeName(v))
	}
	return o
}

// connectPooled takes an idle connection of the pool, or makes a connection when the
// pool's limits allow it. It returns what went wrong, "" for nothing.
func (s *Socket) connectPooled(th *rt.Thread, host string, port int, o connectOpts) string {
	pools := s.host.Pools()
	pl := pools.lookup(o.pool, o.size, o.backlog, s.debugf)
	resuming := false
	for pl != nil {
		if ic := pools.take(pl); ic != nil {
			s.debugf("lua tcp socket get keepalive peer: using connection %v, fd:%d", rt.Address{Pointer: ic}, descriptor(ic.conn))
			s.pool = pl
			s.attach(ic.conn, ic.reused+1)
			return ""
		}
		pl = pools.lookup(o.pool, o.size, o.backlog, s.debugf) // it may have gone with its last connection
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
		s.debugf("lua tcp socket queue connect operation for connection pool \"%s\", connections: %d", o.pool, pl.connections)
		s.connecting = true
		resumed := pools.wait(th, pl, q, s.timeout.connect)
		s.connecting = false
		if !resumed {
			s.failf(Error, "lua tcp socket queued connect timed out, when trying to connect to %s:%d", host, port)
			return timeoutText
		}
		resuming = true
	}
	failure := s.connectNew(th, host, port)
	if failure != "" {
		s.releasePool()
	}
	return failure
}

// connectNew resolves the host when that is needed and connects.
func (s *Socket) connectNew(th *rt.Thread, host string, port int) string {
	s.name = host
	a, reason := inet.Parse(host, port)
	if reason != "" {
		return parseFailure(host, reason)
	}
	ip := ""
	if a.Name {
		a.Port = port // the name is resolved as it was given
		s.connecting, s.resolving = true, true
		resolved, failure := s.host.Resolve(th, a.Host)
		s.connecting, s.resolving = false, false
		if failure != "" {
			return failure
		}
		ip = resolved
	}
	network, address := a.Dial(ip)
	return s.dial(th, network, address)
}

// parseFailure is what connect and setpeername return for a host that is no address.
func parseFailure(host, reason string) string {
	return `failed to parse host name "` + inet.CString(host) + `": ` + reason
}
