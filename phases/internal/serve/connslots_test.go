package serve_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

const slotsConf = `error_log logs/error.log info;
events { worker_connections 12; }
http {
	access_log off;
	server {
		listen ADDR;
		location / { return 200 "x\n"; }
		location /slow { echo_sleep 0.5; echo "slow"; }
		location /loop { proxy_pass http://ADDR; }
	}
}
`

// TestWorkerConnections has twelve connections, of which the listening socket and the
// master's channel take two.
func TestWorkerConnections(t *testing.T) {
	s := testserver.Start(t, slotsConf)
	ask := func(n int, path string) (answers string) {
		var clients []net.Conn
		for range n {
			nc, err := net.Dial("tcp", s.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			clients = append(clients, nc)
			if path != "/" {
				fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path)
			}
			time.Sleep(5 * time.Millisecond) // they come one after the other
		}
		for _, nc := range clients {
			_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
			if path == "/" {
				fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			}
			resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				answers += "-"
				continue
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			answers += fmt.Sprint(resp.StatusCode/100, " ")
		}
		return answers
	}
	settle := func() {
		for i := 0; s.SlotsUsed() > 0; i++ {
			if i == 500 {
				t.Fatalf("%d connections are left", s.SlotsUsed())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if got, want := ask(20, "/"), strings.Repeat("-", 10)+strings.Repeat("2 ", 10); got != want {
		t.Errorf("20 idle clients: %s", got)
	}
	settle()
	if got, want := ask(14, "/slow"), strings.Repeat("2 ", 10)+"----"; got != want {
		t.Errorf("14 busy clients: %s", got)
	}
	settle()
	if got := ask(1, "/loop"); got != "5 " {
		t.Errorf("a location that asks itself: %s", got)
	}
	settle()
	log := s.Read("logs/error.log")
	for _, line := range []string{"[warn] ", "12 worker_connections are not enough, reusing connections", "[alert] ", "12 worker_connections are not enough\n"} {
		if !strings.Contains(log, line) {
			t.Errorf("no %q in the log:\n%s", line, log)
		}
	}
}

// TestResetTimedout has connections of slow clients end in a reset where
// reset_timedout_connection is on.
func TestResetTimedout(t *testing.T) {
	for _, on := range []bool{false, true} {
		word := map[bool]string{false: "off", true: "on"}[on]
		s := testserver.Start(t, `events {} http { access_log off; client_header_timeout 200ms; client_body_timeout 200ms; reset_timedout_connection `+word+`;
			server { listen ADDR; location / { echo_read_request_body; echo x; } } }`)
		for _, part := range []string{"GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"} {
			nc := s.Dial()
			_, _ = io.WriteString(nc, part)
			_, err := io.ReadAll(nc)
			if reset := err != nil; reset != on {
				t.Errorf("%s, %q: %v", word, part, err)
			}
		}
	}
}
