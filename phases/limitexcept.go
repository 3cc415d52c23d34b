package phases

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

// methodLimit is limit_except: the configuration of the methods not allowed.
type methodLimit struct {
	allowed map[string]bool
	loc     *Location
}

// isLimited reports whether l is the block of a limit_except.
func (l *Location) isLimited() bool {
	return l.outer != nil && l.outer.limited != nil && l.outer.limited.loc == l
}

// limitMethods are the methods limit_except may name.
var limitMethods = []string{
	"GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE",
	"OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH",
}

// setLimitExcept compiles a limit_except block. It inherits the location's
// settings as an if block does, but neither its script nor its handler.
func setLimitExcept(c *compiler, d *conf.Directive) error {
	if c.loc.limited != nil {
		return errDuplicate
	}
	limit := &methodLimit{allowed: map[string]bool{}}
	for _, arg := range d.Args {
		known := false
		for _, m := range limitMethods {
			if strings.EqualFold(m, arg) {
				limit.allowed[m], known = true, true
			}
		}
		if !known {
			return fmt.Errorf("invalid method \"%s\"", arg)
		}
	}
	if limit.allowed["GET"] {
		limit.allowed["HEAD"] = true
	}
	limit.loc = c.newLevel(Location{kind: matchIf, name: c.loc.name, outer: c.loc, server: c.srv})
	c.loc.limited = limit
	c.loc.ifs = append(c.loc.ifs, limit.loc)
	return c.within(inLimitExcept, d, func() { c.loc = limit.loc })
}
