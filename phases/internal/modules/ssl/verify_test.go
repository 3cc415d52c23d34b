package ssl_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// TestMisdirected asks servers that verify clients over connections that were
// made for another server.
func TestMisdirected(t *testing.T) {
	dir := t.TempDir()
	client := testserver.Cert(t, dir, "one.test")
	s := testserver.Start(t, strings.ReplaceAll(`events {}
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
		if got := s.AskTLS(config, tt.host); !strings.HasPrefix(got, want) {
			t.Errorf("name %q, host %q: got %.100s, want %s", tt.sni, tt.host, got, want)
		}
	}
}

// TestSessionLifetime resumes sessions within ssl_session_timeout only, and across
// servers that share a ticket key.
func TestSessionLifetime(t *testing.T) {
	dir := t.TempDir()
	testserver.Cert(t, dir, "one.test")
	if err := os.WriteFile(filepath.Join(dir, "ticket.key"), make([]byte, 48), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(directives string) *testserver.Server {
		return testserver.Start(t, strings.ReplaceAll(`events {} http { access_log off; server { listen ADDR ssl; `+directives+`
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
		if got := start(tt.first).AskTLS(config, "one.test"); got != "200 OK: ." {
			t.Errorf("%s: first answer %s", tt.first, got)
		}
		if got := start(tt.second).AskTLS(config, "one.test"); got != "200 OK: "+tt.want {
			t.Errorf("%s, then %s: got %s, want %s", tt.first, tt.second, got, tt.want)
		}
	}
}
