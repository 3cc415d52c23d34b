package core_test

import (
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// TestMatchLimit checks that a regex that could not be tried to its end is never
// taken for one that did not match.
func TestMatchLimit(t *testing.T) {
	core.SetMatchLimit(1)
	defer core.SetMatchLimit(0)
	s := testserver.Start(t, `worker_processes 1; pid logs/nginx.pid; error_log logs/error.log; events {} http {
map $arg_m $m { default d; "~^c(a|b|ab)*c\1$" yes; }
server { listen ADDR; server_name h;
  location ~ ^/loc/(a|b|ab)*c\1$ { return 200 loc; }
  location /loc { return 200 no; }
  location /cif { if ($uri ~ ^/cif/(a|b|ab)*c\1$) { return 200 yes; } return 200 no; }
  location /cnot { if ($uri !~ ^/cnot/(a|b|ab)*c\1$) { return 200 yes; } return 200 no; }
  location /crw { rewrite ^/crw/(a|b|ab)*c\1$ /x; return 200 no; }
  location /map { return 200 $m; }
}
server { listen ADDR; server_name ~^(a|b|ab)*c\1\.test$; location / { return 200 named; } } }`)
	long := strings.Repeat("ab", 30)
	for _, path := range []string{"/loc/", "/cif/", "/cnot/", "/crw/"} {
		if got := s.Get(path + long); !strings.HasPrefix(got, "HTTP/1.1 500 ") {
			t.Errorf("%s: %s", path, got)
		}
		s.WantLog(`[alert]`)
		s.WantLog(`pcre2_match() failed: -47 on "` + path + long + `" using "^` + path + `(a|b|ab)*c\1$", client: `)
	}
	// nginx takes the default of a map.
	if got := s.Get("/map?m=c" + long); !strings.HasSuffix(got, "\r\n\r\nd") {
		t.Errorf("map: %s", got)
	}
	if got := s.Ask("GET / HTTP/1.1\r\nHost: " + long + ".test\r\nConnection: close\r\n\r\n"); got != "" {
		t.Errorf("server name: %s", got)
	}
	s.WantLog(`using "^(a|b|ab)*c\1\.test$" while reading client request headers, client: `)
	if got := s.Get("/cif/abca"); !strings.HasSuffix(got, "no") {
		t.Errorf("within the limit: %s", got)
	}
}
