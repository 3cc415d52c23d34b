package mirror_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// TestSideBySide: requests and their mirrors run at once and share nothing that changes, which
// the race detector watches. Each mirror is logged before its client's next request.
func TestSideBySide(t *testing.T) {
	s := testserver.Start(t, `
events {}
http {
	log_format short "$uri $args $v $request_method";
	access_log off;
	server {
		listen ADDR;
		set $v $arg_n;
		location / { mirror /a; mirror /b; set $v main; echo -n "$v $arg_n"; }
		location = /a { log_subrequest on; access_log DIR/logs/mirror.log short; set $v a; return 200 a; }
		location = /b { log_subrequest on; access_log DIR/logs/mirror.log short; set $v b; add_header X-V $v; return 404; }
	}
}`)
	const clients, requests = 8, 20
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			client := http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for j := range requests {
				n := fmt.Sprint(i, "-", j)
				answer, err := client.Post("http://"+s.Addr+"/x?n="+n, "text/plain", strings.NewReader("body"))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(answer.Body)
				answer.Body.Close()
				if want := "main " + n; string(body) != want {
					t.Errorf("the answer is %q, want %q", body, want)
				}
			}
		})
	}
	wg.Wait()
	s.Close() // waits for the last mirrors
	log, err := os.ReadFile(filepath.Join(s.Dir, "logs/mirror.log"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range clients {
		for j := range requests {
			for _, v := range []string{"a", "b"} {
				if line := fmt.Sprintf("/%s n=%d-%d %s POST\n", v, i, j, v); strings.Count(string(log), line) != 1 {
					t.Fatalf("the log has %q %d times:\n%s", line, strings.Count(string(log), line), log)
				}
			}
		}
	}
}
