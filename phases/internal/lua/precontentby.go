package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// precontentBy runs precontent_by_lua.
func precontentBy(r *core.Request) int { return runLuaPhase(r, caller.PhasePrecontent) }
