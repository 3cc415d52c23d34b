package phases

import "github.com/moonphase/moonphase/phases/internal/errlog"

// luaHeader runs header_filter_by_lua. ngx.exit in it sends an error page instead
// of this response (ngx_http_lua_header_filter).
func luaHeader(r *Request) int {
	h := luaHandlerOf(r.Loc, PhaseHeaderFilter)
	if h == nil {
		return rcOK
	}
	r.Logf(errlog.Debug, "lua header filter for user lua code, uri \"%s\"", r.URI)
	_, exit, rc := runFilter(r, h, PhaseHeaderFilter, nil)
	l := luaNote.of(r)
	switch {
	case rc != rcOK:
		return rcError
	case exit == rcOK || exit == rcDeclined || l.filterExit && exit > rcOK:
		return rcOK
	case exit > rcOK:
		l.filterExit = true
		return r.filterFinalize("lua", exit)
	}
	return rcError
}
