package phases

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Errors of handshakes that Lua code has ended, with OpenSSL's words.
var (
	errHelloPhase = errors.New("SSL: error:0A0000EA:SSL routines::callback failed")
	errCertPhase  = errors.New("SSL: error:0A000179:SSL routines::cert cb error")
)

// tlsCallbacks are how the debug log calls the phases: where they begin, who
// handles them, who has called the handler and what it says when all is well.
var tlsCallbacks = map[Phase]struct {
	begin, handler, callback string
	good                     int
}{
	PhaseSSLClientHello:  {"ssl client hello: connection reusable: 0", "lua_client_hello_by_lua", "client hello cb", 1},
	PhaseSSLCert:         {"", "lua_certificate_by_lua", "cert cb", 1},
	PhaseSSLSessionFetch: {"ssl session fetch: connection reusable: 0", "ssl_session_fetch_by_lua*", "sess get cb", 1},
	PhaseSSLSessionStore: {"ssl session store: connection reusable: 0", "ssl_session_store_by_lua*", "sess new cb", 0},
}

// hookSSL puts the code of a server's TLS phases into its handshakes.
func hookSSL(l *Location) {
	hooks := sslServer.of(l.server)
	hook := func(p Phase, failed error) func(*sslHandshake) error {
		if luaHandlerOf(l, p) == nil {
			return nil
		}
		return func(h *sslHandshake) error {
			if !runHandshake(h, p) {
				return failed
			}
			return nil
		}
	}
	hooks.onClientHello = hook(PhaseSSLClientHello, errHelloPhase)
	hooks.onCertificate = hook(PhaseSSLCert, errCertPhase)
	hooks.onSessionStore = hook(PhaseSSLSessionStore, nil)
	hooks.onSessionFetch = hook(PhaseSSLSessionFetch, nil)
}

// runHandshake runs the server's handler of a TLS phase and tells whether the
// handshake may go on.
func runHandshake(t *sslHandshake, p Phase) bool {
	h := luaHandlerOf(t.server.loc, p)
	if h == nil { // asked for by the address's default server
		logNoScript(t)
		return false
	}
	if p == PhaseSSLSessionStore && t.version >= tls.VersionTLS13 {
		debugHandshake(t, fmt.Sprintf("ssl_session_store_by_lua*: skipped since TLS version >= 1.3 (%x)", t.version))
		return true
	}
	names := tlsCallbacks[p]
	if names.begin != "" {
		debugHandshake(t, names.begin)
	}
	ctx, _ := t.ssl.data.(*connCtx)
	w := ctx.take(t.cycle)
	if w == nil {
		w = takeWorker(t.cycle, int(t.conn.Number()))
	}
	rc := func() int {
		defer w.baton.Release() // whatever happens
		return runHandshakeIn(w, t, h, p)
	}()
	exit := 0
	if rc == rcOK {
		exit = names.good
	}
	debugHandshake(t, fmt.Sprintf("%s: handler return value: %d, %s exit code: %d", names.handler, rc, names.callback, exit))
	return rc == rcOK
}

func logNoScript(t *sslHandshake) {
	if log := t.log; log.Enabled(errlog.Alert) {
		host, _ := splitAddr(t.conn.RemoteAddr().String())
		log.Output(errlog.Alert, t.conn.Number(), "no ssl_certificate_by_lua* defined in server "+t.server.Name+
			" while loading SSL certificate by lua, client: "+host+", server: "+t.listen.Addr)
	}
}

func debugHandshake(t *sslHandshake, msg string) {
	if log := t.log; log.Enabled(errlog.Debug) {
		log.Output(errlog.Debug, t.conn.Number(), msg)
	}
}

// runHandshakeIn runs the handler in a worker whose baton is held. It has no request.
func runHandshakeIn(w *Worker, t *sslHandshake, h *luaHandler, p Phase) int {
	host, _ := splitAddr(t.conn.RemoteAddr().String())
	run := w.takeRun()
	defer run.end()
	run.ctx = LuaCtx{Phase: p, Worker: w, Loc: t.listen.Default.loc, handshake: t,
		number: t.conn.Number(), peer: ", client: " + host + ", server: " + t.listen.Addr}
	ctx, _ := t.ssl.data.(*connCtx)
	if ctx != nil {
		run.ctx.Table = ctx.table
	}
	fn, rc := run.ctx.code(h)
	if rc != rcOK {
		return rc
	}
	_, failure, abort := run.call(fn)
	switch a, exited := abort.(luaExit); {
	case exited:
		run.ctx.logf(errlog.Debug, "lua exit with code %d", a.code)
		rc = a.code
	case failure != nil, abort != nil:
		rc = 500
	}
	if run.ctx.Table != nil {
		t.ssl.data = &connCtx{w, run.ctx.Table}
	}
	return rc
}
