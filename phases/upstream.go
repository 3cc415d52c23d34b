package phases

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// Upstream is an upstream{} block: the peers a proxied request may go to.
type Upstream struct {
	Name      string
	peers     []*upstreamPeer
	keepalive int // idle connections kept, 0: none
	balancer  *luaHandler
	hash      opt[template]
	leastConn bool
	ipHash    bool

	mu   sync.Mutex
	idle []*upstreamConn
}

// upstreamPeer is one server of an upstream.
type upstreamPeer struct {
	addr        string // host:port or unix:/path, as written
	weight      int
	maxFails    int
	failTimeout time.Duration
	backup      bool
	down        bool

	// State of the smooth weighted round robin and of failures; guarded by
	// Upstream.mu.
	current int
	fails   int
	checked time.Time
	active  int
}

func upstreamDirectives() []directive {
	return []directive{
		{"upstream", inHTTP, take1 | takeBlock, setUpstream},
		{"server", inUpstream, takeMore1, setUpstreamServer},
		{"keepalive", inUpstream, take1, setUpstreamKeepalive},
		{"keepalive_requests", inUpstream, take1, ignored},
		{"keepalive_time", inUpstream, take1, ignored},
		{"keepalive_timeout", inUpstream, take1, ignored},
		{"zone", inUpstream, take12, ignored},
		{"least_conn", inUpstream, take0, func(c *compiler, _ *conf.Directive) error {
			c.upstream.leastConn = true
			return nil
		}},
		{"ip_hash", inUpstream, take0, func(c *compiler, _ *conf.Directive) error {
			c.upstream.ipHash = true
			return nil
		}},
		{"hash", inUpstream, take12, setTemplate(func(c *compiler) *opt[template] { return &c.upstream.hash })},
	}
}

func setUpstream(c *compiler, d *conf.Directive) error {
	name := d.Args[0]
	if c.cycle.upstreams[name] != nil {
		return fmt.Errorf("duplicate upstream \"%s\"", name)
	}
	u := &Upstream{Name: name}
	c.cycle.upstreams[name] = u
	if err := c.within(inUpstream, d, func() { c.upstream = u }); err != nil {
		return err
	}
	if len(u.peers) == 0 {
		return fmt.Errorf("no servers are inside upstream")
	}
	return nil
}

func setUpstreamServer(c *compiler, d *conf.Directive) error {
	p := &upstreamPeer{addr: d.Args[0], weight: 1, maxFails: 1, failTimeout: 10 * time.Second}
	if !strings.HasPrefix(p.addr, "unix:") {
		if _, _, err := net.SplitHostPort(p.addr); err != nil {
			p.addr = net.JoinHostPort(strings.Trim(p.addr, "[]"), "80")
		}
	}
	for _, arg := range d.Args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		n, isNumber := parseDecimal(value)
		ok := true
		switch key {
		case "weight":
			p.weight, ok = int(n), isNumber && n > 0
		case "max_fails":
			p.maxFails, ok = int(n), isNumber
		case "fail_timeout":
			p.failTimeout, ok = parseTime(value)
		case "max_conns":
			ok = isNumber
		case "backup":
			p.backup = true
		case "down":
			p.down = true
		default:
			ok = false
		}
		if !ok {
			return fmt.Errorf("invalid parameter \"%s\"", arg)
		}
	}
	c.upstream.peers = append(c.upstream.peers, p)
	return nil
}

func setUpstreamKeepalive(c *compiler, d *conf.Directive) error {
	n, ok := parseDecimal(d.Args[0])
	if !ok || n == 0 {
		return fmt.Errorf("invalid value \"%s\" in \"keepalive\" directive", d.Args[0])
	}
	c.upstream.keepalive = int(n)
	return nil
}

func setLuaBalancer(c *compiler, d *conf.Directive) error {
	h, err := c.luaHandler(d)
	if err != nil {
		return err
	}
	if c.upstream.balancer != nil {
		return errDuplicate
	}
	c.upstream.balancer = h
	return nil
}
