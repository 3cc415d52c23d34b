package serve_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// TestWire sends the probes of package http1 to a whole server and compares
// status and end of the connection with nginx's. Probes whose answer depends on
// reading the body are that package's.
func TestWire(t *testing.T) {
	s := testserver.Start(t, `compat 1.22.1; events {}
http { access_log off; keepalive_timeout 200ms; lingering_timeout 100ms;
  server { listen ADDR; location / { return 200 x; } } }`)
	f, err := os.Open("../../http1/testdata/nginx.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	repeat := regexp.MustCompile(`(?s)<<(.)\*(\d+)>>`)
	for dec := json.NewDecoder(f); ; {
		var p struct {
			Name    string
			Send    []string
			Shut    bool
			Answers []struct {
				Status int
				Close  bool
			}
			Refused string // by us alone
		}
		if err := dec.Decode(&p); err != nil {
			break
		}
		send := strings.Join(p.Send, "")
		if strings.Contains(send, "POST") && !strings.HasPrefix(p.Name, "0.9") || p.Name == "length on get" {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			c := s.Dial()
			send = repeat.ReplaceAllStringFunc(send, func(m string) string {
				sub := repeat.FindStringSubmatch(m)
				n, _ := strconv.Atoi(sub[2])
				return strings.Repeat(sub[1], n)
			})
			raw := make([]byte, 0, len(send))
			for _, r := range send {
				raw = append(raw, byte(r))
			}
			_, _ = c.Write(raw)
			if p.Shut {
				_ = c.(*net.TCPConn).CloseWrite()
			}
			in := bufio.NewReader(c)
			for i, want := range p.Answers {
				if p.Refused != "" {
					want.Status, want.Close = 400, true
				}
				if want.Status == 0 {
					b, err := in.Peek(5)
					if err != nil && err != io.EOF || string(b) == "HTTP/" {
						t.Errorf("answer %d starts with %q, %v, want none of a head", i, b, err)
					}
					return
				}
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("answer %d: %v, want %d", i, err, want.Status)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				if resp.StatusCode != want.Status || resp.Close != want.Close {
					t.Errorf("answer %d: %d, close %v; want %d, %v", i, resp.StatusCode, resp.Close, want.Status, want.Close)
				}
			}
			if b, err := io.ReadAll(in); len(b) > 0 || err != nil {
				t.Errorf("then %q, %v", b, err)
			}
		})
	}
}

// TestReload changes the configuration.
func TestReload(t *testing.T) {
	const conf = `events {}
http { access_log off; server { listen ADDR; location / { return 200 %s; } } }`
	s := testserver.Start(t, fmt.Sprintf(conf, "one"))
	ask := func() string {
		_, body, _ := strings.Cut(s.Get("/"), "\r\n\r\n")
		return body
	}
	if got := ask(); got != "one" {
		t.Fatalf("got %q", got)
	}
	s.Write("conf/nginx.conf", s.Expand(fmt.Sprintf(conf, "two")))
	s.Signal(syscall.SIGHUP)
	if got := ask(); got != "two" {
		t.Errorf("after the reload %q", got)
	}
	s.Write("conf/nginx.conf", "events {} http { bad; }")
	s.Signal(syscall.SIGHUP)
	if got := ask(); got != "two" {
		t.Errorf("after a bad reload %q", got)
	}
	s.WantLog(`unknown directive "bad" in ` + s.Dir + "/conf/nginx.conf:1")
}

// TestShutdown ends idle connections at once and lets requests finish.
func TestShutdown(t *testing.T) {
	s := testserver.Start(t, `events {}
http { access_log off; server { listen ADDR; location / { return 200 x; } location /slow { echo_sleep 0.2; echo done; } } }`)
	idle := s.Dial()
	in := bufio.NewReader(idle)
	_, _ = io.WriteString(idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	slow := s.Dial()
	_, _ = io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	time.Sleep(50 * time.Millisecond) // let the request arrive
	start := time.Now()
	s.Close()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("shutdown took %v", took)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection gives %v", err)
	}
	b, _ := io.ReadAll(slow)
	if !strings.Contains(string(b), "done\n") || !strings.Contains(string(b), "Connection: close") {
		t.Errorf("the slow request got %q", b)
	}
	if _, err := net.Dial("tcp", s.Addr); err == nil {
		t.Error("the address is still open")
	}
}
