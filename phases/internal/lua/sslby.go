package lua

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
)

// Errors of handshakes that Lua code has ended, with OpenSSL's words.
var (
	errHelloPhase = errors.New("SSL: error:0A0000EA:SSL routines::callback failed")
	errCertPhase  = errors.New("SSL: error:0A000179:SSL routines::cert cb error")
)

// tlsCallbacks are how the debug log calls the phases: where they begin, who
// handles them, who has called the handler and what it says when all is well.
var tlsCallbacks = map[caller.Phase]struct {
	begin, handler, callback string
	good                     int
}{
	caller.PhaseSSLClientHello:  {"ssl client hello: connection reusable: 0", "lua_client_hello_by_lua", "client hello cb", 1},
	caller.PhaseSSLCert:         {"", "lua_certificate_by_lua", "cert cb", 1},
	caller.PhaseSSLSessionFetch: {"ssl session fetch: connection reusable: 0", "ssl_session_fetch_by_lua*", "sess get cb", 1},
	caller.PhaseSSLSessionStore: {"ssl session store: connection reusable: 0", "ssl_session_store_by_lua*", "sess new cb", 0},
}

// hookSSL puts the code of a server's TLS phases into its handshakes.
func hookSSL(l *core.Location) {
	hooks := ssl.Server.Of(l.Server)
	hook := func(p caller.Phase, failed error) func(*ssl.Handshake) error {
		if handlerOf(l, p) == nil {
			return nil
		}
		return func(h *ssl.Handshake) error {
			if !runHandshake(h, p) {
				return failed
			}
			return nil
		}
	}
	hooks.OnClientHello = hook(caller.PhaseSSLClientHello, errHelloPhase)
	hooks.OnCertificate = hook(caller.PhaseSSLCert, errCertPhase)
	hooks.OnSessionStore = hook(caller.PhaseSSLSessionStore, nil)
	hooks.OnSessionFetch = hook(caller.PhaseSSLSessionFetch, nil)
}

// runHandshake runs the server's handler of a TLS phase and tells whether the
// handshake may go on.
func runHandshake(t *ssl.Handshake, p caller.Phase) bool {
	h := handlerOf(t.Server.Loc, p)
	if h == nil { // asked for by the address's default server
		logNoScript(t)
		return false
	}
	if p == caller.PhaseSSLSessionStore && t.Version >= tls.VersionTLS13 {
		debugHandshake(t, fmt.Sprintf("ssl_session_store_by_lua*: skipped since TLS version >= 1.3 (%x)", t.Version))
		return true
	}
	names := tlsCallbacks[p]
	if names.begin != "" {
		debugHandshake(t, names.begin)
	}
	ctx, _ := t.SSL.Data.(*connCtx)
	w := ctx.take(t.Cycle)
	if w == nil {
		w = takeWorker(t.Cycle, int(t.Conn.Number()))
	}
	rc := func() int {
		defer w.baton.Release() // whatever happens
		return runHandshakeIn(w, t, h, p)
	}()
	exit := 0
	if rc == core.OK {
		exit = names.good
	}
	debugHandshake(t, fmt.Sprintf("%s: handler return value: %d, %s exit code: %d", names.handler, rc, names.callback, exit))
	return rc == core.OK
}

func logNoScript(t *ssl.Handshake) {
	if log := t.Log; log.Enabled(errlog.Alert) {
		host, _ := core.SplitAddr(t.Conn.RemoteAddr().String())
		log.Output(errlog.Alert, t.Conn.Number(), "no ssl_certificate_by_lua* defined in server "+t.Server.Name+
			" while loading SSL certificate by lua, client: "+host+", server: "+t.Listen.Addr)
	}
}

func debugHandshake(t *ssl.Handshake, msg string) {
	if log := t.Log; log.Enabled(errlog.Debug) {
		log.Output(errlog.Debug, t.Conn.Number(), msg)
	}
}

// runHandshakeIn runs the handler in a worker whose baton is held. It has no request.
func runHandshakeIn(w *worker, t *ssl.Handshake, h *handler, p caller.Phase) int {
	host, _ := core.SplitAddr(t.Conn.RemoteAddr().String())
	run := w.takeRun()
	defer run.end()
	run.ctx = newCtx(w, p)
	run.ctx.Loc, run.ctx.Handshake, run.ctx.Number = t.Listen.Default.Loc, t, t.Conn.Number()
	run.ctx.Peer = ", client: " + host + ", server: " + t.Listen.Addr
	ctx, _ := t.SSL.Data.(*connCtx)
	if ctx != nil {
		run.ctx.table = ctx.table
	}
	fn, rc := run.ctx.code(h)
	if rc != core.OK {
		return rc
	}
	_, failure, abort := run.call(fn)
	switch a, exited := abort.(exitAbort); {
	case exited:
		run.ctx.Logf(errlog.Debug, "lua exit with code %d", a.code)
		rc = a.code
	case failure != nil, abort != nil:
		rc = 500
	}
	if run.ctx.table != nil {
		t.SSL.Data = &connCtx{w, run.ctx.table}
	}
	return rc
}
