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
	session  *luaSession // of the session phases
}

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

// run runs a server's handler of a TLS phase and tells whether the handshake may
// go on.
func (t *tlsHandshake) run(b *binding, s *Server, p Phase) bool {
	h := luaHandlerOf(s.loc, p)
	if h == nil {
		if p == PhaseSSLCert {
			t.logNoScript(b, s)
		}
		return p != PhaseSSLCert
	}
	names := tlsCallbacks[p]
	if names.begin != "" {
		t.debug(b, names.begin)
	}
	w := t.conn.ctx.take(b.cycle)
	if w == nil {
		w = takeWorker(b.cycle, int(t.conn.number))
	}
	rc := func() int {
		defer w.baton.Release() // whatever happens
		return t.runIn(w, b, h, p)
	}()
	exit := 0
	if rc == rcOK {
		exit = names.good
	}
	t.debug(b, fmt.Sprintf("%s: handler return value: %d, %s exit code: %d", names.handler, rc, names.callback, exit))
	return rc == rcOK
}

// asksScript tells whether the certificate for a server is up to Lua code: its
// own, or that of the default server when it has no certificate either. That
// server's must not go out past its code, so the handshake then fails.
func asksScript(b *binding, s *Server) bool {
	return luaHandlerOf(s.loc, PhaseSSLCert) != nil || s.tls.config == nil && luaHandlerOf(b.listen.Default.loc, PhaseSSLCert) != nil
}

func (t *tlsHandshake) logNoScript(b *binding, s *Server) {
	if log := b.log(); log.Enabled(LogAlert) {
		host, _ := splitAddr(t.conn.RemoteAddr().String())
		log.Output(LogAlert, t.conn.number, "no ssl_certificate_by_lua* defined in server "+s.Name+
			" while loading SSL certificate by lua, client: "+host+", server: "+t.conn.owner.addr)
	}
}

// connCtx is the ngx.ctx of a connection's handshake. Each request of the
// connection begins with a copy of it, in the same worker.
type connCtx struct {
	worker *Worker
	table  *rt.Table
}

// take takes the baton of the worker that the connection belongs to, if any: a
// reload may have replaced it.
func (c *connCtx) take(cycle *Cycle) *Worker {
	if c.worker == nil || c.worker.Cycle != cycle {
		return nil
	}
	c.worker.baton.Acquire()
	return c.worker
}

// copyFor is a copy of the table for code in a worker, nil for none.
func (c *connCtx) copyFor(w *Worker) *rt.Table {
	if c.table == nil || c.worker != w {
		return nil
	}
	clone := rt.NewTable(0, 4)
	for k, v, _ := c.table.Next(rt.Nil); !k.IsNil(); k, v, _ = c.table.Next(k) {
		clone.Set(k, v)
	}
	return clone
}

// connCtxOf is the ngx.ctx of a request's connection; one without handshake has an
// empty one.
func connCtxOf(r *Request) *connCtx {
	switch c := r.downstream().(type) {
	case *conn:
		return &c.ctx
	case *http2Stream:
		return &c.h.c.ctx
	}
	return new(connCtx)
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
	run.ctx = LuaCtx{Phase: p, Worker: w, Loc: b.listen.Default.loc, handshake: t, Table: t.conn.ctx.table,
		number: t.conn.number, peer: ", client: " + host + ", server: " + t.conn.owner.addr}
	_, failure, abort := run.call(fn)
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
	if run.ctx.Table != nil {
		t.conn.ctx = connCtx{w, run.ctx.Table}
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
	config = t.withSessions(b, s, config)
	if !asksScript(b, s) {
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
