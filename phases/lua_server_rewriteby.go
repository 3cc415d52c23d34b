package phases

// luaServerRewrite runs server_rewrite_by_lua, unless the URI has been changed.
func luaServerRewrite(r *Request) int {
	if r.URIChanged {
		return rcDeclined
	}
	return runLuaPhase(r, PhaseServerRewrite)
}
