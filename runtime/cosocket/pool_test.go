package cosocket

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

func TestKeepalive(t *testing.T) {
	port := serve(t, echo)
	st := rt.NewState(rt.Options{})
	pools := NewPools(nil)
	h := newTestHost(pools)
	inRequest(t, st, h, func(s *script) {
		sock := s.tcp()
		for i := range 3 {
			s.want(sock, `1`, "connect", "127.0.0.1", port)
			s.want(sock, fmt.Sprint(i), "getreusedtimes")
			s.want(sock, `4`, "send", "ping")
			if i == 1 {
				s.want(sock, `"pin"`, "receive", 3)
				s.want(sock, `nil "unread data in buffer"`, "setkeepalive")
				s.want(sock, `"g"`, "receive", 1)
			} else {
				s.want(sock, `"ping"`, "receive", 4)
			}
			s.want(sock, `1`, "setkeepalive", 60000, 2)
			s.want(sock, `nil "closed"`, "send", "x")
			if i == 0 {
				time.Sleep(4 * unwatched) // a watcher has begun
			}
		}
	})
	inRequest(t, st, h, func(s *script) {
		a, b := s.tcp(), s.tcp()
		s.want(a, `1`, "connect", "127.0.0.1", port)
		s.want(a, `3`, "getreusedtimes")
		s.want(b, `1`, "connect", "127.0.0.1", port, record("pool", rt.String("other")))
		s.want(b, `0`, "getreusedtimes")
	})
	log := strings.Join(h.lines, "\n")
	for _, want := range []string{
		fmt.Sprintf("lua tcp socket connection pool size: 2, backlog: -1\nlua tcp socket keepalive create connection pool for key \"127.0.0.1:%d\"", port),
		"lua tcp socket keepalive timeout: 60000 ms",
		"lua tcp socket get keepalive peer: using connection",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("not logged: %s", want)
		}
	}
}

func (p *Pools) idleCount(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl := p.byKey[key]; pl != nil {
		return len(pl.idle)
	}
	return -1
}

// waitFor polls a condition that another goroutine brings about.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 400 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("timed out: %s", what)
}

func TestIdleConnectionsEnd(t *testing.T) {
	var mu sync.Mutex
	var conns []net.Conn
	port := serve(t, func(c net.Conn) {
		mu.Lock()
		conns = append(conns, c)
		mu.Unlock()
	})
	key := fmt.Sprintf("127.0.0.1:%d", port)
	var lines []string
	pools := NewPools(nil)
	pools.Log = func(line string) { lines = append(lines, line) } // under the lock of pools
	h := newTestHost(pools)
	keep := func(timeout int) {
		inRequest(t, rt.NewState(rt.Options{}), h, func(s *script) {
			sock := s.tcp()
			s.want(sock, `1`, "connect", "127.0.0.1", port)
			s.want(sock, `1`, "setkeepalive", timeout, 5)
		})
	}
	keep(30)
	waitFor(t, "idle timeout", func() bool { return pools.idleCount(key) == -1 })
	keep(0)
	waitFor(t, "accept", func() bool { mu.Lock(); defer mu.Unlock(); return len(conns) == 2 })
	mu.Lock()
	conns[1].Close()
	mu.Unlock()
	waitFor(t, "close by the peer", func() bool { return pools.idleCount(key) == -1 })
	pools.mu.Lock()
	defer pools.mu.Unlock()
	log := strings.Join(lines, "\n")
	for _, want := range []string{"max idle timeout", "lua tcp socket keepalive close handler: fd:", "free connection pool for \"" + key + "\""} {
		if !strings.Contains(log, want) {
			t.Errorf("not logged: %s in\n%s", want, log)
		}
	}
}

// TestPoolEvictsLeastRecentlyUsed keeps three connections in a pool of two.
func TestPoolEvictsLeastRecentlyUsed(t *testing.T) {
	port := serve(t, func(c net.Conn) {
		fmt.Fprintln(c, c.RemoteAddr().(*net.TCPAddr).Port)
		echo(c)
	})
	pools := NewPools(nil)
	inRequest(t, rt.NewState(rt.Options{}), newTestHost(pools), func(s *script) {
		var socks []rt.Value
		var names []string
		for range 3 {
			sock := s.tcp()
			s.want(sock, `1`, "connect", "127.0.0.1", port)
			names = append(names, s.call(sock, "receive"))
			socks = append(socks, sock)
		}
		for _, sock := range socks {
			s.want(sock, `1`, "setkeepalive", 0, 2)
		}
		if n := pools.idleCount(fmt.Sprintf("127.0.0.1:%d", port)); n != 2 {
			t.Errorf("%d idle connections", n)
		}
		for range 3 {
			s.want(socks[0], `1`, "connect", "127.0.0.1", port)
		}
		if name := s.call(socks[0], "receive"); name == names[0] {
			t.Error("the oldest connection was kept")
		}
	})
}

func TestConnectQueue(t *testing.T) {
	port := serve(t, echo)
	pools := NewPools(nil)
	opts := rt.NewTable(0, 2)
	opts.SetStr("pool_size", rt.Int(1))
	opts.SetStr("backlog", rt.Int(1))
	h := newTestHost(pools)
	inRequest(t, rt.NewState(rt.Options{}), h, func(s *script) {
		first := s.tcp()
		s.want(first, `1`, "connect", "127.0.0.1", port, rt.TableValue(opts))
		queued := s.spawn(func(s *script) {
			sock := s.tcp()
			s.want(sock, `1`, "connect", "127.0.0.1", port, rt.TableValue(opts))
			s.want(sock, `1`, "getreusedtimes")
			s.want(sock, `1`, "close")
		})
		third := s.tcp()
		s.want(third, `nil "too many waiting connect operations"`, "connect", "127.0.0.1", port, rt.TableValue(opts))
		s.want(first, `1`, "setkeepalive")
		s.th.WaitAny([]*rt.LightThread{queued})

		s.want(first, `1`, "connect", "127.0.0.1", port, rt.TableValue(opts))
		s.call(third, "settimeout", 20)
		s.want(third, `nil "timeout"`, "connect", "127.0.0.1", port, rt.TableValue(opts))
		killed := s.spawn(func(s *script) { s.call(s.tcp(), "connect", "127.0.0.1", port, rt.TableValue(opts)) })
		killed.Kill()
		s.want(first, `1`, "close")
	})
	waitFor(t, "the pool to be freed", func() bool { return pools.idleCount(fmt.Sprintf("127.0.0.1:%d", port)) == -1 })
}

func TestHammerPools(t *testing.T) {
	port := serve(t, echo)
	batons := rt.NewBatonPool(2)
	var states [2]*rt.State
	var pools [2]*Pools
	for i := range states {
		states[i] = rt.NewState(rt.Options{Baton: batons.Baton(i)})
		pools[i] = NewPools(func(string) {})
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for round := range 10 {
				w := (i + round) % 2
				inRequest(t, states[w], newTestHost(pools[w]), func(s *script) {
					sock := s.tcp()
					s.want(sock, `1`, "connect", "127.0.0.1", port)
					s.want(sock, `3`, "send", "a\nb")
					s.want(sock, `"a"`, "receive")
					s.want(sock, `"b"`, "receiveany", 10)
					if round%3 > 0 {
						s.want(sock, `1`, "setkeepalive", 1+round*5, 4)
					}
				})
			}
		}()
	}
	wg.Wait()
	for _, p := range pools {
		p.Shutdown()
	}
}
