package cosocket

import (
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// timeouts are those of the three kinds of operation.
type timeouts struct{ connect, send, read time.Duration }

// with gives t with what own sets, which is what is positive.
func (t timeouts) with(own timeouts) timeouts {
	if own.connect > 0 {
		t.connect = own.connect
	}
	if own.send > 0 {
		t.send = own.send
	}
	if own.read > 0 {
		t.read = own.read
	}
	return t
}

// timeoutsOf are the timeouts that a script gave to an object, which keeps them from
// one connection to the next.
func timeoutsOf(t *rt.Table) timeouts {
	at := func(i int) time.Duration {
		if v := t.Int(i); v.IsNumber() {
			return time.Duration(toInt(v)) * time.Millisecond
		}
		return 0
	}
	return timeouts{at(atConnectTimeout), at(atSendTimeout), at(atReadTimeout)}
}

// timeoutArg reads a number of milliseconds; what is no number is 0.
func timeoutArg(th *rt.Thread, v rt.Value) rt.Value {
	ms := toInt(v)
	if ms>>31 != 0 {
		th.Errorf("bad timeout value")
	}
	return rt.Int(ms)
}

// setTimeout is tcpsock:settimeout(milliseconds). 0 means the directive's.
func (l *Lib) setTimeout(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("ngx.socket settimeout: expecting 2 arguments (including the object) but seen %d", len(args))
	}
	ms := timeoutArg(th, args[1])
	setTimeouts(th.CheckTable(args, 0), ms, ms, ms)
	return rt.Nil, 0
}

// setTimeouts is tcpsock:settimeouts(connect, send, read).
func (l *Lib) setTimeouts(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 4 {
		th.Errorf("ngx.socket settimeout: expecting 4 arguments (including the object) but seen %d", len(args))
	}
	connect, send, read := timeoutArg(th, args[1]), timeoutArg(th, args[2]), timeoutArg(th, args[3])
	setTimeouts(th.CheckTable(args, 0), connect, send, read)
	return rt.Nil, 0
}

func setTimeouts(t *rt.Table, connect, send, read rt.Value) {
	t.SetInt(atConnectTimeout, connect)
	t.SetInt(atSendTimeout, send)
	t.SetInt(atReadTimeout, read)
	if s := socketOf(t); s != nil {
		s.timeout = s.defaults.with(timeoutsOf(t))
	}
}
