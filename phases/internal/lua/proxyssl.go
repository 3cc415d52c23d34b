package lua

import (
	"errors"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
)

// errProxySSL ends a handshake with an upstream that a script has refused.
var errProxySSL = errors.New("error:0A000086:SSL routines::certificate verify failed")

// hookProxySSL puts the code of a location's proxy_ssl_*_by_lua into the handshakes with
// its upstreams.
func hookProxySSL(l *core.Location) {
	conf, hooks := loc.Of(l), upstream.Hooks.Of(l)
	hook := func(p caller.Phase) func(*upstream.TLSHandshake) error {
		h := conf.handlers[p]
		if h == nil {
			return nil
		}
		return func(t *upstream.TLSHandshake) error { return runProxySSL(t, h, p) }
	}
	hooks.Certificate = hook(caller.PhaseProxySSLCert)
	hooks.Verify = hook(caller.PhaseProxySSLVerify)
	hooks.SkipVerify = conf.skipVerify.V
}

// runProxySSL runs a handler in the middle of a handshake, which waits for it. The
// request has put its baton down to talk to the upstream.
func runProxySSL(t *upstream.TLSHandshake, h *handler, p caller.Phase) error {
	r := t.Request
	if r.Baton != nil {
		r.Baton.Acquire()
		defer r.Baton.Release()
	}
	w := enter(r)
	defer leave(r)
	run := w.takeRun()
	defer run.end()
	run.ctx.begin(w, r, p)
	run.ctx.Upstream = t
	fn, rc := run.ctx.code(h)
	if rc != core.OK {
		return errProxySSL
	}
	watch := watchClient(r, run)
	w.noteRun(run)
	_, failure, abort := run.call(fn)
	if watch != nil {
		watch.stop()
		run.spent = true // the watch may still look at it
	}
	w.forgetRun(run)
	exit, exited := abort.(exitAbort)
	switch {
	case exited && exit.code == core.OK:
		return nil
	case exited:
		r.Logf(errlog.Debug, "lua exit with code %d", exit.code)
		return errProxySSL
	case failure != nil, abort != nil:
		return errProxySSL
	}
	return nil
}
