package cosocket

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// Trust is what a Host may have for TLS: the certificates that
// lua_ssl_trusted_certificate names and the limits of lua_ssl_protocols.
type Trust interface {
	// TLS returns a configuration that the socket may change.
	TLS() *tls.Config
}

// tlsSession is what sslhandshake returns, to be given to a later handshake with the
// same server.
type tlsSession struct{ cache tls.ClientSessionCache }

// sslHandshake is tcpsock:sslhandshake(session?, server name?, verify?, OCSP?).
func (l *Lib) sslHandshake(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n < 1 || n > 5 {
		th.Errorf("ngx.socket sslhandshake: expecting 1 ~ 5 arguments (including the object), but seen %d", n)
	}
	h := l.Host(th)
	t := th.CheckTable(args, 0)
	s := socketOf(t)
	switch {
	case s == nil && t.Int(atSocket).IsNil():
		th.Errorf(neverConnected)
	case s == nil || !s.dialing && (s.conn == nil || s.readClosed || s.writeClosed):
		return fail(th, closedText)
	case s.host != h:
		return fail(th, "bad request")
	}
	if text := s.busy(true, true, true); text != "" {
		return fail(th, text)
	}
	if s.downstream != upstream {
		return fail(th, "not supported for downstream sockets")
	}
	if rt.ArgAt(args, 4).Truthy() {
		th.Errorf("sslhandshake: OCSP status requests are not supported")
	}
	session := &tlsSession{cache: tls.NewLRUClientSessionCache(1)}
	given := rt.ArgAt(args, 1)
	if given.IsCData() {
		if old, ok := given.CData().Object.(*tlsSession); ok {
			session = old
		}
	}
	name := ""
	if v := rt.ArgAt(args, 2); !v.IsNil() {
		name = th.CheckString(args, 2)
	}
	if _, done := s.conn.(*tls.Conn); !done { // a pooled connection has its handshake behind it
		if failure := s.handshake(th, t, session, name, rt.ArgAt(args, 3).Truthy()); failure != "" {
			return fail(th, failure)
		}
	}
	if given.IsBool() && !given.Truthy() {
		return rt.True, 1
	}
	return rt.Opaque(session), 1
}

// handshake makes the connection a TLS one and returns what went wrong, "" for
// nothing.
func (s *Socket) handshake(th *rt.Thread, object *rt.Table, session *tlsSession, name string, verify bool) string {
	cfg := &tls.Config{}
	if t, ok := s.host.(Trust); ok {
		cfg = t.TLS()
	}
	roots := cfg.RootCAs
	cfg.InsecureSkipVerify = true // certificates are judged below, in OpenSSL's words
	cfg.ServerName = name
	cfg.ClientSessionCache = session.cache
	if failure := useClientCert(cfg, object); failure != "" {
		return failure
	}
	if name != "" {
		s.debugf("lua ssl server name: \"%s\"", name)
	}
	raw, conn := s.conn, tls.Client(s.conn, cfg)
	timeout := s.timeout.connect
	var err error
	s.connecting = true
	th.Block(func() { s.connecting = false; s.interrupt() }, func() {
		raw.SetDeadline(time.Now().Add(timeout))
		err = conn.Handshake()
	})
	s.connecting = false
	raw.SetDeadline(time.Time{})
	if err != nil {
		s.finalize()
		if isTimeout(err) {
			s.failf(Error, "lua ssl handshake timed out")
			return timeoutText
		}
		s.failf(Crit, "SSL_do_handshake() failed (%v)", err)
		return "handshake failed"
	}
	if verify {
		if failure := s.judge(conn.ConnectionState(), roots, name); failure != "" {
			s.finalize()
			return failure
		}
	}
	s.conn = conn
	return ""
}

// judge verifies the peer's certificate.
func (s *Socket) judge(state tls.ConnectionState, roots *x509.CertPool, name string) string {
	if roots == nil {
		roots = x509.NewCertPool()
	}
	leaf := state.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		code, text := verifyCode(err, leaf)
		s.failf(Error, "lua ssl certificate verify error: (%d: %s)", code, text)
		return fmt.Sprintf("%d: %s", code, text)
	}
	if name != "" && leaf.VerifyHostname(name) != nil {
		s.failf(Error, "lua ssl certificate does not match host \"%s\"", name)
		return "certificate host mismatch"
	}
	return ""
}

// verifyCode gives OpenSSL 3's number and text for a failed verification.
func verifyCode(err error, leaf *x509.Certificate) (int, string) {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if time.Now().Before(leaf.NotBefore) {
			return 9, "certificate is not yet valid"
		}
		return 10, "certificate has expired"
	case leaf.CheckSignatureFrom(leaf) == nil:
		return 18, "self-signed certificate"
	}
	return 20, "unable to get local issuer certificate"
}
