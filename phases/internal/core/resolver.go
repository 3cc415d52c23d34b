package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/resolver"
)

// setResolver reads resolver ADDRESS... [valid=TIME] [ipv4=on|off] [ipv6=on|off].
func setResolver(c *Compiler, d *conf.Directive) error {
	if c.Loc.Resolver.Set {
		return ErrDuplicate
	}
	rc := &resolver.Resolver{IPv4: true, IPv6: true}
	for _, arg := range d.Args {
		key, value, option := strings.Cut(arg, "=")
		ok := true
		switch {
		case !option:
			if err := rc.AddServer(arg); err != nil {
				return err
			}
		case key == "valid":
			rc.Valid, ok = ngxtext.ParseSeconds(value)
		case key == "ipv6":
			rc.IPv6, ok = value == "on", value == "on" || value == "off"
		case key == "ipv4":
			rc.IPv4, ok = value == "on", value == "on" || value == "off"
		case key == "local":
			rc.Local = value == "on"
		case key == "status_zone":
		default:
			ok = false
		}
		if !ok {
			return fmt.Errorf("invalid parameter: %s", arg)
		}
	}
	if len(rc.Servers) == 0 && !rc.Local {
		return fmt.Errorf("no name servers defined")
	}
	return c.Loc.Resolver.Put(rc)
}

// ErrNoResolver is the case of a location without a resolver directive.
var ErrNoResolver = errors.New("no resolver")

// Resolve finds one address of a name by the location's resolver, within
// resolver_timeout.
func (l *Location) Resolve(ctx context.Context, log errlog.Logger, name string) (string, error) {
	rc := l.Resolver.V
	if rc == nil || len(rc.Servers) == 0 {
		return "", ErrNoResolver
	}
	ctx, cancel := context.WithTimeout(ctx, l.ResolverTimeout.V)
	defer cancel()
	addrs, failure := rc.Lookup(ctx, log, resolver.Name(name))
	if failure != nil {
		return "", failure
	}
	return addrs[rand.IntN(len(addrs))], nil
}
