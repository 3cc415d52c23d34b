package lua_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	"github.com/moonphase/moonphase/phases/internal/testserver"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// TestSSLScripts lets code end handshakes and choose certificates. The code is
// Go's here; its Lua face is tested against nginx in golden.
func TestSSLScripts(t *testing.T) {
	dir := t.TempDir()
	testserver.Cert(t, dir, "configured.test")
	chosen := testserver.Cert(t, dir, "chosen.test")
	chunk := func(phase, source string, run func(h *ssl.Handshake)) *rt.Chunk {
		return testserver.Chunk(phase, source, func(th *rt.Thread) { run(lua.HandshakeOf(th)) })
	}
	chunks := rt.ChunkSet{
		chunk("ssl_certificate_by_lua", " cert ", func(h *ssl.Handshake) {
			switch h.Hello.ServerName {
			case "chosen.test":
				h.Chain, h.Key = chosen.Certificate, chosen.PrivateKey
			case "none.test":
				h.Cleared = true
			case "exit.test":
				lua.Exit(core.Error)
			}
		}),
		chunk("ssl_client_hello_by_lua", " hello ", func(h *ssl.Handshake) {
			switch h.Hello.ServerName {
			case "refused.test":
				lua.Exit(core.Error)
			case "old.test":
				h.Versions = tlsclient.Versions{Min: tls.VersionTLS12, Max: tls.VersionTLS12}
			}
		}),
	}
	s := testserver.Start(t, strings.ReplaceAll(`error_log logs/error.log debug; events {} http { access_log off; server { listen ADDR ssl;
		ssl_certificate CERTS/configured.test.crt; ssl_certificate_key CERTS/configured.test.key;
		ssl_client_hello_by_lua_block { hello } ssl_certificate_by_lua_block { cert } } }`, "CERTS", dir), chunks...)
	tests := []struct{ name, want string }{
		{"configured.test", "configured.test TLSv1.3"},
		{"chosen.test", "chosen.test TLSv1.3"},
		{"old.test", "configured.test TLSv1.2"},
		{"none.test", "remote error: tls: internal error"},
		{"exit.test", "remote error: tls: internal error"},
		{"refused.test", "remote error: tls: internal error"},
	}
	for _, tt := range tests {
		conn := tls.Client(s.Dial(), &tls.Config{ServerName: tt.name, InsecureSkipVerify: true})
		var got string
		if err := conn.Handshake(); err != nil {
			got = err.Error()
		} else {
			state := conn.ConnectionState()
			got = state.PeerCertificates[0].Subject.CommonName + " " + openssl.VersionName(state.Version)
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		conn.Close()
	}
	for _, want := range []string{
		"lua_certificate_by_lua: handler return value: 0, cert cb exit code: 1",
		"lua_certificate_by_lua: handler return value: -1, cert cb exit code: 0",
		"lua_client_hello_by_lua: handler return value: -1, client hello cb exit code: 0",
		"SSL_do_handshake() failed (SSL: error:0A0000EA:SSL routines::callback failed) while SSL handshaking, client: 127.0.0.1, server: " + s.Addr,
		"SSL_do_handshake() failed (SSL: error:0A000179:SSL routines::cert cb error) while SSL handshaking",
	} {
		s.WantLog(want)
	}
}

// TestHandshakeCtx begins each request's ngx.ctx with what the handshake's code left.
func TestHandshakeCtx(t *testing.T) {
	dir := t.TempDir()
	testserver.Cert(t, dir, "one.test")
	count := func(th *rt.Thread) rt.Value {
		v := rt.Int(1)
		if old := lua.NgxCtx(th).GetStr("n"); old.IsNumber() {
			v = rt.Int(int(old.Num()) + 1)
		}
		lua.NgxCtx(th).SetStr("n", v)
		return v
	}
	var seen []int
	chunks := rt.ChunkSet{
		testserver.Chunk("ssl_client_hello_by_lua", " hello ", func(th *rt.Thread) { count(th) }),
		testserver.Chunk("ssl_certificate_by_lua", " cert ", func(th *rt.Thread) { count(th) }),
		testserver.Chunk("rewrite_by_lua", " count ", func(th *rt.Thread) { seen = append(seen, int(count(th).Num())) }),
	}
	s := testserver.Start(t, strings.ReplaceAll(`worker_processes 3; events {} http { access_log off; rewrite_by_lua_no_postpone on; server { listen ADDR ssl http2;
		ssl_certificate CERTS/one.test.crt; ssl_certificate_key CERTS/one.test.key;
		ssl_client_hello_by_lua_block { hello } ssl_certificate_by_lua_block { cert }
		location / { rewrite_by_lua_block { count } return 200 "x"; } } }`, "CERTS", dir), chunks...)
	conn := tls.Client(s.Dial(), &tls.Config{ServerName: "one.test", InsecureSkipVerify: true})
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
		resp, err := (&http.Client{Transport: two}).Get("https://" + s.Addr)
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
