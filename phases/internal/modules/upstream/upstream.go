// Package upstream is groups of servers: their peers and the methods that choose
// among them, kept connections, exchanges with what all protocols share, and $upstream_ variables
// (ngx_http_upstream.c with the modules around it).
package upstream

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_upstream_module: upstream blocks, their peers, and what a
// request notes of those it asked.
var Module = &core.Module{
	Name:       "upstream",
	Directives: directives,
	Variables:  variables,
	Families: []core.Family{
		{Prefix: "upstream_http_", Volatile: true, Get: headerVar},
		{Prefix: "upstream_trailer_", Volatile: true, Get: core.NoValues},
		{Prefix: "upstream_cookie_", Volatile: true, Get: cookieVar},
	},
	Conf: []core.ConfSlot{main, Server},
}

var (
	main = core.NewMainSlot[blocks](nil)
	// Server is the upstream of an upstream block, a level like a server.
	Server = core.NewServerSlot[Upstream](nil)
)

// blocks are the upstream blocks of a configuration.
type blocks struct {
	byName map[string]*Upstream // in lower case
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

	// Balancer, when not nil, is asked before each attempt: it may name the peer in
	// the request's state. Another answer than OK ends the request (balancer_by_lua).
	Balancer func(r *core.Request) int
	// Balanced: the balancer has named a peer, so even a single server's failures
	// count from now on.
	Balanced atomic.Bool

	mu sync.Mutex // of the peers' state
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "upstream", In: core.InHTTP, Args: core.Take1 | core.TakeBlock, Set: setBlock},
		{Name: "server", In: core.InUpstream, Args: core.TakeMore1, Set: setServer},
	}
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
	u.Name = d.Args[0]
	u.Pool.defaults(c.Cycle.Stack)
	if blocks.byName == nil {
		blocks.byName = map[string]*Upstream{}
	}
	blocks.byName[name] = u
	if err := c.Within(core.InUpstream, d, func() { c.Srv, c.Loc = srv, level }); err != nil {
		return err
	}
	if len(u.primary.peers)+len(u.backup.peers) == 0 {
		return fmt.Errorf("no servers are inside upstream")
	}
	if len(u.primary.peers) == 0 {
		return fmt.Errorf("no servers in upstream \"%s\"", d.Args[0])
	}
	if u.method == nil {
		u.method = roundRobin{}
	}
	return u.method.prepare(u)
}

// setMethod notes the load balancing method; the last one that is written holds.
func setMethod(c *core.Compiler, d *conf.Directive, m method) {
	u := Server.At(c)
	if u.method != nil || u.Balancer != nil {
		c.Warnf(d, "load balancing method redefined")
	}
	u.method = m
}

// noBackups complains of backups, for methods that have no use for them.
func (u *Upstream) noBackups() error {
	if len(u.backup.peers) > 0 {
		return fmt.Errorf("balancing method does not support parameter \"backup\"")
	}
	return nil
}

// setServer reads server ADDRESS [weight= max_fails= fail_timeout= max_conns= backup down].
func setServer(c *core.Compiler, d *conf.Directive) error {
	p := Peer{server: d.Args[0], weight: 1, maxFails: 1, failTimeout: 10 * time.Second}
	backup := false
	for _, arg := range d.Args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		n, isNumber := ngxtext.ParseDecimal(value)
		ok := true
		switch key {
		case "weight":
			p.weight, ok = int(n), isNumber && n > 0
		case "max_fails":
			p.maxFails, ok = int(n), isNumber
		case "max_conns":
			p.maxConns, ok = int(n), isNumber
		case "fail_timeout":
			p.failTimeout, ok = ngxtext.ParseSeconds(value)
		case "backup":
			backup = true
		case "down":
			p.down = true
		default:
			ok = false
		}
		if !ok {
			return fmt.Errorf("invalid parameter \"%s\"", arg)
		}
	}
	addrs, err := Addrs(c, d, d.Args[0], "80", d.Args[0])
	if err != nil {
		return err
	}
	u := Server.At(c)
	set := &u.primary
	if backup {
		set = &u.backup
	}
	if addrs == nil { // the name is not known where this is built
		addrs = []string{d.Args[0]}
	}
	for _, addr := range addrs {
		one := p
		one.Addr = addr
		set.add(&one)
	}
	return nil
}

// Addrs are the addresses of a server that directive d names; the error is about d.
func Addrs(c *core.Compiler, d *conf.Directive, server, port, written string) ([]string, error) {
	addrs, err := peerAddrs(server, port)
	if err == nil {
		return addrs, nil
	}
	e := d.Errorf("%v in upstream \"%s\"", err, written)
	e.Outside = err == errHostNotFound
	return nil, c.Outside(e)
}

// peerAddrs are the addresses of a server that is written as host, host:port or
// unix:path. Names are looked up as the system does it, once.
func peerAddrs(server, port string) ([]string, error) {
	if strings.HasPrefix(server, "unix:") {
		if server == "unix:" {
			return nil, fmt.Errorf("no path in the unix domain socket")
		}
		return []string{server}, nil
	}
	host, own := SplitHostPort(server)
	if own != "" || strings.HasSuffix(server, ":") {
		if n, ok := ngxtext.ParseDecimal(own); !ok || n < 1 || n > 65535 {
			return nil, fmt.Errorf("invalid port")
		}
		port = own
	}
	if host == "" {
		return nil, fmt.Errorf("no host")
	}
	if ip := strings.Trim(host, "[]"); net.ParseIP(ip) != nil {
		return []string{net.JoinHostPort(ip, port)}, nil
	}
	ips, err := net.LookupHost(host)
	if err != nil || len(ips) == 0 {
		return nil, errHostNotFound
	}
	for i, ip := range ips {
		ips[i] = net.JoinHostPort(ip, port)
	}
	return ips, nil
}

// errHostNotFound is what nginx says at start of a name without an address.
var errHostNotFound = fmt.Errorf("host not found")

// SplitHostPort parts "host:port", "[::1]:80" or "host"; port is "" without.
func SplitHostPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// Implicit is the upstream of a server that proxy_pass names itself.
func Implicit(name string, addrs []string) *Upstream {
	u := &Upstream{Name: name, method: roundRobin{}}
	for _, addr := range addrs {
		u.primary.add(&Peer{server: name, Addr: addr, weight: 1, maxFails: 1, failTimeout: 10 * time.Second})
	}
	return u
}
