package phases

import "github.com/moonphase/moonphase/phases/internal/errlog"

// luaLog runs log_by_lua.
func luaLog(r *Request) int {
	r.Logf(errlog.Debug, "lua log handler, uri:\"%s\" c:0", r.URI)
	runFilter(r, luaHandlerOf(r.Loc, PhaseLog), PhaseLog, nil)
	return rcOK
}
