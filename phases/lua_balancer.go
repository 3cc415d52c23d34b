package phases

import "github.com/moonphase/moonphase/phases/conf"

// setLuaBalancer reads balancer_by_lua*.
func setLuaBalancer(c *compiler, d *conf.Directive) error {
	h, err := newLuaHandler(c, d)
	if err != nil {
		return err
	}
	u := upstreamServer.at(c)
	if u.balancer != nil {
		return errDuplicate
	}
	u.balancer = func(r *Request) int { return luaBalance(r, h) }
	return nil
}

// luaBalance runs balancer_by_lua. The status that it gives up with is the request's.
func luaBalance(r *Request, h *luaHandler) int {
	_, exit, rc := runFilter(r, h, PhaseBalancer, nil)
	switch {
	case rc != rcOK:
		return 500
	case exit >= 200 || exit == rcError:
		return exit
	}
	return rcOK
}
