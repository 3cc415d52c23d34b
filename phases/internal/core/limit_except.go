package core

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

// IsLimited reports whether l is the block of a limit_except.
func (l *Location) IsLimited() bool {
	return l.Outer != nil && l.Outer.limited != nil && l.Outer.limited.loc == l
}

// limitMethods are the methods limit_except may name.
var limitMethods = []string{
	"GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE",
	"OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH",
}

// setLimitExcept compiles a limit_except block. It inherits the location's
// settings as an if block does, but neither its script nor its handler.
func setLimitExcept(c *Compiler, d *conf.Directive) error {
	if c.Loc.limited != nil {
		return ErrDuplicate
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
	limit.loc = c.NewLevel(Location{Kind: MatchIf, Name: c.Loc.Name, Outer: c.Loc, Server: c.Srv})
	c.Loc.limited = limit
	c.Loc.Ifs = append(c.Loc.Ifs, limit.loc)
	return c.Within(InLimitExcept, d, func() { c.Loc = limit.loc })
}
