package core

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/resolver"
)

// setResolver reads resolver.
func setResolver(c *Compiler, d *conf.Directive) error {
	if c.Loc.Resolver.Set {
		return ErrDuplicate
	}
	rc, err := resolver.Parse(d.Args, c.Cycle.Stack.Has(compat.ResolverFamilies))
	if err != nil {
		return err
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
