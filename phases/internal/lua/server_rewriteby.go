package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// serverRewriteBy runs server_rewrite_by_lua, unless the URI has been changed.
func serverRewriteBy(r *core.Request) int {
	if r.URIChanged {
		return core.Declined
	}
	return runLuaPhase(r, caller.PhaseServerRewrite)
}
