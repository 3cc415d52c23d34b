package cosocket

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// testHost is a request without a server around it.
type testHost struct {
	over  bool
	cfg   Config
	open  Set
	pools *Pools
	mu    sync.Mutex
	lines []string
}

func newTestHost(pools *Pools) *testHost {
	h := &testHost{pools: pools, cfg: Config{
		ConnectTimeout: time.Second, SendTimeout: time.Second, ReadTimeout: time.Second,
		KeepaliveTimeout: time.Minute, PoolSize: 30, BufferSize: 16, LogErrors: true,
	}}
	return h
}

func (h *testHost) Ended() bool           { return h.over }
func (h *testHost) Waits(*rt.Thread) bool { return true }
func (h *testHost) Config() *Config       { return &h.cfg }
func (h *testHost) Logs(Level) bool       { return true }
func (h *testHost) Open() *Set            { return &h.open }
func (h *testHost) Pools() *Pools         { return h.pools }
func (h *testHost) Log(_ Level, line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
}
func (h *testHost) Resolve(_ *rt.Thread, name string) (string, string) {
	if name == "known" {
		return "127.0.0.1", ""
	}
	return "", fmt.Sprintf("no resolver defined to resolve \"%s\"", name)
}

// script stands for the Lua code of one request.
type script struct {
	t   *testing.T
	lib *Lib
	th  *rt.Thread
}

// inRequest runs f as the entry thread of a handler in state st.
func inRequest(t *testing.T, st *rt.State, h *testHost, f func(s *script)) rt.Abort {
	t.Helper()
	lib := NewLib(func(th *rt.Thread) Host { return th.Host.(*testHost) }, func(*rt.Thread) string { return "" })
	lib.AddAccess()
	st.Baton.Acquire()
	defer st.Baton.Release()
	th := st.NewThread()
	th.Host = h
	var g rt.ThreadGroup
	abort := g.Run(th, func() bool { f(&script{t, lib, th}); return true })
	h.open.CloseAll()
	return abort
}

// spawn starts f as a light thread.
func (s *script) spawn(f func(s *script)) *rt.LightThread {
	return s.th.Spawn(rt.NewGoFunction("thread", func(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
		f(&script{s.t, s.lib, th})
		return rt.Nil, 0
	}), nil, func(_ *rt.Thread, err *rt.Error) { s.t.Error(err) })
}

func (s *script) tcp() rt.Value {
	v, _ := s.lib.TCP(s.th, nil)
	return v
}

// call calls a method; an error comes back as "error: ...".
func (s *script) call(obj rt.Value, name string, args ...any) string {
	var vs []rt.Value
	for _, a := range args {
		switch a := a.(type) {
		case nil:
			vs = append(vs, rt.Nil)
		case int:
			vs = append(vs, rt.Int(a))
		case string:
			vs = append(vs, rt.String(a))
		case bool:
			vs = append(vs, rt.Bool(a))
		case rt.Value:
			vs = append(vs, a)
		}
	}
	f := obj
	if name != "" {
		f = obj.Table().Meta().GetStr(name)
		vs = append([]rt.Value{obj}, vs...)
	}
	results, err := s.th.PCall(f, vs...)
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, v := range results {
		switch {
		case v.IsString():
			out = append(out, fmt.Sprintf("%q", v.Str()))
		case v.IsNumber():
			out = append(out, rt.NumberString(v.Num()))
		default:
			out = append(out, rt.TypeName(v))
		}
	}
	return strings.Join(out, " ")
}

func (s *script) want(obj rt.Value, want, name string, args ...any) {
	s.t.Helper()
	if got := s.call(obj, name, args...); got != want {
		s.t.Errorf("%s(%v): got %s, want %s", name, args, got, want)
	}
}

// serve accepts connections and hands them to f, until the test ends.
func serve(t *testing.T, f func(net.Conn)) (port int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go acceptAll(l, f)
	return l.Addr().(*net.TCPAddr).Port
}

func acceptAll(l net.Listener, f func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go f(c)
	}
}

func echo(c net.Conn) {
	defer c.Close()
	io.Copy(c, c)
}

func table(vs ...rt.Value) rt.Value { return rt.NewArray(vs...) }

// record is a table with one field.
func record(key string, v rt.Value) rt.Value {
	t := rt.NewTable(0, 1)
	t.SetStr(key, v)
	return rt.TableValue(t)
}

