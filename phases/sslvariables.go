package phases

import (
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"time"

	"github.com/moonphase/moonphase/runtime/openssl"
)

// sslVariables are the $ssl_ variables. They have no value on a connection without
// TLS, those of the client's certificate none without one.
func sslVariables() []variable {
	state := func(f func(s *tls.ConnectionState) string) func(*Request) (string, bool) {
		return func(r *Request) (string, bool) {
			s, ok := sslState(r)
			if !ok {
				return "", false
			}
			v := f(&s)
			return v, v != ""
		}
	}
	client := func(f func(c *x509.Certificate) string) func(*Request) (string, bool) {
		return func(r *Request) (string, bool) {
			s, ok := sslState(r)
			if !ok || len(s.PeerCertificates) == 0 {
				return "", false
			}
			return f(s.PeerCertificates[0]), true
		}
	}
	list := []variable{
		{name: "ssl_protocol", get: state(func(s *tls.ConnectionState) string { return openssl.VersionName(s.Version) })},
		{name: "ssl_cipher", get: state(func(s *tls.ConnectionState) string { return openssl.CipherName(tls.CipherSuiteName(s.CipherSuite)) })},
		{name: "ssl_curve", get: state(func(s *tls.ConnectionState) string { return s.CurveID.String() })},
		{name: "ssl_server_name", get: state(func(s *tls.ConnectionState) string { return s.ServerName })},
		{name: "ssl_session_id", get: func(*Request) (string, bool) { return "", false }}, // package tls keeps them to itself
		{name: "ssl_early_data", get: state(func(*tls.ConnectionState) string { return "" })},
		{name: "ssl_alpn_protocol", get: state(func(s *tls.ConnectionState) string { return s.NegotiatedProtocol })},
		{name: "ssl_session_reused", get: state(func(s *tls.ConnectionState) string {
			if s.DidResume {
				return "r"
			}
			return "."
		})},
		{name: "ssl_client_verify", get: func(r *Request) (string, bool) {
			if _, ok := sslState(r); !ok {
				return "", false
			}
			return sslVerdict(r).variable(), true
		}},
		{name: "ssl_client_raw_cert", get: client(certText)},
		{name: "ssl_client_cert", get: client(func(c *x509.Certificate) string {
			return strings.ReplaceAll(certText(c), "\n", "\n\t")
		})},
		{name: "ssl_client_escaped_cert", get: client(func(c *x509.Certificate) string {
			return escapeURI(certText(c), escapeComponent)
		})},
		{name: "ssl_client_s_dn", get: client(func(c *x509.Certificate) string { return c.Subject.ToRDNSequence().String() })},
		{name: "ssl_client_i_dn", get: client(func(c *x509.Certificate) string { return c.Issuer.ToRDNSequence().String() })},
		{name: "ssl_client_serial", get: client(func(c *x509.Certificate) string {
			return strings.ToUpper(hex.EncodeToString(c.SerialNumber.Bytes()))
		})},
		{name: "ssl_client_fingerprint", get: client(func(c *x509.Certificate) string {
			sum := sha1.Sum(c.Raw)
			return hex.EncodeToString(sum[:])
		})},
		{name: "ssl_client_v_start", get: client(func(c *x509.Certificate) string { return opensslTime(c.NotBefore) })},
		{name: "ssl_client_v_end", get: client(func(c *x509.Certificate) string { return opensslTime(c.NotAfter) })},
		{name: "ssl_client_v_remain", get: client(func(c *x509.Certificate) string {
			return itoa(max(int64(time.Until(c.NotAfter)/(24*time.Hour)), 0))
		})},
	}
	for i := range list {
		list[i].changeable = true // as in nginx, whatever for
	}
	return list
}

// certText is a certificate in PEM, without the last line feed.
func certText(c *x509.Certificate) string {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	return strings.TrimSuffix(string(text), "\n")
}

// opensslTime is a time as OpenSSL prints it.
func opensslTime(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006 GMT") }
