// Package access is ngx_http_access_module: allow and deny.
package access

import (
	"fmt"
	"net/netip"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/inet"
)

// Module is ngx_http_access_module.
var Module = &core.Module{
	Name: "access",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "allow", In: core.InHTTPSrvLoc | core.InLimitExcept, Args: core.Take1, Set: setRule},
			{Name: "deny", In: core.InHTTPSrvLoc | core.InLimitExcept, Args: core.Take1, Set: setRule},
		}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).rules != nil {
			b.Handle(core.AccessPhase, handler)
		}
	},
}

var loc = core.NewLocSlot(merge)

// config says who may reach a location: the first rule that names the client counts.
type config struct{ rules []rule }

func merge(a, outer *config, _ bool) {
	if a.rules == nil {
		a.rules = outer.rules
	}
}

// rule is one allow or deny.
type rule struct {
	deny   bool
	all    bool
	unix   bool
	prefix netip.Prefix
}

func setRule(c *core.Compiler, d *conf.Directive) error {
	rule := rule{deny: d.Name == "deny"}
	switch arg := d.Args[0]; arg {
	case "all":
		rule.all = true
	case "unix:":
		rule.unix = true
	default:
		p, ok := inet.ParseCIDR(arg)
		if !ok {
			return fmt.Errorf("invalid parameter \"%s\"", arg)
		}
		if p.Masked() != p {
			c.Warnf(d, "low address bits of %s are meaningless", arg)
		}
		rule.prefix = p.Masked()
	}
	a := loc.At(c)
	a.rules = append(a.rules, rule)
	return nil
}

// handler applies the first allow or deny that names the client.
func handler(r *core.Request) int {
	addr, isUnix := r.ClientIP()
	addr = addr.Unmap()
	rules := loc.Of(r.Loc).rules
	for i := range rules {
		rule := &rules[i]
		if !rule.all && !(rule.unix && isUnix) && !(addr.IsValid() && rule.prefix.IsValid() && rule.prefix.Contains(addr)) {
			continue
		}
		if !rule.deny {
			return core.OK
		}
		if r.Loc.Satisfy.V != core.SatisfyAny {
			r.Log(errlog.Err, "access forbidden by rule")
		}
		return 403
	}
	return core.Declined
}
