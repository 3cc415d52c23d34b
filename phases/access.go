package phases

import (
	"fmt"
	"net/netip"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// accessModule is ngx_http_access_module.
var accessModule = &Module{
	name: "access",
	directives: func() []directive {
		return []directive{
			{"allow", inHTTPSrvLoc | inLimitExcept, take1, setAccessRule},
			{"deny", inHTTPSrvLoc | inLimitExcept, take1, setAccessRule},
		}
	},
	conf: []confSlot{accessLoc},
	build: func(b *builder, l *Location) {
		if accessLoc.of(l).rules != nil {
			b.handle(stepAccess, accessHandler)
		}
	},
}

var accessLoc = newLocSlot(mergeAccess)

// accessConf says who may reach a location: the first rule that names the client counts.
type accessConf struct{ rules []accessRule }

func mergeAccess(a, outer *accessConf, _ bool) {
	if a.rules == nil {
		a.rules = outer.rules
	}
}

// accessRule is one allow or deny.
type accessRule struct {
	deny   bool
	all    bool
	unix   bool
	prefix netip.Prefix
}

func setAccessRule(c *compiler, d *conf.Directive) error {
	rule := accessRule{deny: d.Name == "deny"}
	switch arg := d.Args[0]; arg {
	case "all":
		rule.all = true
	case "unix:":
		rule.unix = true
	default:
		p, err := parsePrefix(arg)
		if err != nil {
			return fmt.Errorf("invalid parameter \"%s\"", arg)
		}
		if p.Masked() != p {
			c.warnf(d, "low address bits of %s are meaningless", arg)
		}
		rule.prefix = p.Masked()
	}
	a := accessLoc.at(c)
	a.rules = append(a.rules, rule)
	return nil
}

// accessHandler applies the first allow or deny that names the client.
func accessHandler(r *Request) int {
	addr, isUnix := clientAddr(r.Conn)
	rules := accessLoc.of(r.Loc).rules
	for i := range rules {
		rule := &rules[i]
		if !rule.all && !(rule.unix && isUnix) && !(addr.IsValid() && rule.prefix.IsValid() && rule.prefix.Contains(addr)) {
			continue
		}
		if !rule.deny {
			return rcOK
		}
		if r.Loc.satisfyAny.v != satisfyAny {
			r.Log(errlog.Err, "access forbidden by rule")
		}
		return 403
	}
	return rcDeclined
}
