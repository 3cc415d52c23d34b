package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// rawUpstream accepts connections and gives each to serve, with its number.
func rawUpstream(t *testing.T, serve func(c net.Conn, rd *bufio.Reader, number int)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				serve(c, bufio.NewReader(c), n)
			}()
		}
	}()
	return l.Addr().String()
}

// readHeadOf reads the head of a request; "" at the end of the connection.
func readHeadOf(rd *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := rd.ReadString('\n')
		if err != nil {
			return ""
		}
		if line == "\r\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

const proxyTestConf = `events {} http { access_log off;
	upstream u { server UP; keepalive 2; }
	server { listen ADDR; client_max_body_size 0;
		location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; }
		location /live { proxy_pass http://u; proxy_http_version 1.1; proxy_request_buffering off; }
		location /ws { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_read_timeout 1s; }
	} }`

func startProxy(t *testing.T, serve func(c net.Conn, rd *bufio.Reader, number int)) *testserver.Server {
	return testserver.Start(t, strings.ReplaceAll(proxyTestConf, "UP", rawUpstream(t, serve)))
}

// TestProxyMany lets many clients, some of which go away early, ask an upstream
// some of whose answers leave bytes behind. Nobody gets what is another's.
func TestProxyMany(t *testing.T) {
	s := startProxy(t, func(c net.Conn, rd *bufio.Reader, _ int) {
		for {
			head := readHeadOf(rd)
			if head == "" {
				return
			}
			path := strings.Fields(head)[1]
			answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
			switch path[1] {
			case '1':
				answer += "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
			case '2':
				answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(path), path)
			case '3':
				time.Sleep(10 * time.Millisecond) // so that the client is watched
			case '4':
				answer = "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for i := range 40 {
				path := fmt.Sprintf("/%d/%d/%d", i%6, client, i)
				c, err := net.Dial("tcp", s.Addr)
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path)
				if i%7 == 6 { // goes away
					c.Close()
					continue
				}
				answer, _ := io.ReadAll(c)
				c.Close()
				switch i % 6 {
				case 4:
					if !strings.HasPrefix(string(answer), "HTTP/1.1 304 ") {
						t.Errorf("%s: %q", path, answer)
					}
				default:
					if !strings.Contains(string(answer), path) {
						t.Errorf("%s: %q", path, answer)
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestProxyEarlyAnswer has an upstream answer before it has read the body, which
// is larger than what sockets hold.
func TestProxyEarlyAnswer(t *testing.T) {
	for _, path := range []string{"/file", "/live"} {
		t.Run(path, func(t *testing.T) {
			s := startProxy(t, func(c net.Conn, rd *bufio.Reader, _ int) {
				readHeadOf(rd)
				io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n")
				time.Sleep(50 * time.Millisecond)
			})
			const size = 8 << 20
			c := s.Dial()
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", path, size)
			go io.CopyN(c, zeros{}, size)
			head, _ := bufio.NewReader(c).ReadString('\n')
			if !strings.HasPrefix(head, "HTTP/1.1 413 ") {
				t.Errorf("got %q", head)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestProxyLargeBody sends bodies from memory, from a file and as they come.
func TestProxyLargeBody(t *testing.T) {
	s := startProxy(t, func(c net.Conn, rd *bufio.Reader, _ int) {
		head := readHeadOf(rd)
		var n int64
		if strings.Contains(head, "chunked") {
			for {
				line, err := rd.ReadString('\n')
				var size int64
				fmt.Sscanf(line, "%x", &size)
				if err != nil || size == 0 {
					break
				}
				io.CopyN(io.Discard, rd, size+2)
				n += size
			}
		} else {
			for line := range strings.Lines(head) {
				if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
					fmt.Sscanf(v, "%d", &n)
				}
			}
			n, _ = io.CopyN(io.Discard, rd, n)
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%d", n)
	})
	for _, path := range []string{"/", "/live"} {
		for _, size := range []int{0, 10, 12 << 10, 100 << 10, 4 << 20} {
			body := strings.Repeat("x", size)
			got := s.Ask(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", path, size, body))
			if !strings.Contains(got, fmt.Sprintf("\n%d\r\n0\r\n", size)) {
				t.Errorf("%s, %d bytes: %q", path, size, got)
			}
			got = s.Ask(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, max(size, 1), body+strings.Repeat("y", max(1-size, 0))))
			if !strings.Contains(got, fmt.Sprintf("\n%d\r\n0\r\n", max(size, 1))) {
				t.Errorf("%s, %d bytes in chunks: %q", path, size, got)
			}
		}
	}
}

// TestProxyUpgrade passes another protocol through, and ends it after silence.
func TestProxyUpgrade(t *testing.T) {
	closed := make(chan bool, 1)
	s := startProxy(t, func(c net.Conn, rd *bufio.Reader, _ int) {
		readHeadOf(rd)
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nhello\n")
		for {
			line, err := rd.ReadString('\n')
			if err != nil {
				closed <- true
				return
			}
			io.WriteString(c, strings.ToUpper(line))
		}
	})
	c := s.Dial()
	io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nfirst\n")
	rd := bufio.NewReader(c)
	if head := readHeadOf(rd); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("got %q", head)
	}
	for i := range 5 { // each shorter than the timeout, together longer
		if i > 0 {
			time.Sleep(300 * time.Millisecond)
			fmt.Fprintf(c, "line %d\n", i)
		} else {
			rd.ReadString('\n')
		}
		line, err := rd.ReadString('\n')
		if want := fmt.Sprintf("LINE %d\n", i); line != want && (i > 0 || line != "FIRST\n") {
			t.Fatalf("got %q, %v; want %q", line, err, want)
		}
	}
	if _, err := rd.ReadString('\n'); err != io.EOF {
		t.Errorf("got %v", err)
	}
	<-closed
	s.WantLog("upstream timed out (110: Connection timed out) while proxying upgraded connection")
}

// TestProxyIdle closes idle connections that the upstream closes, or sends on.
func TestProxyIdle(t *testing.T) {
	closed := make(chan int, 2)
	s := startProxy(t, func(c net.Conn, rd *bufio.Reader, number int) {
		readHeadOf(rd)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
		time.Sleep(20 * time.Millisecond)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
		if readHeadOf(rd) == "" {
			closed <- number
		}
	})
	for i := range 2 {
		if got := s.Get("/"); !strings.HasSuffix(got, "\r\n\r\nx") {
			t.Fatalf("got %q", got)
		}
		select {
		case n := <-closed:
			if n != i+1 {
				t.Errorf("connection %d was closed", n)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("an idle connection with bytes on it was kept")
		}
	}
}

// TestProxyGone lets a client go away while its request waits for the upstream.
func TestProxyGone(t *testing.T) {
	ended := make(chan bool, 1)
	s := startProxy(t, func(c net.Conn, rd *bufio.Reader, _ int) {
		readHeadOf(rd)
		_, err := rd.ReadByte()
		ended <- err == io.EOF
	})
	c := s.Dial()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.Close()
	if !<-ended {
		t.Error("the upstream was not left")
	}
}

// TestProxyTLSReuse keeps connections under TLS, where bytes may also wait inside
// the library, and keeps those of other settings apart.
func TestProxyTLSReuse(t *testing.T) {
	cert := testserver.Cert(t, t.TempDir(), "up")
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				rd := bufio.NewReader(c)
				for {
					head := readHeadOf(rd)
					if head == "" {
						return
					}
					fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nc%d\n", n)
					if strings.Contains(head, "/more ") { // a record of its own, that may be read ahead
						io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
					}
				}
			}()
		}
	}()
	s := testserver.Start(t, strings.ReplaceAll(`events {} http { access_log off;
		upstream u { server UP; keepalive 2; }
		proxy_http_version 1.1; proxy_set_header Connection "";
		server { listen ADDR;
			location / { proxy_pass https://u; }
			location /named/ { proxy_pass https://u/; proxy_ssl_server_name on; proxy_ssl_name other.test; }
		} }`, "UP", l.Addr().String()))
	for i, tt := range []struct{ path, want string }{
		{"/", "c1"}, {"/", "c1"}, {"/more", "c1"}, {"/", "c2"}, {"/named/", "c3"}, {"/", "c2"}, {"/named/", "c3"},
	} {
		if got := s.Get(tt.path); !strings.HasSuffix(got, "\r\n\r\n"+tt.want+"\n") {
			t.Errorf("%d: %s: got %q, want %q", i, tt.path, got, tt.want)
		}
	}
}
