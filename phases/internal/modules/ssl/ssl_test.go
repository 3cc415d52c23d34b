package ssl_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/modules"
	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// sends answers a server's wish for a certificate, whichever authorities it names.
func sends(certs []tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(certs) == 0 {
			return new(tls.Certificate), nil
		}
		return &certs[0], nil
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	testserver.Cert(t, dir, "one.test")
	testserver.Cert(t, dir, "two.test")
	client := testserver.Cert(t, dir, "client.test")
	s := testserver.Start(t, strings.ReplaceAll(`events {}
http { access_log off; ssl_certificate CERTS/one.test.crt; ssl_certificate_key CERTS/one.test.key;
  server { listen ADDR ssl; server_name one.test; location / { return 200 "one $scheme $ssl_protocol $ssl_cipher $ssl_server_name [$ssl_client_verify]"; } }
  server { listen ADDR ssl; server_name two.test; ssl_certificate CERTS/two.test.crt; ssl_certificate_key CERTS/two.test.key;
    ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
    ssl_verify_client optional; ssl_client_certificate CERTS/client.test.crt;
    location / { return 200 "two $ssl_protocol $ssl_cipher $ssl_client_verify $ssl_client_s_dn $ssl_client_serial"; } }
}`, "CERTS", dir))

	// ask opens a TLS connection to name and gives certificate name and answer.
	ask := func(name string, certs ...tls.Certificate) string {
		conn := tls.Client(s.Dial(), &tls.Config{ServerName: name, InsecureSkipVerify: true, GetClientCertificate: sends(certs)})
		if err := conn.Handshake(); err != nil {
			return err.Error()
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+name+"\r\nConnection: close\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err.Error()
		}
		body, _ := io.ReadAll(resp.Body)
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName + ": " + resp.Status + " " + string(body)
	}
	tests := []struct {
		name  string
		certs []tls.Certificate
		want  string
	}{
		{"one.test", nil, "one.test: 200 OK one https TLSv1.3 TLS_AES_128_GCM_SHA256 one.test [NONE]"},
		{"other.test", nil, "one.test: 200 OK one https TLSv1.3 TLS_AES_128_GCM_SHA256 other.test [NONE]"},
		{"two.test", nil, "two.test: 200 OK two TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 NONE  "},
		{"two.test", []tls.Certificate{client}, "two.test: 200 OK two TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 SUCCESS CN=client.test,O=o 1A2B"},
	}
	for _, tt := range tests {
		if got := ask(tt.name, tt.certs...); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
	stranger := testserver.Cert(t, dir, "stranger.test")
	if got := ask("two.test", stranger); !strings.Contains(got, "400 Bad Request") || !strings.Contains(got, "The SSL certificate error") {
		t.Errorf("an unknown client gets %s", got)
	}
	if got := s.Get("/"); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "The plain HTTP request was sent to HTTPS port") {
		t.Errorf("plain HTTP gives %s", got)
	}
}

// TestResumption resumes a session of a server.
func TestResumption(t *testing.T) {
	dir := t.TempDir()
	testserver.Cert(t, dir, "one.test")
	s := testserver.Start(t, strings.ReplaceAll(`events {} http { access_log off; server { listen ADDR ssl;
		ssl_certificate DIR2/one.test.crt; ssl_certificate_key DIR2/one.test.key; ssl_protocols TLSv1.2;
		location / { return 200 "$ssl_session_reused"; } } }`, "DIR2", dir))
	config := &tls.Config{ServerName: "one.test", InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for _, want := range []string{".", "r"} {
		conn := tls.Client(s.Dial(), config)
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		b, err := io.ReadAll(conn)
		if err != nil || !strings.HasSuffix(string(b), "\r\n\r\n"+want) {
			t.Errorf("got %v, %.300s, want %s", err, b, want)
		}
		conn.Close()
	}
}

// TestTLSErrors compares messages with nginx's.
func TestTLSErrors(t *testing.T) {
	tests := []struct{ server, want string }{
		{`listen 127.0.0.1:1 ssl; ssl_certificate /nonexistent.crt; ssl_certificate_key /k;`,
			`cannot load certificate "/nonexistent.crt": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(/nonexistent.crt, r) error:10000080:BIO routines::no such file)`},
		{`listen 127.0.0.1:1 ssl; ssl_certificate /x.crt;`, `no "ssl_certificate_key" is defined for certificate "/x.crt"`},
		{`listen 127.0.0.1:1; ssl_protocols TLSv9;`, `invalid value "TLSv9" in DIR/conf/nginx.conf:1`},
		{`listen 127.0.0.1:1; ssl_protocols TLSv1.1 TLSv1.3;`, `"TLSv1.2" cannot be left out between two others in DIR/conf/nginx.conf:1`},
		{`listen 127.0.0.1:1; ssl_protocols SSLv3;`, `none of the protocols is supported in DIR/conf/nginx.conf:1`},
		{`listen 127.0.0.1:1; lua_ssl_crl none.crl;`, `X509_LOOKUP_load_file("DIR/conf/none.crl") failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/conf/none.crl, r) error:10000080:BIO routines::no such file error:05880002:x509 certificate routines::system lib)`},
		{`listen 127.0.0.1:1; lua_ssl_trusted_certificate none.crt;`, `SSL_CTX_load_verify_locations("DIR/conf/none.crt") failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/conf/none.crt, r) error:10000080:BIO routines::no such file error:05880002:x509 certificate routines::system lib)`},
		{`listen 127.0.0.1:1; lua_ssl_ciphers none;`, `SSL_CTX_set_cipher_list("none") failed (SSL: error:0A0000B9:SSL routines::no cipher match)`},
		{`listen 127.0.0.1:1; lua_ssl_conf_command VerifyMode Peer;`, `SSL_CONF_cmd("VerifyMode", "Peer") failed: not supported`},
		{`listen 127.0.0.1:1; location / { proxy_pass https://127.0.0.1:1; proxy_ssl_certificate c.crt; }`, `no "proxy_ssl_certificate_key" is defined for certificate "c.crt"`},
		{`listen 127.0.0.1:1; location / { proxy_pass https://127.0.0.1:1; proxy_ssl_verify on; }`, `no proxy_ssl_trusted_certificate for proxy_ssl_verify`},
		{`listen 127.0.0.1:1; ssl_ocsp on;`, `"ssl_ocsp" directive is not supported: revoked client certificates would be accepted in DIR/conf/nginx.conf:1`},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		if err := os.Mkdir(dir+"/conf", 0o755); err != nil {
			t.Fatal(err)
		}
		text := "events {} http { server { " + tt.server + " } }"
		if err := os.WriteFile(dir+"/conf/nginx.conf", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		tree, err := conf.ParseFile(dir + "/conf/nginx.conf")
		if err != nil {
			t.Fatal(err)
		}
		_, err = core.Compile(tree.Directives, core.CompileOptions{Prefix: dir + "/", ConfPath: dir + "/conf/nginx.conf", Modules: modules.All()})
		if got := strings.ReplaceAll(fmt.Sprint(err), dir, "DIR"); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.server, got, tt.want)
		}
	}
}
