package phases

import (
	"bufio"
	"context"
	"errors"
	"hash/crc32"
	"net"
	"strings"
	"syscall"
	"time"
)

// upstreamState is what a request notes about its upstream.
type upstreamState struct {
	target *proxyTarget
	name   string // "http://127.0.0.1:81/uri", for log lines
	action string // what is being done, for log lines

	// For the $upstream_* variables: one item an attempt.
	addrs, statuses, times, lengths string
	headers                         Headers

	// What balancer_by_lua decides.
	Peer       string // host:port of the next attempt, "" for the upstream's own choice
	moreTries  int    // further attempts it grants
	lastStatus int    // of the attempt that failed, 0 before any
	lastReason string // "failed", or "next" for a response that was refused
	tries      int    // attempts so far
	rebuild    bool   // the request is to be made anew
	connect    time.Duration
	send, read time.Duration
}

// upstreamConn is a connection to an upstream.
type upstreamConn struct {
	net.Conn
	rd   *bufio.Reader
	addr string
	used int // requests sent on it before
}

// singleUpstream is the upstream of a plain address.
func singleUpstream(host, port string) *Upstream {
	addr := host
	if !strings.HasPrefix(host, "unix:") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			addr = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
	}
	return &Upstream{Name: host, peers: []*upstreamPeer{{addr: addr, weight: 1}}}
}

// errNoPeers says that all peers of an upstream are down or were tried.
var errNoPeers = errors.New("no live upstreams")

// pick chooses a peer that was not tried yet: by hash, least connections or
// smooth weighted round robin, backups last.
func (u *Upstream) pick(r *Request, tried map[*upstreamPeer]bool) (*upstreamPeer, error) {
	if len(u.peers) == 1 {
		if tried[u.peers[0]] {
			return nil, errNoPeers
		}
		return u.peers[0], nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for _, backup := range []bool{false, true} {
		var list []*upstreamPeer
		for _, p := range u.peers {
			blocked := p.maxFails > 0 && p.fails >= p.maxFails && now.Sub(p.checked) <= p.failTimeout
			if p.backup == backup && !p.down && !tried[p] && !blocked {
				list = append(list, p)
			}
		}
		if len(list) > 0 {
			p := u.among(r, list)
			p.active++
			return p, nil
		}
	}
	return nil, errNoPeers
}

// among chooses one of the peers that can be used.
func (u *Upstream) among(r *Request, list []*upstreamPeer) *upstreamPeer {
	key := ""
	switch {
	case u.hash.set:
		key = u.hash.v.eval(r)
	case u.ipHash:
		key = addrHost(r.Main.Conn.RemoteAddr())
	}
	if key != "" {
		total := 0
		for _, p := range list {
			total += p.weight
		}
		at := int(crc32.ChecksumIEEE([]byte(key))>>16&0x7fff) % total
		for _, p := range list {
			if at -= p.weight; at < 0 {
				return p
			}
		}
	}
	var best *upstreamPeer
	total := 0
	for _, p := range list {
		p.current += p.weight
		total += p.weight
		if best == nil || u.leastConn && p.active*best.weight < best.active*p.weight ||
			!u.leastConn && p.current > best.current {
			best = p
		}
	}
	best.current -= total
	return best
}

// done notes how an attempt at a peer ended.
func (u *Upstream) done(p *upstreamPeer, failed bool) {
	if p == nil || len(u.peers) == 1 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	p.active--
	if failed {
		p.fails++
		p.checked = time.Now()
	} else if p.fails > 0 && time.Since(p.checked) > p.failTimeout {
		p.fails = 0
	}
}

// takeIdle gets a kept connection to addr, nil when there is none.
func (u *Upstream) takeIdle(addr string) *upstreamConn {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := len(u.idle) - 1; i >= 0; i-- {
		if c := u.idle[i]; c.addr == addr {
			u.idle = append(u.idle[:i], u.idle[i+1:]...)
			return c
		}
	}
	return nil
}

// keep stores a connection for reuse, or closes it when enough are kept.
func (u *Upstream) keep(c *upstreamConn) {
	c.SetDeadline(time.Time{})
	c.used++
	u.mu.Lock()
	var drop *upstreamConn
	u.idle = append(u.idle, c)
	if len(u.idle) > u.keepalive {
		drop = u.idle[0]
		u.idle = u.idle[1:]
	}
	u.mu.Unlock()
	if drop != nil {
		drop.Close()
	}
}

// dialUpstream connects to addr, by TLS when the target says so.
func (r *Request) dialUpstream(t *proxyTarget, addr string, timeout time.Duration) (*upstreamConn, error) {
	network, where := "tcp", addr
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, where = "unix", path
	}
	d := net.Dialer{Timeout: timeout}
	if rc := r.Loc.resolver.v; rc != nil && len(rc.Servers) > 0 && !t.vars.isStatic() {
		d.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, rc.Servers[0])
		}}
	}
	nc, err := r.Cycle.slots.Dial(func() (net.Conn, error) { return d.Dial(network, where) })
	if err != nil {
		return nil, err
	}
	if t.tls {
		if nc, err = r.upstreamTLS(t, nc, timeout); err != nil {
			return nil, err
		}
	}
	return &upstreamConn{Conn: nc, rd: bufio.NewReaderSize(nc, 4096), addr: addr}, nil
}

// isTimeout reports whether err is a deadline that passed.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// sysText words a network error as nginx logs it: "(111: Connection refused)".
func sysText(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return "(" + itoa(int64(errno)) + ": " + errnoText(errno) + ")"
	}
	return "(" + err.Error() + ")"
}

func upstreamHeaderVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if r.upstream == nil {
			return "", false
		}
		return headerByVar(r.upstream.headers, name, ", ")
	}
}

func upstreamVar(f func(u *upstreamState) string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if r.upstream == nil {
			return "", false
		}
		v := f(r.upstream)
		return v, v != ""
	}
}
