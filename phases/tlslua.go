package phases

import (
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"

	rt "github.com/moonphase/moonphase/runtime"
)

// tlsHandshake is what the Lua code of a TLS phase works on: the client's hello,
// and the certificate that the code may set in place of the configured one.
type tlsHandshake struct {
	conn  *conn
	hello *tls.ClientHelloInfo

	chain   [][]byte // of the certificate set by the script, in DER
	key     crypto.PrivateKey
	cleared bool // ssl.clear_certs: the configured ones do not count

	versions tlsVersions // set by clienthello.set_protocols
}

// Errors of handshakes that Lua code has ended, with OpenSSL's words.
var (
	errHelloPhase = errors.New("SSL: error:0A0000EA:SSL routines::callback failed")
	errCertPhase  = errors.New("SSL: error:0A000179:SSL routines::cert cb error")
)

// tlsCallbacks are how the debug log calls the two phases.
var tlsCallbacks = map[Phase]struct{ handler, callback string }{
	PhaseSSLClientHello: {"lua_client_hello_by_lua", "client hello cb"},
	PhaseSSLCert:        {"lua_certificate_by_lua", "cert cb"},
}

// run runs a server's handler of a TLS phase and tells whether the handshake may
// go on.
func (t *tlsHandshake) run(b *binding, s *Server, p Phase) bool {
	h := s.loc.lua(p)
	if h == nil {
		return true
	}
	if p == PhaseSSLClientHello {
		t.debug(b, "ssl client hello: connection reusable: 0")
	}
	w := b.cycle.takeWorker(int(t.conn.number))
	rc := t.runIn(w, b, h, p)
	w.baton.Release()
	exit := 0
	if rc == rcOK {
		exit = 1
	}
	names := tlsCallbacks[p]
	t.debug(b, fmt.Sprintf("%s: handler return value: %d, %s exit code: %d", names.handler, rc, names.callback, exit))
	return rc == rcOK
}

func (t *tlsHandshake) debug(b *binding, msg string) {
	if log := b.log(); log.Enabled(LogDebug) {
		log.Output(LogDebug, t.conn.number, msg)
	}
}

// runIn runs the handler in a worker whose baton is held. It has no request.
func (t *tlsHandshake) runIn(w *Worker, b *binding, h *luaHandler, p Phase) int {
	r := b.cycle.NewRequest(t.conn, b.listen)
	fn, rc := w.luaCode(r, h)
	r.Release()
	if rc != rcOK {
		return rc
	}
	host, _ := splitAddr(t.conn.RemoteAddr().String())
	run := w.takeRun()
	run.ctx = LuaCtx{Phase: p, Worker: w, Loc: b.listen.Default.loc, handshake: t,
		peer: ", client: " + host + ", server: " + t.conn.owner.addr}
	run.thread.Host = &run.ctx
	var failure *rt.Error
	abort := run.group.Run(run.thread, func() bool {
		_, failure = run.thread.PCall(fn)
		return failure == nil
	})
	switch a, exited := abort.(luaExit); {
	case exited:
		run.ctx.logf(LogDebug, "lua exit with code %d", a.code)
		rc = a.code
	case failure != nil:
		run.ctx.logf(LogErr, "lua entry thread aborted: runtime error: %s\n%s", errorText(failure), entryTraceback(failure))
		rc = 500
	case abort != nil:
		rc = 500
	}
	run.ctx.sockets.closeSockets()
	w.giveRun(run, abort == nil && failure == nil)
	return rc
}

// certificate is the certificate for the client: what the script has set, or one
// of the configured ones.
func (t *tlsHandshake) certificate(configured []tls.Certificate) (*tls.Certificate, error) {
	if len(t.chain) > 0 && t.key != nil {
		return &tls.Certificate{Certificate: t.chain, PrivateKey: t.key}, nil
	}
	if t.cleared || len(configured) == 0 {
		return nil, errors.New("SSL: error:0A0000C1:SSL routines::no shared cipher")
	}
	for i := range configured {
		if t.hello.SupportsCertificate(&configured[i]) == nil {
			return &configured[i], nil
		}
	}
	return &configured[0], nil
}

// withScripts gives the configuration for one handshake of a server whose
// certificate a script may choose.
func (t *tlsHandshake) withScripts(b *binding, s *Server, config *tls.Config) *tls.Config {
	if t.versions.max != 0 {
		config = config.Clone()
		config.MinVersion, config.MaxVersion = t.versions.min, t.versions.max
	}
	if s.loc.lua(PhaseSSLCert) == nil {
		return config
	}
	configured := config.Certificates
	config = config.Clone()
	config.Certificates = nil
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		t.hello = hello
		if !t.run(b, s, PhaseSSLCert) {
			return nil, errCertPhase
		}
		return t.certificate(configured)
	}
	return config
}
