package phases

// luaContent is the content handler of a location with content_by_lua. An `if` block
// can have taken the request where there is none.
func luaContent(r *Request) int {
	if luaHandlerOf(r.Loc, PhaseContent) == nil {
		return rcDeclined
	}
	return runLuaPhase(r, PhaseContent)
}
