package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// accessBy runs access_by_lua (ngx_http_lua_access_handler).
func accessBy(r *core.Request) int { return runLuaPhase(r, caller.PhaseAccess) }
