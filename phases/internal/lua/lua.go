// Package lua is ngx_http_lua_module: the phases' handlers, the states and threads
// that run compiled chunks, and the ngx API.
package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// Module is ngx_http_lua_module.
var Module = &core.Module{
	Name:       "lua",
	Directives: func() []core.Directive { return append(directives(), phaseDirectives()...) },
	Conf:       []core.ConfSlot{main, loc},
	Build:      build,
	Finish:     func(c *core.Compiler) error { return checkSources(c.Cycle) },
	Fork:       fork,
	Clear:      forget,
	Start:      initWorkers,
	Ready:      startWorkers,
	Drain:      abortTimers,
	Cut:        cutWorkers,
	Wait:       waitTimers,
	Stop:       stopWorkers,
}

// build puts in what the location's *_by_lua directives do. Handlers of the
// rewrite and access phases run behind all others', unless they are not to be
// postponed.
func build(b *core.Builder, l *core.Location) {
	conf, main := loc.Of(l), main.Of(b.Cycle)
	if err := b.Outside(conf.ssl.Build(b.Compiler, sslPrefix)); err != nil {
		b.Fail(err)
	}
	has := func(p caller.Phase) bool { return conf.handlers[p] != nil }
	if l.IsServer() {
		hookSSL(l)
	}
	if has(caller.PhaseProxySSLCert) || has(caller.PhaseProxySSLVerify) {
		hookProxySSL(l)
	}
	if has(caller.PhaseServerRewrite) {
		b.Handle(core.ServerRewritePhase, serverRewriteBy)
	}
	if has(caller.PhaseRewrite) {
		handleAt(b, core.RewritePhase, main.rewriteNoPostpone.V, rewriteBy)
	}
	if has(caller.PhaseAccess) {
		handleAt(b, core.AccessPhase, main.accessNoPostpone.V, accessBy)
	}
	if has(caller.PhasePrecontent) {
		handleAt(b, core.PrecontentPhase, main.precontentNoPostpone.V, precontentBy)
	}
	if has(caller.PhaseHeaderFilter) {
		b.FilterHeader(headerFilterBy)
	}
	if main.captures {
		b.FilterHeader(captureHeader)
	}
	if has(caller.PhaseBodyFilter) {
		b.FilterBody(bodyFilterBy)
		l.SeesPieces = true
	}
	if main.captures {
		b.FilterBody(captureBody)
	}
	if has(caller.PhaseLog) {
		b.Handle(core.LogPhase, logBy)
	}
}

// handleAt is handle or HandleLast.
func handleAt(b *core.Builder, s core.Phase, early bool, h core.Handler) {
	if early {
		b.Handle(s, h)
	} else {
		b.HandleLast(s, h)
	}
}
