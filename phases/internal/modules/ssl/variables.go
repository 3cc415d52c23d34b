package ssl

import (
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// variables are the $ssl_ variables. They have no value on a connection without
// TLS, those of the client's certificate none without one.
func variables() []core.Variable {
	state := func(f func(s *tls.ConnectionState) string) func(*core.Request) (string, bool) {
		return func(r *core.Request) (string, bool) {
			s, ok := State(r)
			if !ok {
				return "", false
			}
			v := f(&s)
			return v, v != ""
		}
	}
	client := func(f func(c *x509.Certificate) string) func(*core.Request) (string, bool) {
		return func(r *core.Request) (string, bool) {
			s, ok := State(r)
			if !ok || len(s.PeerCertificates) == 0 {
				return "", false
			}
			return f(s.PeerCertificates[0]), true
		}
	}
	list := []core.Variable{
		{Name: "ssl_protocol", Get: state(func(s *tls.ConnectionState) string { return openssl.VersionName(s.Version) })},
		{Name: "ssl_cipher", Get: state(func(s *tls.ConnectionState) string { return openssl.CipherName(tls.CipherSuiteName(s.CipherSuite)) })},
		{Name: "ssl_curve", Get: state(func(s *tls.ConnectionState) string { return s.CurveID.String() })},
		{Name: "ssl_server_name", Get: state(func(s *tls.ConnectionState) string { return s.ServerName })},
		{Name: "ssl_session_id", Get: func(*core.Request) (string, bool) { return "", false }}, // package tls keeps them to itself
		{Name: "ssl_early_data", Get: state(func(*tls.ConnectionState) string { return "" })},
		{Name: "ssl_alpn_protocol", Get: state(func(s *tls.ConnectionState) string { return s.NegotiatedProtocol })},
		// Package tls does not tell which one it took, and with OpenSSL before 3.5 nginx does not know either.
		{Name: "ssl_sigalg", Get: state(func(*tls.ConnectionState) string { return "" })},
		{Name: "ssl_client_sigalg", Get: state(func(*tls.ConnectionState) string { return "" })},
		{Name: "ssl_sigalgs", Get: signatures},
		{Name: "ssl_session_reused", Get: state(func(s *tls.ConnectionState) string {
			if s.DidResume {
				return "r"
			}
			return "."
		})},
		{Name: "ssl_client_verify", Get: func(r *core.Request) (string, bool) {
			if _, ok := State(r); !ok {
				return "", false
			}
			return verdictOf(r).variable(), true
		}},
		{Name: "ssl_client_raw_cert", Get: client(certText)},
		{Name: "ssl_client_cert", Get: client(func(c *x509.Certificate) string {
			return strings.ReplaceAll(certText(c), "\n", "\n\t")
		})},
		{Name: "ssl_client_escaped_cert", Get: client(func(c *x509.Certificate) string {
			return ngxtext.EscapeURI(certText(c), ngxtext.EscapeComponent)
		})},
		{Name: "ssl_client_s_dn", Get: client(func(c *x509.Certificate) string { return c.Subject.ToRDNSequence().String() })},
		{Name: "ssl_client_i_dn", Get: client(func(c *x509.Certificate) string { return c.Issuer.ToRDNSequence().String() })},
		{Name: "ssl_client_serial", Get: client(func(c *x509.Certificate) string {
			return strings.ToUpper(hex.EncodeToString(c.SerialNumber.Bytes()))
		})},
		{Name: "ssl_client_fingerprint", Get: client(func(c *x509.Certificate) string {
			sum := sha1.Sum(c.Raw)
			return hex.EncodeToString(sum[:])
		})},
		{Name: "ssl_client_v_start", Get: client(func(c *x509.Certificate) string { return opensslTime(c.NotBefore) })},
		{Name: "ssl_client_v_end", Get: client(func(c *x509.Certificate) string { return opensslTime(c.NotAfter) })},
		{Name: "ssl_client_v_remain", Get: client(func(c *x509.Certificate) string {
			return ngxtext.Itoa(max(int64(time.Until(c.NotAfter)/(24*time.Hour)), 0))
		})},
	}
	for i := range list {
		list[i].Changeable = true // as in nginx, whatever for
	}
	return list
}

// signatures are the numbers of the signatures that the client takes, as nginx has them
// from OpenSSL before 4.0.
func signatures(r *core.Request) (string, bool) {
	s := ConnectionOf(r)
	if s == nil || len(s.Signatures) == 0 {
		return "", false
	}
	list := make([]string, len(s.Signatures))
	for i, scheme := range s.Signatures {
		list[i] = fmt.Sprintf("0x%04x", uint16(scheme))
	}
	return strings.Join(list, ":"), true
}

// certText is a certificate in PEM, without the last line feed.
func certText(c *x509.Certificate) string {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	return strings.TrimSuffix(string(text), "\n")
}

// opensslTime is a time as OpenSSL prints it.
func opensslTime(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006 GMT") }
