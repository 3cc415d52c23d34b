package upstream

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/inet"
)

// defaultFailTimeout is in seconds, as fail_timeout is.
const defaultFailTimeout = 10

// server is what a server directive says.
type server struct {
	Peer
	backup  bool
	resolve bool
	service string
}

// setServer reads server ADDRESS and its parameters (ngx_http_upstream_server).
func setServer(c *core.Compiler, d *conf.Directive) error {
	u := Server.At(c)
	s := server{Peer: Peer{server: d.Args[0], weight: 1, maxFails: 1, failTimeout: defaultFailTimeout}}
	for _, arg := range d.Args[1:] {
		if err := s.parameter(c.Cycle.Stack, u, arg); err != nil {
			return err
		}
	}
	if s.service != "" && !s.resolve {
		return fmt.Errorf("service upstream \"%s\" requires \"resolve\" parameter", s.server)
	}
	if s.resolve {
		if done, err := s.addName(u); done || err != nil {
			return err
		}
	}
	addrs, err := Addrs(c, d, s.server, "80", s.server)
	if err != nil {
		return err
	}
	set := &u.primary
	if s.backup {
		set = &u.backup
	}
	if addrs == nil { // the name is not known where this is built
		addrs = []string{s.server}
	}
	for _, addr := range addrs {
		one := s.Peer
		one.setAddr(addr)
		set.add(&one)
	}
	return nil
}

// parameter reads one of the server's.
func (s *server) parameter(stack *compat.Stack, u *Upstream, arg string) error {
	key, value, valued := strings.Cut(arg, "=")
	n, isNumber := ngxtext.ParseDecimal(value)
	ok := valued
	switch key {
	case "weight":
		s.weight, ok = int(n), ok && isNumber && n > 0
	case "max_fails":
		s.maxFails, ok = int(n), ok && isNumber
	case "max_conns":
		if u.Balancer != nil {
			return unsupported(arg)
		}
		s.maxConns, ok = int(n), ok && isNumber
	case "fail_timeout":
		wait, good := ngxtext.ParseSeconds(value)
		s.failTimeout, ok = int64(wait.Seconds()), ok && good
	case "route":
		switch ok = ok && stack.Has(compat.Sticky); {
		case ok && value == "":
			return fmt.Errorf("route is empty")
		case ok && len(value) > maxRoute:
			return fmt.Errorf("route is longer than %d", maxRoute)
		}
		s.sid = value
	case "service":
		if ok = ok && stack.Has(compat.ResolveServers); ok && value == "" {
			return fmt.Errorf("service is empty")
		}
		s.service = value
	case "backup":
		if ok = !valued; ok && u.noBackup {
			return unsupported(arg)
		}
		s.backup = true
	case "down":
		s.down, ok = down, !valued
	case "drain":
		s.down, ok = draining, !valued && stack.Has(compat.Sticky)
	case "resolve":
		s.resolve, ok = true, !valued && stack.Has(compat.ResolveServers)
	default:
		ok = false
	}
	if !ok {
		return invalidParameter(arg)
	}
	return nil
}

func unsupported(arg string) error {
	return fmt.Errorf("balancing method does not support parameter \"%s\"", arg)
}

// maxRoute is how long the name of a peer may be.
const maxRoute = 2 * md5.Size

// setAddr gives a peer its address, and a name that cookies may tell without telling
// that.
func (p *Peer) setAddr(addr string) {
	p.Addr = addr
	if p.sid == "" {
		sum := md5.Sum([]byte(addr))
		p.sid = hex.EncodeToString(sum[:])
	}
}

// addName takes a server in whose name is resolved while it is served. One that is an
// address already is none.
func (s *server) addName(u *Upstream) (done bool, err error) {
	a, reason := inet.Parse(s.server, 80)
	host, port := SplitHostPort(s.server)
	switch {
	case reason != "":
		return false, nil // complained of where addresses are
	case s.service != "" && port != "":
		return false, fmt.Errorf("service upstream \"%s\" may not have port", s.server)
	case s.service != "" && !a.Name:
		return false, fmt.Errorf("service upstream \"%s\" requires domain name", s.server)
	case !a.Name:
		return false, nil
	}
	u.names = append(u.names, &name{u: u, host: host, service: s.service, port: strconv.Itoa(a.Port), template: s.Peer, backup: s.backup})
	return true, nil
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
	n, _ := strconv.Atoi(port)
	a, reason := inet.Parse(server, n)
	switch {
	case reason != "":
		return nil, errors.New(reason)
	case a.Unix:
		return []string{server}, nil
	}
	port = strconv.Itoa(a.Port)
	if !a.Name {
		return []string{net.JoinHostPort(a.Host, port)}, nil
	}
	host, _ := SplitHostPort(a.Host)
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
		u.primary.add(&Peer{server: name, Addr: addr, weight: 1, maxFails: 1, failTimeout: defaultFailTimeout})
	}
	return u
}
