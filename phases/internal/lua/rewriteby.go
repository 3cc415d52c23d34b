package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// rewriteBy runs rewrite_by_lua, unless the URI has been changed: the handlers of the
// phase do nothing more then (ngx_http_lua_rewrite_handler).
func rewriteBy(r *core.Request) int {
	if r.URIChanged {
		return core.Declined
	}
	return runLuaPhase(r, caller.PhaseRewrite)
}
