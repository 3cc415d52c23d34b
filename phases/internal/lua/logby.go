package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// logBy runs log_by_lua.
func logBy(r *core.Request) int {
	r.Logf(errlog.Debug, "lua log handler, uri:\"%s\" c:0", r.URI)
	runFilter(r, handlerOf(r.Loc, PhaseLog), PhaseLog, nil)
	return core.OK
}
