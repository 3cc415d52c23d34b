package phases

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/serve"
	"github.com/moonphase/moonphase/phases/internal/testserver"
)

const handlerConf = `
  location / { return 200 "$request_method $uri $args $host $server_protocol"; }
  location /body { echo_read_request_body; echo_request_body; }
  location /missing { return 404; }
  location /headers { add_header X-A 1 always; add_header X-A 2 always; return 302 /there; }
  location /close { return 444; }
  location /slow { echo one; echo_flush; echo_sleep 0.05; echo two; }
`

// foreignTests are requests whose answers must be the same whatever the
// connection is.
var foreignTests = []struct {
	method, uri, body string
	status            int
	want              string
}{
	{"GET", "/a/../b%20c?d=e", "", 200, "GET /b c d=e h.test "},
	{"POST", "/body", "hello", 200, "hello"},
	{"GET", "/missing", "", 404, "<center><h1>404 Not Found</h1></center>"},
	{"GET", "/headers", "", 302, "302 Found"},
	{"GET", "/slow", "", 200, "one\ntwo\n"},
	{"HEAD", "/missing", "", 404, ""},
	{"GET", "/%00", "", 400, "400 Bad Request"},
}

func checkForeign(t *testing.T, client *http.Client, base string, proto string) {
	t.Helper()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, tt := range foreignTests {
		req, err := http.NewRequest(tt.method, base+tt.uri, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "h.test"
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.uri, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) || resp.Proto != proto {
			t.Errorf("%s %s: %s %d %v\n%.300s\nwant %d %s", tt.method, tt.uri, resp.Proto, resp.StatusCode, err, body, tt.status, tt.want)
		}
		if tt.uri == "/headers" {
			if got := strings.Join(resp.Header["X-A"], ","); got != "1,2" || resp.Header.Get("Server") != "openresty/1.31.1.1" {
				t.Errorf("%s: headers %v", tt.uri, resp.Header)
			}
		}
	}
	if resp, err := client.Get(base + "/close"); err == nil {
		t.Errorf("status 444 answers %s", resp.Status)
	}
}

func TestHandler(t *testing.T) {
	dir := t.TempDir()
	h, err := NewHandler(nil, serve.HandlerConfig{Main: "error_log error.log;", HTTP: "access_log off;", Server: handlerConf, Prefix: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	s := httptest.NewServer(h)
	defer s.Close()
	checkForeign(t, s.Client(), s.URL, "HTTP/1.1")
}

func TestHTTP2(t *testing.T) {
	dir := t.TempDir()
	testserver.Cert(t, dir, "h.test")
	s := testserver.Start(t, "events {} http { access_log off; server { listen ADDR ssl http2; "+
		"ssl_certificate "+dir+"/h.test.crt; ssl_certificate_key "+dir+"/h.test.key; "+handlerConf+"} }")
	two := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	checkForeign(t, &http.Client{Transport: two}, "https://"+s.Addr, "HTTP/2.0")
	one := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}}
	checkForeign(t, &http.Client{Transport: one}, "https://"+s.Addr, "HTTP/1.1")
	two.CloseIdleConnections()
	one.CloseIdleConnections()
}
