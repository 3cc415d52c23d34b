package phases

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/lua"
	rt "github.com/moonphase/moonphase/runtime"
)

// askTLS sends a request for a host over TLS and gives the answer's status and body.
func askTLS(s *testServer, config *tls.Config, host string) string {
	config.InsecureSkipVerify = true
	conn := tls.Client(s.dial(), config)
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	b, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	status, _, _ := strings.Cut(head, "\r\n")
	return strings.TrimPrefix(status, "HTTP/1.1 ") + ": " + body
}

// TestMisdirected asks servers that verify clients over connections that were
// made for another server.
func TestMisdirected(t *testing.T) {
	dir := t.TempDir()
	client := makeCert(t, dir, "one.test")
	s := startServer(t, strings.ReplaceAll(`events {}
http { access_log off; ssl_certificate CERTS/one.test.crt; ssl_certificate_key CERTS/one.test.key;
  server { listen ADDR ssl; server_name one.test; location / { return 200 "one"; } }
  server { listen ADDR ssl; server_name two.test; ssl_verify_client on; ssl_client_certificate CERTS/one.test.crt; location / { return 200 "two"; } }
}`, "CERTS", dir))
	for _, tt := range []struct{ sni, host, want string }{
		{"two.test", "two.test", "200 OK: two"},
		{"two.test", "one.test", "200 OK: one"},
		{"one.test", "two.test", "421 Misdirected Request"},
		{"", "two.test", "200 OK: two"},
	} {
		config := &tls.Config{ServerName: tt.sni, GetClientCertificate: sends([]tls.Certificate{client})}
		want := tt.want
		if tt.sni == "" { // the default server asks for no certificate
			want = "400 Bad Request"
		}
		if got := askTLS(s, config, tt.host); !strings.HasPrefix(got, want) {
			t.Errorf("name %q, host %q: got %.100s, want %s", tt.sni, tt.host, got, want)
		}
	}
}

// TestSessionLifetime resumes sessions within ssl_session_timeout only, and across
// servers that share a ticket key.
func TestSessionLifetime(t *testing.T) {
	dir := t.TempDir()
	makeCert(t, dir, "one.test")
	if err := os.WriteFile(filepath.Join(dir, "ticket.key"), make([]byte, 48), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(directives string) *testServer {
		return startServer(t, strings.ReplaceAll(`events {} http { access_log off; server { listen ADDR ssl; `+directives+`
			ssl_certificate CERTS/one.test.crt; ssl_certificate_key CERTS/one.test.key; location / { return 200 "$ssl_session_reused"; } } }`, "CERTS", dir))
	}
	for _, tt := range []struct{ first, second, want string }{
		{"ssl_session_ticket_key CERTS/ticket.key;", "ssl_session_ticket_key CERTS/ticket.key;", "r"},
		{"ssl_session_ticket_key CERTS/ticket.key;", "", "."},
		{"ssl_session_ticket_key CERTS/ticket.key; ssl_protocols TLSv1.2;", "ssl_session_ticket_key CERTS/ticket.key; ssl_protocols TLSv1.2;", "r"},
		{"ssl_session_ticket_key CERTS/ticket.key;", "ssl_session_ticket_key CERTS/ticket.key; ssl_session_timeout 0;", "."},
		{"ssl_session_ticket_key CERTS/ticket.key; ssl_session_tickets off;", "ssl_session_ticket_key CERTS/ticket.key;", "."},
	} {
		config := &tls.Config{ServerName: "one.test", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		if got := askTLS(start(tt.first), config, "one.test"); got != "200 OK: ." {
			t.Errorf("%s: first answer %s", tt.first, got)
		}
		if got := askTLS(start(tt.second), config, "one.test"); got != "200 OK: "+tt.want {
			t.Errorf("%s, then %s: got %s, want %s", tt.first, tt.second, got, tt.want)
		}
	}
}

// TestHandshakeCtx begins each request's ngx.ctx with what the handshake's code left.
func TestHandshakeCtx(t *testing.T) {
	dir := t.TempDir()
	makeCert(t, dir, "one.test")
	chunk := func(phase, source string, main func(th *rt.Thread)) *rt.Chunk {
		return &rt.Chunk{Key: phase + "_nhli_" + lua.MD5Hex(source), Main: func(th *rt.Thread, _ *rt.Env, _ []rt.Value) (rt.Value, int) {
			main(th)
			return rt.Nil, 0
		}}
	}
	count := func(th *rt.Thread) rt.Value {
		v := rt.Int(1)
		if old := lua.CtxTable(th).GetStr("n"); old.IsNumber() {
			v = rt.Int(int(old.Num()) + 1)
		}
		lua.CtxTable(th).SetStr("n", v)
		return v
	}
	var seen []int
	chunks := rt.ChunkSet{
		chunk("ssl_client_hello_by_lua", " hello ", func(th *rt.Thread) { count(th) }),
		chunk("ssl_certificate_by_lua", " cert ", func(th *rt.Thread) { count(th) }),
		chunk("rewrite_by_lua", " count ", func(th *rt.Thread) { seen = append(seen, int(count(th).Num())) }),
	}
	s := startServerWith(t, strings.ReplaceAll(`worker_processes 3; events {} http { access_log off; rewrite_by_lua_no_postpone on; server { listen ADDR ssl http2;
		ssl_certificate CERTS/one.test.crt; ssl_certificate_key CERTS/one.test.key;
		ssl_client_hello_by_lua_block { hello } ssl_certificate_by_lua_block { cert }
		location / { rewrite_by_lua_block { count } return 200 "x"; } } }`, "CERTS", dir), chunks)
	conn := tls.Client(s.dial(), &tls.Config{ServerName: "one.test", InsecureSkipVerify: true})
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if b, err := io.ReadAll(conn); err != nil || strings.Count(string(b), "200 OK") != 2 {
		t.Fatalf("got %v %s", err, b)
	}
	if len(seen) != 2 || seen[0] != 3 || seen[1] != 3 {
		t.Errorf("the requests counted %v, want [3 3]", seen)
	}
	seen = nil
	two := &http.Transport{TLSClientConfig: &tls.Config{ServerName: "one.test", InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer two.CloseIdleConnections()
	for range 2 {
		resp, err := (&http.Client{Transport: two}).Get("https://" + s.addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if len(seen) != 2 || seen[0] != 3 || seen[1] != 3 {
		t.Errorf("the requests of HTTP/2 counted %v, want [3 3]", seen)
	}
}