// The expectations of this test were recorded from nginx with ngx_lua 0.10.23.
func TestErrorsAsInNgxLua(t *testing.T) {
	port := serve(t, echo)
	closedPort := func() int {
		l, _ := net.Listen("tcp", "127.0.0.1:0")
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}()
	inRequest(t, rt.NewState(rt.Options{}), newTestHost(NewPools(nil)), func(s *script) {
		sock := s.tcp()
		s.want(sock, `error: ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen 1`, "connect")
		s.want(sock, `nil "closed"`, "receive", -1)
		s.want(sock, `nil "closed"`, "send", table(rt.True))
		s.want(sock, `nil "closed"`, "close")
		s.want(sock, `nil "closed"`, "setkeepalive")
		s.want(sock, `nil "closed"`, "getreusedtimes")
		s.want(sock, `error: socket is never created nor connected`, "setoption", "keepalive", true)
		s.want(sock, `error: ngx.socket settimeout: expecting 2 arguments (including the object) but seen 1`, "settimeout")
		s.want(sock, `error: bad timeout value`, "settimeout", -1)
		s.want(sock, `error: bad timeout value`, "settimeouts", 1, 2, 1<<31)
		s.want(sock, `error: ngx.socket settimeout: expecting 4 arguments (including the object) but seen 3`, "settimeouts", 1, 2)
		s.want(sock, ``, "settimeout", "abc")
		s.want(sock, `nil "pattern is empty"`, "receiveuntil", "")
		s.want(sock, `error: expecting 2 or 3 arguments (including the object), but got 1`, "receiveuntil")
		s.want(sock, `error: bad "inclusive" option value type: number`, "receiveuntil", "a", record("inclusive", rt.Int(1)))
		s.want(sock, `nil "missing the port number"`, "connect", "127.0.0.1")
		s.want(sock, `nil "missing the port number"`, "connect", "127.0.0.1", "abc")
		s.want(sock, `nil "bad port number: 70000"`, "connect", "127.0.0.1", 70000)
		s.want(sock, `nil "no such file or directory"`, "connect", "unix:/nosuch")
		s.want(sock, `nil "no resolver defined to resolve \"nosuch\""`, "connect", "nosuch", 1)
		s.want(sock, `nil "connection refused"`, "connect", "127.0.0.1", closedPort)
		s.want(sock, `nil "closed"`, "close")

		s.want(sock, `1`, "connect", "127.0.0.1", fmt.Sprint(port))
		s.want(sock, `error: bad argument #2 to '?' (bad pattern argument)`, "receive", -1)
		s.want(sock, `error: bad argument #2 to '?' (bad pattern argument)`, "receive", "*x")
		s.want(sock, `error: bad argument #2 to '?' (bad pattern argument: *)`, "receive", "*")
		s.want(sock, `error: bad argument #2 to '?' (bad pattern argument)`, "receive", table())
		s.want(sock, `""`, "receive", 0)
		s.want(sock, `error: expecting 2 arguments (including the object), but got 1`, "receiveany")
		s.want(sock, `error: bad argument #2 to '?' (bad max argument)`, "receiveany", 0)
		s.want(sock, `error: bad argument #2 to '?' (non-array table found)`, "send", record("a", rt.Int(1)))
		s.want(sock, `error: bad argument #2 to '?' (bad data type boolean found)`, "send", table(rt.True))
		s.want(sock, `error: expecting 1 to 3 arguments (including the object), but got 4`, "setkeepalive", 1, 2, 3)
		s.want(sock, `nil "unsupported option foo"`, "setoption", "foo", true)
		s.want(sock, `nil "missing the \"option\" argument"`, "setoption")
		s.want(sock, `nil "missing the \"value\" argument"`, "setoption", "keepalive")
		s.want(sock, `boolean`, "setoption", "keepalive", true)
		s.want(sock, `error: expecting 1 argument (including the object), but got 2`, "getreusedtimes", 1)
		for _, tt := range []struct{ key, want string }{
			{"pool", `bad "pool" option type: table`}, {"pool_size", `bad "pool_size" option type: table`},
		} {
			s.want(sock, "error: bad argument #4 to '?' ("+tt.want+")", "connect", "127.0.0.1", port, record(tt.key, table()))
		}
		s.want(sock, `error: bad argument #4 to '?' (bad "pool_size" option value: 0)`, "connect", "127.0.0.1", port, record("pool_size", rt.Int(0)))
		s.want(sock, `error: bad argument #4 to '?' (bad "backlog" option value: -1)`, "connect", "127.0.0.1", port, record("backlog", rt.Int(-1)))
		s.want(sock, `1`, "close")
		s.want(sock, `nil "closed"`, "close")
	})
}

