package phases

// luaPrecontent runs precontent_by_lua.
func luaPrecontent(r *Request) int { return runLuaPhase(r, PhasePrecontent) }
