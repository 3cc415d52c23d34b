package phases

import "github.com/moonphase/moonphase/phases/internal/errlog"

// luaBody runs body_filter_by_lua on a piece of the body. What a script makes
// empty goes no further unless it ends or flushes the body
// (ngx_http_lua_body_filter).
func luaBody(r *Request, p []byte, flags int, next filterPlace) int {
	h := luaHandlerOf(r.Loc, PhaseBodyFilter)
	if h == nil || r.HeaderOnly {
		return next.pass(r, p, flags)
	}
	if l := luaNote.get(r); l != nil && l.bodyEnded { // the script has set ngx.arg[2]: the rest is dropped
		return rcOK
	}
	if r.logs(errlog.Debug) {
		r.Logf(errlog.Debug, "lua body filter for user lua code, uri \"%s\"", r.URI)
	}
	first := true
	eof := flags&outLast != 0
	results, code, rc := runFilter(r, h, PhaseBodyFilter, func(ctx *LuaCtx) {
		if first {
			ctx.Chunk, ctx.EOF, first = p, eof, false
			return
		}
		p, eof = ctx.Chunk, ctx.EOF
	})
	if len(results) > 0 && results[0].IsNumber() {
		code = int(results[0].Num())
	}
	if rc != rcOK || code == rcError || code >= 300 {
		if r != r.Main { // a filter that fails is the end of the connection
			r.Main.killed = rcError
		}
		return rcError
	}
	flags &^= outLast
	if eof {
		flags |= outLast
		luaNote.of(r).bodyEnded = true
	}
	if len(p) == 0 && flags == 0 {
		return rcOK
	}
	return next.pass(r, p, flags)
}
