package phases

import "github.com/moonphase/moonphase/phases/conf"

// setLuaPhase gives the current level a handler.
func setLuaPhase(c *compiler, d *conf.Directive) error {
	h, err := newLuaHandler(c, d)
	if err != nil {
		return err
	}
	p := h.ref.Phase
	l := luaLoc.at(c)
	if l.handlers[p] != nil {
		return errDuplicate
	}
	l.handlers[p] = h
	if p.allows(apiOutput) {
		luaMain.at(c).captures = true
	}
	if p == PhaseContent {
		c.loc.handler = luaContent
	}
	return nil
}

// luaHandlerOf is the handler that a phase runs in this location, nil without one.
func luaHandlerOf(l *Location, p Phase) *luaHandler { return luaLoc.of(l).handlers[p] }

// runLuaPhase runs the handler of a phase from server_rewrite to content and gives the
// answer for the phase engine.
func runLuaPhase(r *Request, p Phase) int {
	conf := luaLoc.of(r.Loc)
	if conf.needBody.v {
		if rc := r.ReadBody(nil); rc != rcOK {
			return rc
		}
	}
	w := enterLua(r)
	defer leaveLua(r)
	return runEntry(r, w, conf.handlers[p], p)
}
