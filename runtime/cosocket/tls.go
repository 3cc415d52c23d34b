package cosocket

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// Trust is what a Host may have for TLS: what the lua_ssl_* directives say.
type Trust interface {
	// TLS returns a configuration that the socket may change and does not verify by
	// itself, and the verifier of the peer's certificate.
	TLS() (*tls.Config, *openssl.Verifier)
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
			s.debugf("lua ssl set session: %v", rt.Address{Pointer: session})
		}
	}
	name := ""
	if rt.ArgAt(args, 2).Truthy() {
		name = th.CheckString(args, 2)
	}
	if _, done := s.conn.(*tls.Conn); !done { // a pooled connection has its handshake behind it
		if name == "" && rt.ArgAt(args, 2).Truthy() {
			return fail(th, "SSL_set_tlsext_host_name failed")
		}
		if failure := s.handshake(th, t, session, name, rt.ArgAt(args, 3).Truthy()); failure != "" {
			return fail(th, failure)
		}
	}
	if given.IsBool() && !given.Truthy() {
		return rt.True, 1
	}
	return s.giveSession(session), 1
}

func (s *Socket) logHandshake(state tls.ConnectionState) {
	version := openssl.VersionName(state.Version)
	s.debugf("SSL: %s, cipher: \"%s %s\"", version, openssl.CipherName(tls.CipherSuiteName(state.CipherSuite)), version)
	if state.DidResume {
		s.debugf("SSL reused session")
	}
}

// giveSession hands a session to the script. The debug log hears of it again when
// the collector has found that the script let it go.
func (s *Socket) giveSession(session *tlsSession) rt.Value {
	given := rt.Opaque(session)
	if log := s.host.Pools().Log; log != nil && s.host.Logs(Debug) {
		s.debugf("lua ssl save session: %v", rt.Address{Pointer: session})
		runtime.AddCleanup(given.CData(), log, fmt.Sprintf("lua ssl free session: %v", rt.Address{Pointer: session}))
	}
	return given
}

// handshake makes the connection a TLS one and returns what went wrong, "" for
// nothing.
func (s *Socket) handshake(th *rt.Thread, object *rt.Table, session *tlsSession, name string, verify bool) string {
	cfg, verifier := &tls.Config{InsecureSkipVerify: true}, &openssl.Verifier{Depth: 1}
	if t, ok := s.host.(Trust); ok {
		cfg, verifier = t.TLS()
	}
	cfg.ServerName = name
	cfg.ClientSessionCache = session.cache
	verifier = trustedStore(verifier, object)
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
		s.handshakeFailed(err)
		return "handshake failed"
	}
	if s.host.Logs(Debug) {
		s.logHandshake(conn.ConnectionState())
	}
	if verify {
		if failure := s.judge(verifier, conn.ConnectionState().PeerCertificates, name); failure != "" {
			s.finalize()
			return failure
		}
	}
	s.conn, s.session = conn, session
	return ""
}

// handshakeFailed logs why, in OpenSSL's words where there are some.
func (s *Socket) handshakeFailed(err error) {
	var plain tls.RecordHeaderError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		s.host.Log(Error, "peer closed connection in SSL handshake")
	case errors.As(err, &plain):
		s.host.Log(Error, "SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number)")
	default:
		s.host.Log(Crit, fmt.Sprintf("SSL_do_handshake() failed (SSL: %v)", err))
	}
}

// judge verifies the peer's certificates and returns what is wrong, "" for nothing.
func (s *Socket) judge(v *openssl.Verifier, certs []*x509.Certificate, name string) string {
	if err := v.Verify(certs); err != nil {
		s.failf(Error, "lua ssl certificate verify error: (%v)", err)
		return err.Error()
	}
	if name != "" && !openssl.MatchesHost(certs[0], name) {
		s.failf(Error, "lua ssl certificate does not match host \"%s\"", name)
		return "certificate host mismatch"
	}
	return ""
}
