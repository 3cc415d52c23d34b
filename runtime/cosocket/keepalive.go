package cosocket

import (
	"fmt"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// setKeepalive is tcpsock:setkeepalive(timeout?, size?).
func (l *Lib) setKeepalive(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n < 1 || n > 3 {
		th.Errorf("expecting 1 to 3 arguments (including the object), but got %d", n)
	}
	t := th.CheckTable(args, 0)
	h := l.Host(th)
	s := socketOf(t)
	if h.Config().ChecksNumbers {
		for i := 1; i < len(args); i++ {
			if !args[i].IsNil() {
				th.CheckNumber(args, i)
			}
		}
	}
	if s == nil || !s.dialing && (s.conn == nil || s.readClosed || s.writeClosed || s.eof) {
		return fail(th, closedText)
	}
	own(th, s, h)
	if text := s.busy(true, true, true); text != "" {
		return fail(th, text)
	}
	if len(s.in) > 0 {
		return fail(th, "unread data in buffer")
	}
	state := connQuiet
	if s.downstream == upstream {
		state = stateOf(s.conn)
	}
	if state == connEnded {
		return fail(th, closedText)
	}
	pools := h.Pools()
	if pools.isExiting() {
		s.debugf("lua tcp socket set keepalive while process exiting, closing connection %v", rt.Address{Pointer: s})
		s.finalize()
		return rt.Int(1), 1
	}
	s.debugf("lua tcp socket set keepalive: saving connection %v", rt.Address{Pointer: s})
	key, ok := stringArg(t.Int(atKey))
	if !ok || s.downstream != upstream {
		return fail(th, "key not found")
	}
	pl := s.poolToKeep(th, key, args)
	timeout := s.idleTimeout(th, args)
	if state == connData {
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

// idleTimeout is how long the connection may be kept; 0 for ever.
func (s *Socket) idleTimeout(th *rt.Thread, args []rt.Value) time.Duration {
	if rt.ArgAt(args, 1).IsNil() {
		return s.host.Config().KeepaliveTimeout
	}
	return time.Duration(th.CheckInt(args, 1)) * time.Millisecond
}

// poolToKeep finds the pool of a key, or makes it.
func (s *Socket) poolToKeep(th *rt.Thread, key string, args []rt.Value) *pool {
	pools := s.host.Pools()
	if pl := pools.lookup(key, 0, -1, s.debugf); pl != nil {
		return pl
	}
	size := s.host.Config().PoolSize
	if !rt.ArgAt(args, 2).IsNil() {
		size = th.CheckInt(args, 2)
	}
	if size <= 0 {
		th.ArgError(len(args)-1, fmt.Sprintf("bad \"pool_size\" option value: %d", size))
	}
	return pools.lookup(key, size, -1, s.debugf)
}