func TestReading(t *testing.T) {
	port := serve(t, func(c net.Conn) {
		io.WriteString(c, "one\r\nt\rwo\n12345678901234567890rest of it\nend")
		c.Close()
	})
	h := newTestHost(NewPools(nil))
	inRequest(t, rt.NewState(rt.Options{}), h, func(s *script) {
		sock := s.tcp()
		s.want(sock, `1`, "connect", "known", port)
		s.want(sock, `"one"`, "receive")
		s.want(sock, `"two"`, "receive", "*l")
		s.want(sock, `"12345678901234567890"`, "receive", 20)
		s.want(sock, `"re"`, "receiveany", 2)
		s.want(sock, `"st of it"`, "receive")
		s.want(sock, `nil "closed" "end"`, "receive", 100)
		s.want(sock, `nil "closed"`, "receive")
		s.want(sock, `1`, "close") // only the read half was closed
		s.want(sock, `nil "closed"`, "close")

		s.want(sock, `1`, "connect", "known", port)
		s.want(sock, `"o"`, "receive", 1)
		s.want(sock, `"ne\r\nt\rwo\n12345678901234567890rest of it\nend"`, "receive", "*a")
		s.want(sock, `""`, "receive", "*a")
		s.want(sock, `nil "closed" ""`, "receive")
	})
}

func TestTimeoutKeepsReadSideOpen(t *testing.T) {
	port := serve(t, echo)
	h := newTestHost(NewPools(nil))
	inRequest(t, rt.NewState(rt.Options{}), h, func(s *script) {
		sock := s.tcp()
		s.call(sock, "settimeouts", 500, 500, 20)
		s.want(sock, `1`, "connect", "127.0.0.1", port)
		s.want(sock, `3`, "send", "abc")
		s.want(sock, `nil "timeout" "abc"`, "receive", 5)
		s.want(sock, `6`, "send", table(rt.String("de"), table(rt.Int(1), rt.Number(2.5))))
		s.want(sock, `"de12.5"`, "receive", 6)
	})
	if log := strings.Join(h.lines, "\n"); !strings.Contains(log, "lua tcp socket read timed out") {
		t.Error(log)
	}
}

// TestNamesPeers: lines about a connection say whom it leads to, where that is wanted.
func TestNamesPeers(t *testing.T) {
	port := serve(t, echo)
	h := newTestHost(NewPools(nil))
	h.Config().NamesPeers = true
	inRequest(t, rt.NewState(rt.Options{}), h, func(s *script) {
		sock := s.tcp()
		s.want(sock, `nil "closed"`, "receive", 1)
		s.call(sock, "settimeouts", 500, 500, 20)
		s.want(sock, `1`, "connect", "127.0.0.1", port)
		s.want(sock, `nil "timeout" ""`, "receive", 5)
	})
	want := fmt.Sprintf("lua tcp socket read timed out, upstream: 127.0.0.1:%d(127.0.0.1)", port)
	if log := strings.Join(h.lines, "\n"); !strings.Contains(log, want) || strings.Count(log, "upstream") != 1 {
		t.Errorf("no %q in\n%s", want, log)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go acceptAll(l, echo)
	inRequest(t, rt.NewState(rt.Options{}), newTestHost(NewPools(nil)), func(s *script) {
		sock := s.tcp()
		s.want(sock, `1`, "connect", "unix:"+path)
		s.want(sock, `2`, "send", "hi")
		s.want(sock, `"hi"`, "receive", 2)
		s.want(sock, `1`, "setkeepalive")
		s.want(sock, `1`, "connect", "unix:"+path)
		s.want(sock, `1`, "getreusedtimes")
	})
}

func TestUDP(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if string(buf[:n]) != "silence" {
				pc.WriteTo(buf[:n], from)
			}
		}
	}()
	inRequest(t, rt.NewState(rt.Options{}), newTestHost(NewPools(nil)), func(s *script) {
		v, _ := s.lib.UDP(s.th, nil)
		s.want(v, `error: ngx.socket.udp setpeername: expecting 2 or 3 arguments (including the object), but seen 1`, "setpeername")
		s.want(v, `nil "closed"`, "send", "x")
		s.want(v, `nil "closed"`, "receive")
		s.want(v, `nil "closed"`, "close")
		s.want(v, `1`, "setpeername", "127.0.0.1", pc.LocalAddr().(*net.UDPAddr).Port)
		s.want(v, `1`, "send", table(rt.String("a"), rt.Int(7)))
		s.want(v, `"a7"`, "receive")
		s.want(v, `1`, "send", "hello")
		s.want(v, `"he"`, "receive", 2)
		s.want(v, ``, "settimeout", 10)
		s.want(v, `1`, "send", "silence")
		s.want(v, `nil "timeout"`, "receive")
		s.want(v, `1`, "close")
		s.want(v, `nil "closed"`, "close")
	})
}

