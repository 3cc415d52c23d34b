package errlog_test

import (
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// TestSyslog sends both logs to a syslog server.
func TestSyslog(t *testing.T) {
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	s := testserver.Start(t, strings.ReplaceAll(`error_log syslog:server=SYSLOG,tag=err,nohostname,facility=local0 info; events {}
http { access_log syslog:server=SYSLOG,severity=notice,nohostname;
  server { listen ADDR; location / { return 200; } location /404 { root html; } } }`, "SYSLOG", peer.LocalAddr().String()))
	s.Get("/404")
	_ = peer.SetReadDeadline(time.Now().Add(5 * time.Second))
	for _, want := range []string{
		`^<131>\w\w\w [ \d]\d \d\d:\d\d:\d\d err: \d+/\d+/\d+ \d+:\d+:\d+ \[error\] \d+#\d+: \*\d+ open\(\) ".*" failed \(2: No such file or directory\), client: .*host: "h"$`,
		`^<189>\w\w\w [ \d]\d \d\d:\d\d:\d\d nginx: 127.0.0.1 - - \[.*\] "GET /404 HTTP/1.1" 404 159 "-" "-"$`,
	} {
		b := make([]byte, 4096)
		n, _, err := peer.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := regexp.Match(want, b[:n]); !ok {
			t.Errorf("got  %s\nwant %s", b[:n], want)
		}
	}
}
