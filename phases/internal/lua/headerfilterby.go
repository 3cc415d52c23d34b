package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// headerFilterBy runs header_filter_by_lua. ngx.exit in it sends an error page instead
// of this response (ngx_http_lua_header_filter).
func headerFilterBy(r *core.Request) int {
	h := handlerOf(r.Loc, caller.PhaseHeaderFilter)
	if h == nil {
		return core.OK
	}
	r.Logf(errlog.Debug, "lua header filter for user lua code, uri \"%s\"", r.URI)
	_, exit, rc := runFilter(r, h, caller.PhaseHeaderFilter, nil)
	l := note.Of(r)
	switch {
	case rc != core.OK:
		return core.Error
	case exit == core.OK || exit == core.Declined || l.filterExit && exit > core.OK:
		return core.OK
	case exit > core.OK:
		l.filterExit = true
		return r.FilterFinalize("lua", exit)
	}
	return core.Error
}
