package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// contentBy is the content handler of a location with content_by_lua. An `if` block
// can have taken the request where there is none.
func contentBy(r *core.Request) int {
	if handlerOf(r.Loc, caller.PhaseContent) == nil {
		return core.Declined
	}
	return runLuaPhase(r, caller.PhaseContent)
}
