package phases

// luaModule is ngx_http_lua_module.
var luaModule = &Module{
	name:   "lua",
	build:  buildLua,
	finish: (*compiler).finishLua,
	fork:   func(parent, sub *Request) { sub.lua.worker = parent.lua.worker },
	clear:  (*Request).releaseLua,
	start:  (*Cycle).InitWorkers,
	ready:  (*Cycle).StartWorkers,
	drain:  (*Cycle).AbortTimers,
	wait:   (*Cycle).WaitTimers,
	stop:   (*Cycle).StopWorkers,
}

// buildLua puts in what the location's *_by_lua directives do. Handlers of the
// rewrite and access phases run behind all others', unless they are not to be
// postponed.
func buildLua(b *builder, l *Location) {
	has := func(p Phase) bool { return l.lua(p) != nil }
	if has(PhaseServerRewrite) {
		b.handle(stepServerRewrite, luaRewriter(PhaseServerRewrite))
	}
	if has(PhaseRewrite) {
		b.handleAt(stepRewrite, b.cycle.rewriteNoPostpone.v, luaRewriter(PhaseRewrite))
	}
	if has(PhaseAccess) {
		b.handleAt(stepAccess, b.cycle.accessNoPostpone.v, luaPhaseHandler(PhaseAccess))
	}
	if has(PhasePrecontent) {
		b.handleLast(stepPrecontent, luaPhaseHandler(PhasePrecontent))
	}
	if has(PhaseHeaderFilter) {
		b.filterHeader((*Request).luaHeader)
	}
	b.filterHeader((*Request).luaCaptureHeader)
	if has(PhaseBodyFilter) {
		b.filterBody((*Request).luaBody)
	}
	if b.cycle.lua.captures {
		b.filterBody(luaCaptureBody)
	}
	if has(PhaseLog) {
		b.handle(stepLog, (*Request).luaLog)
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

// luaPhaseHandler makes the handler that runs a phase's code.
func luaPhaseHandler(p Phase) handler {
	return func(r *Request) int { return r.runLuaPhase(r.Loc.lua(p), p) }
}

// luaRewriter is luaPhaseHandler for the rewrite phases, which do nothing more
// once the URI has been changed.
func luaRewriter(p Phase) handler {
	return func(r *Request) int {
		if r.URIChanged {
			return rcDeclined
		}
		return r.runLuaPhase(r.Loc.lua(p), p)
	}
}

// luaCaptureBody says what ngx_lua's capture filter says. What is captured is kept
// back where the core does it with all subrequests in memory.
func luaCaptureBody(r *Request, p []byte, flags int, next filterPlace) int {
	if r.logs(LogDebug) {
		r.Logf(LogDebug, "lua capture body filter, uri \"%s\"", r.URI)
	}
	return next.pass(r, p, flags)
}
