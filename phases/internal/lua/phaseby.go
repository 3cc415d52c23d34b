package lua

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// setPhase gives the current level a handler.
func setPhase(c *core.Compiler, d *conf.Directive) error {
	h, err := newHandler(c, d)
	if err != nil {
		return err
	}
	p := h.ref.Phase
	l := loc.At(c)
	if l.handlers[p] != nil {
		return core.ErrDuplicate
	}
	l.handlers[p] = h
	if p.Allows(caller.Output) {
		main.At(c).captures = true
	}
	if p == caller.PhaseContent {
		c.Loc.Handler = contentBy
	}
	return nil
}

// handlerOf is the handler that a phase runs in this location, nil without one.
func handlerOf(l *core.Location, p caller.Phase) *handler { return loc.Of(l).handlers[p] }

// runLuaPhase runs the handler of a phase from server_rewrite to content and gives the
// answer for the phase engine.
func runLuaPhase(r *core.Request, p caller.Phase) int {
	l := loc.Of(r.Loc)
	if l.needBody.V {
		if rc := r.ReadBody(nil); rc != core.OK {
			return rc
		}
	}
	w := enter(r)
	defer leave(r)
	return runEntry(r, w, l.handlers[p], p)
}