// TestFullDuplex reads in one light thread while another sends, and looks at what the
// busy checks say meanwhile.
func TestFullDuplex(t *testing.T) {
	port := serve(t, echo)
	inRequest(t, rt.NewState(rt.Options{}), newTestHost(NewPools(nil)), func(s *script) {
		sock := s.tcp()
		s.want(sock, `1`, "connect", "127.0.0.1", port)
		child := s.spawn(func(s *script) { s.want(sock, `"from the other"`, "receive") })
		s.want(sock, `nil "socket busy reading"`, "receive")
		s.want(sock, `nil "socket busy reading"`, "close")
		s.want(sock, `nil "socket busy reading"`, "setkeepalive")
		s.want(sock, `15`, "send", "from the other\n")
		if !child.IsZombie() {
			s.th.WaitAny([]*rt.LightThread{child})
		}
	})
}

func TestKilledReaderClosesSocket(t *testing.T) {
	gone := make(chan struct{})
	port := serve(t, func(c net.Conn) { io.Copy(io.Discard, c); close(gone) })
	before := runtime.NumGoroutine()
	inRequest(t, rt.NewState(rt.Options{}), newTestHost(NewPools(nil)), func(s *script) {
		sock := s.tcp()
		s.want(sock, `1`, "connect", "127.0.0.1", port)
		child := s.spawn(func(s *script) { s.call(sock, "receive"); s.t.Error("a killed thread went on") })
		child.Kill()
		s.want(sock, `nil "closed"`, "send", "x")
	})
	<-gone
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines are left", runtime.NumGoroutine()-before)
}

func TestBadRequest(t *testing.T) {
	port := serve(t, echo)
	st := rt.NewState(rt.Options{})
	pools := NewPools(nil)
	var sock rt.Value
	h := newTestHost(pools)
	inRequest(t, st, h, func(s *script) {
		sock = s.tcp()
		s.want(sock, `1`, "connect", "127.0.0.1", port)
		s.th.Host = newTestHost(pools)
		s.want(sock, `error: bad request`, "receive")
		s.want(sock, `error: bad request`, "send", "x")
		s.want(sock, `error: bad request`, "close")
	})
	inRequest(t, st, h, func(s *script) { s.want(sock, `nil "closed"`, "send", "x") })
}

// A datagram socket whose peer is at a path has an address that the peer can answer to.
func TestUnixDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	pc, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo(append([]byte("echo "), buf[:n]...), from)
		}
	}()
	inRequest(t, rt.NewState(rt.Options{}), newTestHost(NewPools(nil)), func(s *script) {
		u, _ := s.lib.UDP(s.th, nil)
		s.want(u, `1`, "setpeername", "unix:"+path)
		s.want(u, `1`, "send", "hi")
		s.want(u, `"echo hi"`, "receive")
		s.want(u, `nil "no such file or directory"`, "setpeername", "unix:"+path+".gone")
		s.want(u, `nil "closed"`, "receive")
	})
}

// An object that a module keeps may be connected anew by another request, once the one
// that connected it is over; until then it is none of the other's.
func TestKeptByModule(t *testing.T) {
	st := rt.NewState(rt.Options{})
	port := serve(t, echo)
	pools := NewPools(nil)
	first, second := newTestHost(pools), newTestHost(pools)
	var tcp, udp rt.Value
	inRequest(t, st, first, func(s *script) {
		tcp = s.tcp()
		udp, _ = s.lib.UDP(s.th, nil)
		s.want(tcp, "1", "connect", "127.0.0.1", port)
		s.want(udp, "1", "setpeername", "127.0.0.1", port)
		s.th.Host = second
		s.want(tcp, "error: bad request", "connect", "127.0.0.1", port)
		s.want(udp, "error: bad request", "setpeername", "127.0.0.1", port)
		s.want(tcp, "error: bad request", "send", "x")
		s.th.Host = first
	})
	first.over = true
	inRequest(t, st, second, func(s *script) {
		s.want(tcp, `nil "closed"`, "send", "x")
		s.want(tcp, "1", "connect", "127.0.0.1", port)
		s.want(tcp, "2", "send", "x\n")
		s.want(tcp, `"x"`, "receive")
		s.want(udp, "1", "setpeername", "127.0.0.1", port)
		s.want(udp, "1", "send", "x")
	})
}
