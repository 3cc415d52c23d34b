package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// bodyFilterBy runs body_filter_by_lua on a piece of the body. What a script makes
// empty goes no further unless it ends or flushes the body
// (ngx_http_lua_body_filter).
func bodyFilterBy(r *core.Request, p []byte, flags int, next core.Next) int {
	h := handlerOf(r.Loc, caller.PhaseBodyFilter)
	if h == nil || r.HeaderOnly {
		return next.Pass(r, p, flags)
	}
	if l := note.Get(r); l != nil && l.bodyEnded { // the script has set ngx.arg[2]: the rest is dropped
		return core.OK
	}
	if r.LogEnabled(errlog.Debug) {
		r.Logf(errlog.Debug, "lua body filter for user lua code, uri \"%s\"", r.URI)
	}
	first := true
	eof := flags&core.Last != 0
	results, code, rc := runFilter(r, h, caller.PhaseBodyFilter, func(ctx *runCtx) {
		if first {
			ctx.chunk, ctx.eof, first = p, eof, false
			return
		}
		p, eof = ctx.chunk, ctx.eof
	})
	if len(results) > 0 && results[0].IsNumber() {
		code = int(results[0].Num())
	}
	if rc != core.OK || code == core.Error || code >= 300 {
		if r != r.Main { // a filter that fails is the end of the connection
			r.Main.Killed = core.Error
		}
		return core.Error
	}
	flags &^= core.Last
	if eof {
		flags |= core.Last
		note.Of(r).bodyEnded = true
	}
	if len(p) == 0 && flags == 0 {
		return core.OK
	}
	return next.Pass(r, p, flags)
}
