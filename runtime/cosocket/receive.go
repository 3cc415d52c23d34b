package cosocket

import (
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/inet"
)

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
