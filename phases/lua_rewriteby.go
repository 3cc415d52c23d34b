package phases

// luaRewrite runs rewrite_by_lua, unless the URI has been changed: the handlers of the
// phase do nothing more then (ngx_http_lua_rewrite_handler).
func luaRewrite(r *Request) int {
	if r.URIChanged {
		return rcDeclined
	}
	return runLuaPhase(r, PhaseRewrite)
}
