package cosocket

import (
	"crypto/tls"
	"crypto/x509"

	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// What scripts can learn of a connection below its streams.

// accessible finds the socket of such a call, nil with a failure when it is closed.
func (l *Lib) accessible(th *rt.Thread, args []rt.Value) (s *Socket, failure string) {
	if len(args) == 0 {
		th.Errorf("ngx.socket getfd: expecting the cosocket object, but seen none") // all of them say so
	}
	t := th.CheckTable(args, 0)
	l.Host(th)
	if t.Int(atSocket).IsNil() {
		th.Errorf(neverConnected)
	}
	if s = socketOf(t); s == nil || s.conn == nil {
		return nil, closedText
	}
	return s, ""
}

// getFD is tcpsock:getfd().
func (l *Lib) getFD(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s, failure := l.accessible(th, args)
	if failure != "" {
		return fail(th, failure)
	}
	var number int
	if failure = s.control(func(fd int) error { number = fd; return nil }); failure != "" {
		return fail(th, failure)
	}
	return rt.Int(number), 1
}

// getSSLSession is tcpsock:getsslsession(): what sslhandshake of another object takes.
func (l *Lib) getSSLSession(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s, failure := l.accessible(th, args)
	switch {
	case failure != "":
		return fail(th, failure)
	case s.session == nil:
		return fail(th, "no session")
	}
	return s.giveSession(s.session), 1
}

// getSSLPointer is tcpsock:getsslpointer(): there is no OpenSSL that could use one.
func (l *Lib) getSSLPointer(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return l.noOpenSSL(th, args, "no ssl connection", "the SSL object of a connection is not available: it is one of crypto/tls")
}

// getSSLContext is tcpsock:getsslctx().
func (l *Lib) getSSLContext(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return l.noOpenSSL(th, args, "no ssl context", "the SSL_CTX of a connection is not available: it is one of crypto/tls")
}

func (l *Lib) noOpenSSL(th *rt.Thread, args []rt.Value, plain, secure string) (rt.Value, int) {
	s, failure := l.accessible(th, args)
	if failure == "" {
		failure = plain
		if _, ok := s.conn.(*tls.Conn); ok {
			failure = secure
		}
	}
	return fail(th, failure)
}

// setTrustedStore is tcpsock:settrustedstore(store): what later handshakes of the object
// trust; nothing takes it back. A store is what ngx.ssl.parse_pem_cert gives.
func (l *Lib) setTrustedStore(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	store := rt.ArgAt(args, 1)
	if store.Truthy() && !store.IsCData() {
		return fail(th, "bad store arg: cdata expected, got "+rt.TypeName(store))
	}
	s, failure := l.accessible(th, args)
	if failure != "" {
		return fail(th, failure)
	}
	if _, done := s.conn.(*tls.Conn); done {
		return fail(th, "ssl handshake already done; trusted store cannot be changed on an established TLS connection")
	}
	t := args[0].Table()
	if !store.Truthy() {
		t.SetInt(atStore, rt.Nil)
		return rt.True, 1
	}
	if _, ok := store.CData().Object.(CertChain); !ok {
		return fail(th, "the store is not one that can be used here: give the result of ngx.ssl.parse_pem_cert")
	}
	t.SetInt(atStore, store)
	return rt.True, 1
}

// trustedStore is the verifier for an object, which may bring its own trusted
// certificates.
func trustedStore(v *openssl.Verifier, object *rt.Table) *openssl.Verifier {
	store := object.Int(atStore)
	if !store.IsCData() {
		return v
	}
	chain, ok := store.CData().Object.(CertChain)
	if !ok {
		return v
	}
	own := *v
	own.Roots = nil
	for _, der := range chain.DER() {
		if cert, err := x509.ParseCertificate(der); err == nil {
			own.Roots = append(own.Roots, cert)
		}
	}
	return &own
}
