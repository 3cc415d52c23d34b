package phases

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

var upstreamModule = &Module{
	name:  "upstream",
	drain: closeIdleUpstreams,
}

// closeIdleUpstreams closes the connections that are kept for reuse.
func closeIdleUpstreams(c *Cycle) {
	for _, u := range c.upstreams {
		u.pool.close()
	}
}

// Upstream is an upstream{} block, or what proxy_pass names without one: the
// peers a proxied request may go to.
type Upstream struct {
	Name     string
	primary  peerSet
	backup   peerSet
	method   balanceMethod
	hashKey  template
	ring     []ringPoint          // of the consistent hash
	balancer func(r *Request) int // says where the next attempt goes; nil without
	pool     idlePool

	// balanced: balancer_by_lua has named a peer, so even a single server's
	// failures count from now on.
	balanced atomic.Bool

	mu sync.Mutex // of the peers' state
}

// balanceMethod is how the peer of a request is chosen.
type balanceMethod uint8

const (
	methodRoundRobin balanceMethod = iota
	methodLeastConn
	methodIPHash
	methodHash
	methodConsistent
)

func upstreamDirectives() []directive {
	pool := func(f func(p *idlePool) *time.Duration) setter {
		return func(c *compiler, d *conf.Directive) error {
			v, ok := parseTime(d.Args[0])
			if !ok {
				return errInvalidValue
			}
			*f(&c.upstream.pool) = v
			return nil
		}
	}
	method := func(m balanceMethod) setter {
		return func(c *compiler, d *conf.Directive) error { return c.setMethod(d, m) }
	}
	return []directive{
		{"upstream", inHTTP, take1 | takeBlock, setUpstream},
		{"server", inUpstream, takeMore1, setUpstreamServer},
		{"keepalive", inUpstream, take1, setUpstreamKeepalive},
		{"keepalive_requests", inUpstream, take1, setUpstreamRequests},
		{"keepalive_time", inUpstream, take1, pool(func(p *idlePool) *time.Duration { return &p.life })},
		{"keepalive_timeout", inUpstream, take1, pool(func(p *idlePool) *time.Duration { return &p.timeout })},
		{"zone", inUpstream, take12, checkUpstreamZone},
		{"least_conn", inUpstream, take0, method(methodLeastConn)},
		{"ip_hash", inUpstream, take0, method(methodIPHash)},
		{"hash", inUpstream, take12, setUpstreamHash},
	}
}

func setUpstream(c *compiler, d *conf.Directive) error {
	name := lowerString(d.Args[0])
	if c.cycle.upstreams[name] != nil {
		return fmt.Errorf("duplicate upstream \"%s\"", d.Args[0])
	}
	u := &Upstream{Name: d.Args[0], pool: idlePool{timeout: time.Minute, requests: 1000, life: time.Hour}}
	c.cycle.upstreams[name] = u
	if err := c.within(inUpstream, d, func() { c.upstream = u }); err != nil {
		return err
	}
	if len(u.primary.peers)+len(u.backup.peers) == 0 {
		return fmt.Errorf("no servers are inside upstream")
	}
	if len(u.primary.peers) == 0 {
		return fmt.Errorf("no servers in upstream \"%s\"", d.Args[0])
	}
	if len(u.backup.peers) > 0 && u.method >= methodIPHash {
		return fmt.Errorf("balancing method does not support parameter \"backup\"")
	}
	if u.method == methodConsistent {
		u.buildRing()
	}
	u.pool.limit = u.pool.size
	return nil
}

// minZone is the least size of a zone of shared memory: eight pages.
const minZone = 8 * 4096

