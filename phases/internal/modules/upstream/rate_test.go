package upstream_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// TestLimitRate: a response of three seconds' worth takes more than one, and comes whole.
func TestLimitRate(t *testing.T) {
	s := testserver.Start(t, `events {} http { access_log off;
		server { listen unix:DIR/logs/up.sock; location / { root DIR; } }
		server { listen ADDR; proxy_buffer_size 4k; proxy_buffers 4 4k;
			location /limited/ { proxy_pass http://unix:DIR/logs/up.sock:/html/; proxy_limit_rate $arg_rate; }
			location /free/ { proxy_pass http://unix:DIR/logs/up.sock:/html/; proxy_limit_rate 1; proxy_buffering off; }
		} }`)
	body := strings.Repeat("0123456789", 3000)
	s.Write("html/file", body)
	get := func(path string) time.Duration {
		start := time.Now()
		r, err := http.Get("http://" + s.Addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if text, err := io.ReadAll(r.Body); err != nil || string(text) != body {
			t.Errorf("%s gives %d bytes, %v", path, len(text), err)
		}
		return time.Since(start)
	}
	if took := get("/limited/file?rate=10k"); took < time.Second || took > 4*time.Second {
		t.Errorf("30,000 bytes at 10k a second took %v", took)
	}
	for _, path := range []string{"/limited/file?rate=0", "/free/file"} {
		if took := get(path); took > 900*time.Millisecond {
			t.Errorf("%s without a limit took %v", path, took)
		}
	}
}
