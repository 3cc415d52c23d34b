package log_test

import (
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

func TestAccessLog(t *testing.T) {
	s := testserver.Start(t, `events {}
http {
  log_format plain '$remote_addr "$request" $status $body_bytes_sent "$http_x"';
  log_format json escape=json '{"x":"$http_x","none":"$http_none"}';
  log_format none escape=none '$http_x|$http_none|';
  server { listen ADDR; access_log logs/a.log plain; access_log logs/b.log json; access_log logs/c.log none;
    location / { return 200 ok; }
    location /off { access_log off; return 200; }
    location /if { access_log logs/d.log plain if=$arg_log; return 200; }
  } }`)
	s.Get("/x", "X: a\"\\\x01\xe9")
	s.Get("/off")
	s.Get("/if?log=0")
	s.Get("/if?log=1")
	tests := []struct{ file, want string }{
		{"logs/a.log", `127.0.0.1 "GET /x HTTP/1.1" 200 2 "a\x22\x5C\x01\xE9"` + "\n"},
		{"logs/b.log", `{"x":"a\"\\\u0001` + "\xe9" + `","none":""}` + "\n"},
		{"logs/c.log", "a\"\\\x01\xe9||\n"},
		{"logs/d.log", `127.0.0.1 "GET /if?log=1 HTTP/1.1" 200 0 "-"` + "\n"},
	}
	for _, tt := range tests {
		var got string
		for range 100 { // the log phase runs after the answer
			if got = s.Read(tt.file); got == tt.want {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if got != tt.want {
			t.Errorf("%s\ngot  %q\nwant %q", tt.file, got, tt.want)
		}
	}
}

// TestDefaultAccessLog logs without an access_log.
func TestDefaultAccessLog(t *testing.T) {
	s := testserver.Start(t, `events {} http { server { listen ADDR; location / { return 200; } } }`)
	s.Get("/x")
	for range 200 {
		if strings.Contains(s.Read("logs/access.log"), `127.0.0.1 - - [`) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the log is %q", s.Read("logs/access.log"))
}
