package cosocket

import (
	"syscall"

	rt "github.com/moonphase/moonphase/runtime"
)

// sockOption is one of the names that setoption and getoption know.
type sockOption struct {
	level, name int
	flag        bool // any value that is not 0 or false means on
}

var sockOptions = map[string]sockOption{
	"keepalive":    {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, true},
	"reuseaddr":    {syscall.SOL_SOCKET, syscall.SO_REUSEADDR, true},
	"tcp-nodelay":  {syscall.IPPROTO_TCP, syscall.TCP_NODELAY, true},
	"sndbuf":       {syscall.SOL_SOCKET, syscall.SO_SNDBUF, false},
	"rcvbuf":       {syscall.SOL_SOCKET, syscall.SO_RCVBUF, false},
	"keepintvl":    {syscall.IPPROTO_TCP, keepInterval, false},
	"keepcnt":      {syscall.IPPROTO_TCP, keepCount, false},
	"tcp-keepidle": {syscall.IPPROTO_TCP, keepIdle, false},
}

// neverConnected is the error of an object without a socket.
const neverConnected = "socket is never created nor connected"

// option finds the socket and the named option; value is that of setoption. failure
// says what is wrong.
func (l *Lib) option(th *rt.Thread, args []rt.Value, set bool) (s *Socket, opt sockOption, failure string) {
	t := th.CheckTable(args, 0)
	if t.Int(atSocket).IsNil() {
		th.Errorf(neverConnected)
	}
	name, ok := rt.ArgAt(args, 1), false
	switch {
	case name.IsNil():
		return s, opt, "missing the \"option\" argument"
	case set && rt.ArgAt(args, 2).IsNil():
		return s, opt, "missing the \"value\" argument"
	case name.IsString():
		opt, ok = sockOptions[name.Str()]
	}
	if !ok {
		return s, opt, "unsupported option " + th.ToStringMeta(name)
	}
	return socketOf(t), opt, ""
}

// control runs f on the socket's descriptor and words its error.
func (s *Socket) control(f func(fd int) error) string {
	if s == nil || !s.connected() {
		return closedText
	}
	sc, ok := underlying(s.conn).(syscall.Conn)
	if !ok {
		return "invalid socket fd"
	}
	raw, err := sc.SyscallConn()
	if err == nil {
		if failed := raw.Control(func(fd uintptr) { err = f(int(fd)) }); failed != nil {
			err = failed
		}
	}
	if err != nil {
		return failureText(err)
	}
	return ""
}

// setOption is tcpsock:setoption(option, value).
func (l *Lib) setOption(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s, opt, failure := l.option(th, args, true)
	if failure != "" {
		return fail(th, failure)
	}
	v := args[2]
	if !v.IsNumber() && !v.IsBool() {
		th.Errorf("bad argument #3 to 'ngx_http_lua_ffi_socket_tcp_setoption' (cannot convert '%s' to 'int')", rt.TypeName(v))
	}
	value := boolInt(v.Truthy())
	if isNumeric(v) {
		value = toInt(v)
		if opt.flag {
			value = boolInt(value != 0)
		}
	}
	failure = s.control(func(fd int) error { return syscall.SetsockoptInt(fd, opt.level, opt.name, value) })
	if failure != "" {
		return fail(th, failure)
	}
	return rt.True, 1
}

// getOption is tcpsock:getoption(option).
func (l *Lib) getOption(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s, opt, failure := l.option(th, args, false)
	if failure != "" {
		return fail(th, failure)
	}
	var value int
	failure = s.control(func(fd int) (err error) {
		value, err = syscall.GetsockoptInt(fd, opt.level, opt.name)
		return err
	})
	if failure != "" {
		return fail(th, failure)
	}
	return rt.Int(value), 1
}
