package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// logBy runs log_by_lua.
func logBy(r *core.Request) int {
	r.Logf(errlog.Debug, "lua log handler, uri:\"%s\" c:0", r.URI)
	runFilter(r, handlerOf(r.Loc, caller.PhaseLog), caller.PhaseLog, nil)
	return core.OK
}
