package upstream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/resolver"
	"github.com/moonphase/moonphase/runtime/guard"
)

// name is a server whose name is resolved again and again while it is served: its addresses
// are peers as long as name servers say so (server ... resolve).
type name struct {
	u        *Upstream
	host     string
	service  string // "" for the addresses of the host itself
	port     string
	template Peer // what the peers are like
	backup   bool

	targets []resolver.Target // what it was resolved to; guarded by Upstream.mu
	cancel  context.CancelFunc
}

// checkNames looks whether names can be resolved (ngx_http_upstream_init_round_robin).
func (u *Upstream) checkNames(c *core.Compiler) error {
	http := c.Cycle.HTTP
	if !u.level.Resolver.Set {
		u.level.Resolver = http.Resolver
	}
	u.level.ResolverTimeout.Merge(http.ResolverTimeout, 30*time.Second)
	at := u.block.Errorf("upstream \"%s\"", u.Name).Error()
	switch rc := u.level.Resolver.V; {
	case len(u.names) == 0:
	case u.zone == nil:
		return &conf.Error{Msg: "resolving names at run time requires " + at + " to be in shared memory"}
	case u.Balancer != nil:
		return &conf.Error{Msg: "load balancing method does not support resolving names at run time in " + at}
	case rc == nil || len(rc.Servers) == 0:
		return &conf.Error{Msg: "no resolver defined to resolve names at run time in " + at}
	}
	return nil
}

// hasNames tells whether there are names among the servers, or among the backups.
func (u *Upstream) hasNames(backup bool) bool {
	return slices.ContainsFunc(u.names, func(n *name) bool { return n.backup == backup })
}

// startResolving begins to look after the names of all upstreams.
func startResolving(c *core.Cycle) {
	for _, u := range main.Of(c).list {
		for _, n := range u.names {
			ctx, cancel := context.WithCancel(context.Background())
			n.cancel = cancel
			guard.Go(func() { n.follow(ctx, c.Log) })
		}
	}
}

// stopResolving ends that: the requests that are left keep the peers there are.
func stopResolving(c *core.Cycle) {
	for _, u := range main.Of(c).list {
		for _, n := range u.names {
			if n.cancel != nil {
				n.cancel()
			}
		}
	}
}

// follow resolves a name whenever what is known of it no longer holds, until ctx ends.
func (n *name) follow(ctx context.Context, log errlog.Logger) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(n.resolve(ctx, log)):
		}
	}
}

// resolve asks for the name once and returns the time until it is to be asked for again
// (ngx_http_upstream_zone_resolve_handler).
func (n *name) resolve(ctx context.Context, log errlog.Logger) time.Duration {
	rc, timeout := n.u.level.Resolver.V, n.u.level.ResolverTimeout.V
	asking, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	targets, until, err := n.lookup(asking, rc, log)
	if ctx.Err() != nil {
		return 0
	}
	if err != nil {
		text := err.Error()
		if n.service != "" {
			text = fmt.Sprintf("service %s of %s %s", n.service, n.host, err.Reason())
		}
		log.Output(errlog.Err, 0, text)
		if !err.NotFound() {
			return max(timeout, time.Second)
		}
	}
	n.u.mu.Lock()
	n.update(targets)
	n.u.mu.Unlock()
	return max(time.Until(until).Truncate(time.Second), 0) + time.Second
}

func (n *name) lookup(ctx context.Context, rc *resolver.Resolver, log errlog.Logger) ([]resolver.Target, time.Time, *resolver.Error) {
	if n.service != "" {
		targets, lost, until, err := rc.LookupService(ctx, log, n.service, n.host)
		for _, failure := range lost {
			log.Output(errlog.Err, 0, fmt.Sprintf("%v while resolving service %s of %s", failure, n.service, n.host))
		}
		return targets, until, err
	}
	addrs, until, err := rc.LookupUntil(ctx, log, resolver.Name(n.host))
	var targets []resolver.Target
	for _, addr := range addrs {
		targets = append(targets, resolver.Target{Addr: addr})
	}
	// No peer is to have all the load of those that come first.
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	return targets, until, err
}

// update makes the peers of a name what it has been resolved to. Of a service those with
// the best priority are servers, and the others backups where the method has a use for such.
// It is called with Upstream.mu held.
func (n *name) update(targets []resolver.Target) {
	n.targets = targets
	u := n.u
	if n.service == "" {
		n.merge(n.set(), targets)
		u.method.prepare(u)
		return
	}
	best := 1<<16 - 1
	for _, t := range targets {
		best = min(best, t.Priority)
	}
	var first, rest []resolver.Target
	for _, t := range targets {
		if t.Priority == best {
			first = append(first, t)
		} else {
			rest = append(rest, t)
		}
	}
	n.merge(n.set(), first)
	if !n.backup && (!u.noBackup || len(u.backup.peers) > 0 || u.hasNames(true)) {
		n.merge(&u.backup, rest)
	}
	u.method.prepare(u)
}

// set is where the peers of the name belong.
func (n *name) set() *peerSet {
	if n.backup {
		return &n.u.backup
	}
	return &n.u.primary
}

// merge takes targets into a set. Peers that stay keep their state.
func (n *name) merge(set *peerSet, targets []resolver.Target) {
	fresh := make([]*Peer, 0, len(targets))
	for _, t := range targets {
		fresh = append(fresh, n.peer(t))
	}
	kept := make([]*Peer, 0, len(set.peers)+len(fresh))
	for _, p := range set.peers {
		if p.from == n {
			i := slices.IndexFunc(fresh, func(q *Peer) bool {
				return q != nil && q.Addr == p.Addr && q.server == p.server && q.weight == p.weight
			})
			if i < 0 {
				continue
			}
			fresh[i] = nil
		}
		kept = append(kept, p)
	}
	for _, p := range fresh {
		if p != nil {
			kept = append(kept, p)
		}
	}
	set.replace(kept)
}

// peer is what a target becomes.
func (n *name) peer(t resolver.Target) *Peer {
	p := n.template
	p.from = n
	port := n.port
	if n.service != "" {
		port, p.server = strconv.Itoa(t.Port), t.Name
		if p.weight == 1 {
			p.weight = max(t.Weight, 1)
		}
	}
	p.effective = p.weight
	p.setAddr(net.JoinHostPort(t.Addr, port))
	return &p
}
