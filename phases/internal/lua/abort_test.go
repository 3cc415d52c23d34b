package lua_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/testserver"
	rt "github.com/moonphase/moonphase/runtime"
)

// TestAborted lets a client go away in the middle of its request: with nothing
// more sent, with bytes of a next request sent, and after its body was read while
// the watch was on.
func TestAborted(t *testing.T) {
	results := make(chan string, 1)
	wait := testserver.Chunk("content_by_lua", " wait ", func(th *rt.Thread) {
		r := lua.RequestOf(th)
		gone := r.Conn.Aborted()
		th.Block(nil, func() {
			body := make([]byte, 100)
			n, _ := r.Conn.ReadBody(body)
			select {
			case <-gone:
				results <- "gone " + string(body[:n])
			case <-time.After(5 * time.Second):
				results <- "still there"
			}
		})
	})
	s := testserver.Start(t, `events {} http { access_log off; server { listen ADDR; location / { content_by_lua_block { wait } } } }`, wait)
	tests := []struct{ name, send, want string }{
		{"plain", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "gone "},
		{"pipelined", "GET / HTTP/1.1\r\nHost: h\r\n\r\n" + strings.Repeat("G", 9000), "gone "},
		{"body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "gone abc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := s.Dial()
			_, _ = io.WriteString(c, tt.send)
			time.Sleep(50 * time.Millisecond) // let the request arrive
			select {
			case got := <-results:
				t.Fatalf("too early: %s", got)
			default:
			}
			c.Close()
			if got := <-results; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
