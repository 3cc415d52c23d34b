package phases

// luaAccess runs access_by_lua (ngx_http_lua_access_handler).
func luaAccess(r *Request) int { return runLuaPhase(r, PhaseAccess) }
