package lua

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// setBalancer reads balancer_by_lua*.
func setBalancer(c *core.Compiler, d *conf.Directive) error {
	h, err := newHandler(c, d)
	if err != nil {
		return err
	}
	if upstream.Server.At(c).Balancer != nil {
		return core.ErrDuplicate
	}
	upstream.SetBalancer(c, d, func(r *core.Request) int { return balancerBy(r, h) })
	return nil
}

// setBalancerKeepalive reads balancer_keepalive: how many connections a worker keeps for
// balancers that call enable_keepalive.
func setBalancerKeepalive(c *core.Compiler, d *conf.Directive) error {
	n, ok := ngxtext.ParseDecimal(d.Args[0])
	if !ok || n == 0 {
		return fmt.Errorf("invalid value \"%s\" in \"%s\" directive", d.Args[0], d.Name)
	}
	u := upstream.Server.At(c)
	if u.KeptSize != 0 {
		return core.ErrDuplicate
	}
	u.KeptSize = int(n)
	return nil
}

// balancerBy runs balancer_by_lua. The status that it gives up with is the request's.
func balancerBy(r *core.Request, h *handler) int {
	_, exit, rc := runFilter(r, h, caller.PhaseBalancer, nil)
	switch {
	case rc != core.OK:
		return 500
	case exit >= 200 || exit == core.Error:
		return exit
	}
	return core.OK
}
