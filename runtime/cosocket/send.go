package cosocket

import (
	"fmt"
	"net"

	rt "github.com/moonphase/moonphase/runtime"
)

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
	h.Log(Error, fmt.Sprintf("attempt to %s data on a closed socket: u:%s, c:%s, ft:0 eof:%d", what, pointer(s), pointer(c), eof)+s.peer())
}

// pointer prints an address as nginx does, also that of nothing.
func pointer(p any) string {
	if p == nil {
		return "0000000000000000"
	}
	return rt.Address{Pointer: p}.String()
}
