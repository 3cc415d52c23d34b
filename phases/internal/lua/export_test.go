package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	rt "github.com/moonphase/moonphase/runtime"
)

// What the chunks of whole-server tests call in place of Lua.

// RequestOf is the request on whose behalf th runs.
func RequestOf(th *rt.Thread) *core.Request { return ctxOf(th).Request }

// HandshakeOf is the handshake whose phase th runs.
func HandshakeOf(th *rt.Thread) *ssl.Handshake { return ctxOf(th).Handshake }

// NgxCtx is ngx.ctx.
func NgxCtx(th *rt.Thread) *rt.Table { return ctxTable(th) }

// Print is ngx.print(text).
func Print(th *rt.Thread, text string) { ngxPrint(th, []rt.Value{rt.String(text)}) }

// Exit is ngx.exit(code).
func Exit(code int) { panic(exitAbort{code: code}) }

// StartTimer is ngx.timer.at(0, f).
func StartTimer(th *rt.Thread, f rt.Value) {
	t := &timer{api: apiOf(th), callback: f, loc: ctxOf(th).Request.Loc}
	t.start()
}

// StateOf is the Lua state of the configuration's first worker.
func StateOf(c *core.Cycle) *rt.State { return main.Of(c).workers[0].state }

// PhaseOf is ngx.get_phase().
func PhaseOf(th *rt.Thread) string { return ctxOf(th).Phase.String() }

// RequestPhases are the phases that have a request: what get_phase calls them, by the
// word that their directives begin with.
func RequestPhases() map[string]string {
	m := map[string]string{}
	for p := range caller.NumPhases {
		if p.HasVariables() {
			m[p.Tag()] = p.String()
		}
	}
	return m
}
