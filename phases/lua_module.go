package phases

// luaModule is ngx_http_lua_module.
var luaModule = &Module{
	name:       "lua",
	directives: func() []directive { return append(luaDirectives(), luaPhaseDirectives()...) },
	conf:       []confSlot{luaMain, luaLoc},
	build:      buildLua,
	finish:     func(c *compiler) error { return checkSources(c.cycle) },
	fork:       luaFork,
	clear:      luaClear,
	start:      initWorkers,
	ready:      startWorkers,
	drain:      abortTimers,
	cut:        cutWorkers,
	wait:       waitTimers,
	stop:       stopWorkers,
}

// buildLua puts in what the location's *_by_lua directives do. Handlers of the
// rewrite and access phases run behind all others', unless they are not to be
// postponed.
func buildLua(b *builder, l *Location) {
	conf, main := luaLoc.of(l), luaMain.of(b.cycle)
	if err := b.outside(conf.ssl.build(b.compiler, luaSSL)); err != nil {
		b.fail(err)
	}
	has := func(p Phase) bool { return conf.handlers[p] != nil }
	if l.isServer() {
		hookSSL(l)
	}
	if has(PhaseServerRewrite) {
		b.handle(stepServerRewrite, luaServerRewrite)
	}
	if has(PhaseRewrite) {
		b.handleAt(stepRewrite, main.rewriteNoPostpone.v, luaRewrite)
	}
	if has(PhaseAccess) {
		b.handleAt(stepAccess, main.accessNoPostpone.v, luaAccess)
	}
	if has(PhasePrecontent) {
		b.handleLast(stepPrecontent, luaPrecontent)
	}
	if has(PhaseHeaderFilter) {
		b.filterHeader(luaHeader)
	}
	if main.captures {
		b.filterHeader(luaCaptureHeader)
	}
	if has(PhaseBodyFilter) {
		b.filterBody(luaBody)
		l.seesPieces = true
	}
	if main.captures {
		b.filterBody(luaCaptureBody)
	}
	if has(PhaseLog) {
		b.handle(stepLog, luaLog)
	}
}

// handleAt is handle or handleLast.
func (b *builder) handleAt(s step, early bool, h handler) {
	if early {
		b.handle(s, h)
	} else {
		b.handleLast(s, h)
	}
}
