package serve_test

import (
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// TestDebugConnection: what is logged of a chosen client's requests is all there is, in
// logs of any level.
func TestDebugConnection(t *testing.T) {
	for _, c := range []struct {
		clients string
		want    bool
	}{
		{"debug_connection 10.0.0.0/8; debug_connection 127.0.0.1;", true},
		{"debug_connection localhost;", true},
		{"debug_connection 10.0.0.0/8; debug_connection unix:;", false},
	} {
		s := testserver.Start(t, `error_log logs/all.log error; events { `+c.clients+` } http { access_log off;
			server { listen ADDR; location / { root nowhere; error_log logs/own.log crit; } } }`)
		s.Get("/x")
		if got := strings.Contains(s.Read("logs/own.log"), "[error] "); got != c.want {
			t.Errorf("%s: a line of a lower level is there: %v", c.clients, got)
		}
		if got := strings.Contains(s.Read("logs/all.log")+s.Read("logs/own.log"), `using configuration "/"`); got != c.want {
			t.Errorf("%s: a line of level debug is there: %v", c.clients, got)
		}
	}
}