// checkUpstreamZone reads zone NAME [SIZE]. The workers are threads of one process,
// which share the peers anyway.
func checkUpstreamZone(_ *compiler, d *conf.Directive) error {
	name := d.Args[0]
	if name == "" {
		return fmt.Errorf("invalid zone name \"%s\"", name)
	}
	if len(d.Args) == 1 {
		return nil
	}
	n, ok := parseSize(d.Args[1], false)
	if !ok {
		return fmt.Errorf("invalid zone size \"%s\"", d.Args[1])
	}
	if n < minZone {
		return fmt.Errorf("zone \"%s\" is too small", name)
	}
	return nil
}

// setMethod notes the load balancing method; the last one that is written holds.
func (c *compiler) setMethod(d *conf.Directive, m balanceMethod) error {
	u := c.upstream
	if u.method != methodRoundRobin || u.balancer != nil {
		c.warnf(d, "load balancing method redefined")
	}
	u.method = m
	return nil
}

func setUpstreamHash(c *compiler, d *conf.Directive) error {
	m := methodHash
	if len(d.Args) == 2 {
		if d.Args[1] != "consistent" {
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[1])
		}
		m = methodConsistent
	}
	var err error
	if c.upstream.hashKey, err = c.template(d.Args[0]); err != nil {
		return err
	}
	return c.setMethod(d, m)
}

func setUpstreamServer(c *compiler, d *conf.Directive) error {
	p := upstreamPeer{server: d.Args[0], weight: 1, maxFails: 1, failTimeout: 10 * time.Second}
	backup := false
	for _, arg := range d.Args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		n, isNumber := parseDecimal(value)
		ok := true
		switch key {
		case "weight":
			p.weight, ok = int(n), isNumber && n > 0
		case "max_fails":
			p.maxFails, ok = int(n), isNumber
		case "max_conns":
			p.maxConns, ok = int(n), isNumber
		case "fail_timeout":
			p.failTimeout, ok = parseSeconds(value)
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
	addrs, err := c.peerAddrs(d, d.Args[0], "80", d.Args[0])
	if err != nil {
		return err
	}
	set := &c.upstream.primary
	if backup {
		set = &c.upstream.backup
	}
	if addrs == nil { // the name is not known where this is built
		addrs = []string{d.Args[0]}
	}
	for _, addr := range addrs {
		one := p
		one.addr = addr
		set.add(&one)
	}
	return nil
}

// peerAddrs is peerAddrs with an error about d, where the server is written.
func (c *compiler) peerAddrs(d *conf.Directive, server, port, written string) ([]string, error) {
	addrs, err := peerAddrs(server, port)
	if err == nil {
		return addrs, nil
	}
	e := d.Errorf("%v in upstream \"%s\"", err, written)
	e.Outside = err == errHostNotFound
	return nil, c.outside(e)
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
	host, own := splitHostPort(server)
	if own != "" || strings.HasSuffix(server, ":") {
		if n, ok := parseDecimal(own); !ok || n < 1 || n > 65535 {
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

// splitHostPort parts "host:port", "[::1]:80" or "host"; port is "" without.
func splitHostPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// implicitUpstream is the upstream of a server that proxy_pass names itself.
func implicitUpstream(name string, addrs []string) *Upstream {
	u := &Upstream{Name: name}
	for _, addr := range addrs {
		u.primary.add(&upstreamPeer{server: name, addr: addr, weight: 1, maxFails: 1, failTimeout: 10 * time.Second})
	}
	return u
}

func setUpstreamKeepalive(c *compiler, d *conf.Directive) error {
	n, ok := parseDecimal(d.Args[0])
	if !ok || n == 0 {
		return fmt.Errorf("invalid value \"%s\" in \"keepalive\" directive", d.Args[0])
	}
	if c.upstream.pool.size != 0 {
		return errDuplicate
	}
	c.upstream.pool.size = int(n)
	return nil
}

func setUpstreamRequests(c *compiler, d *conf.Directive) error {
	n, ok := parseDecimal(d.Args[0])
	if !ok {
		return directiveError("invalid number")
	}
	c.upstream.pool.requests = n
	return nil
}
