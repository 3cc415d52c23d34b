// Package upstream is groups of servers: their peers and the methods that choose
// among them, kept connections, exchanges with what all protocols share, and $upstream_ variables
// (ngx_http_upstream.c with the modules around it).
package upstream

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/resolver"
)

// Module is ngx_http_upstream_module: upstream blocks, their peers, and what a
// request notes of those it asked.
var Module = &core.Module{
	Name:       "upstream",
	Directives: directives,
	Variables:  variables,
	Families: []core.Family{
		{Prefix: "upstream_http_", Volatile: true, Get: headerVar},
		{Prefix: "upstream_trailer_", Volatile: true, Get: trailerVar},
		{Prefix: "upstream_cookie_", Volatile: true, Get: cookieVar},
	},
	Conf:   []core.ConfSlot{main, Server, Hooks, hintsLoc, caches},
	Finish: finish,
	Ready:  func(c *core.Cycle) { startResolving(c); startCaches(c) },
	Drain:  stopResolving,
	Stop:   stopCaches,
}

var (
	main = core.NewMainSlot[blocks](nil)
	// Server is the upstream of an upstream block, a level like a server.
	Server = core.NewServerSlot[Upstream](nil)
)

// blocks are the upstream blocks of a configuration.
type blocks struct {
	byName map[string]*Upstream // in lower case
	list   []*Upstream          // in the order of the file
}

// Named finds an upstream block, nil when there is none of that name.
func Named(c *core.Cycle, name string) *Upstream {
	return main.Of(c).byName[ngxtext.Lower(name)]
}

// Upstream is an upstream{} block, or what proxy_pass names without one: the
// peers a proxied request may go to.
type Upstream struct {
	Name    string
	primary peerSet
	backup  peerSet
	method  method
	Pool    IdlePool

	// Kept are connections that a balancer wants to be kept, KeptSize how many of a
	// worker's (balancer_keepalive), 0 for the default.
	Kept     IdlePool
	KeptSize int

	// Balancer, when not nil, is asked before each attempt: it may name the peer in
	// the request's state. Another answer than OK ends the request (balancer_by_lua).
	Balancer func(r *core.Request) int
	// Balanced: the balancer has named a peer, so even a single server's failures
	// count from now on.
	Balanced atomic.Bool

	noBackup bool          // the method has no use for backups
	timeMode core.Opt[int] // least_time
	sticky   *sticky       // what binds clients to peers, nil without
	stuck    bool          // there was such a directive
	block    *conf.Directive
	level    *core.Location // of the block: its resolver
	zone     *core.Zone     // nil without
	names    []*name        // servers whose names are resolved while they are served

	mu sync.Mutex // of the peers' state, and of the sets where there are names
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "upstream", In: core.InHTTP, Args: core.Take1 | core.TakeBlock, Set: setBlock},
		{Name: "server", In: core.InUpstream, Args: core.TakeMore1, Set: setServer},
		{Name: "early_hints", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: setEarlyHints},
		{Name: "resolver", In: core.InUpstream, Args: core.TakeMore1, Set: resolving(setResolver)},
		{Name: "resolver_timeout", In: core.InUpstream, Args: core.Take1,
			Set: resolving(core.SetMsec(core.Loc(func(l *core.Location) *core.Opt[time.Duration] { return &l.ResolverTimeout })))},
	}
}

// resolving is what a directive does where servers may be resolved while they are served.
func resolving(set core.Setter) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		if !c.Cycle.Stack.Has(compat.ResolveServers) {
			return d.Errorf("\"%s\" directive is not allowed here", d.Name)
		}
		return set(c, d)
	}
}

// setResolver reads the resolver of a block.
func setResolver(c *core.Compiler, d *conf.Directive) error {
	if c.Loc.Resolver.Set {
		return core.ErrDuplicate
	}
	rc, err := resolver.Parse(d.Args, c.Cycle.Stack.Has(compat.ResolverFamilies))
	if err != nil {
		return err
	}
	return c.Loc.Resolver.Put(rc)
}

// setBlock reads an upstream block. It has a configuration of its own, that no
// level around it gives anything to (ngx_http_upstream).
func setBlock(c *core.Compiler, d *conf.Directive) error {
	blocks, name := main.At(c), ngxtext.Lower(d.Args[0])
	if blocks.byName[name] != nil {
		return fmt.Errorf("duplicate upstream \"%s\"", d.Args[0])
	}
	srv := c.NewServer()
	level := c.NewLevel(core.Location{Kind: core.MatchServer, Server: srv})
	u := Server.Of(srv)
	u.Name, u.block, u.level = d.Args[0], d, level
	if blocks.byName == nil {
		blocks.byName = map[string]*Upstream{}
	}
	blocks.byName[name] = u
	blocks.list = append(blocks.list, u)
	if err := c.Within(core.InUpstream, d, func() { c.Srv, c.Loc = srv, level }); err != nil {
		return err
	}
	if len(u.primary.peers)+len(u.backup.peers)+len(u.names) == 0 {
		return fmt.Errorf("no servers are inside upstream")
	}
	if u.method == nil {
		u.method = roundRobin{}
	}
	return nil
}

// finish makes the blocks ready to choose among their peers (peer.init_upstream).
func finish(c *core.Compiler) error {
	for _, u := range main.At(c).list {
		if err := u.checkNames(c); err != nil {
			return err
		}
		if len(u.primary.peers) == 0 && !u.hasNames(false) {
			return u.block.Errorf("no servers in upstream \"%s\"", u.Name)
		}
		u.method.prepare(u)
	}
	return nil
}

// setMethod notes the load balancing method; the last one that is written holds.
// backups tells whether it has a use for them.
func setMethod(c *core.Compiler, d *conf.Directive, m method, backups bool) {
	redefine(c, d, backups).method = m
}

// SetBalancer makes balance what names the peers of the upstream block that is read.
func SetBalancer(c *core.Compiler, d *conf.Directive, balance func(r *core.Request) int) {
	redefine(c, d, false).Balancer = balance
}

// redefine is the upstream block that is read, for another way of choosing among its
// peers. What was said before about that is void, and a warning tells so.
func redefine(c *core.Compiler, d *conf.Directive, backups bool) *Upstream {
	u := Server.At(c)
	if u.method != nil || u.Balancer != nil || u.sticky != nil || u.Pool.wraps {
		c.Warnf(d, "load balancing method redefined")
	}
	if u.Pool.wraps {
		u.Pool.wraps, u.Pool.off = false, true
	}
	u.method, u.Balancer, u.sticky, u.noBackup = nil, nil, nil, !backups
	return u
}

// invalidParameter is the complaint about an argument.
func invalidParameter(arg string) error { return fmt.Errorf("invalid parameter \"%s\"", arg) }
