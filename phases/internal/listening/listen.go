// Package listening reads what stands behind listen: addresses and the options of their
// sockets.
package listening

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Options are what listen says of an address's socket.
type Options struct {
	Backlog   int // 0: the system's
	Rcvbuf    int // bytes; 0: the system's
	Sndbuf    int
	FastOpen  int  // length of its queue; 0: none
	Deferred  bool // accept only what has sent something
	ReusePort bool
	DualStack bool // ipv6only=off: the address takes IPv4 connections too
	KeepAlive KeepAlive
}

// KeepAlive is so_keepalive: probes on idle connections. Times of 0 and a count
// of 0 leave what the system says.
type KeepAlive struct {
	On, Set        bool
	Idle, Interval time.Duration
	Count          int
}

// Read takes a parameter that is about the socket.
func (o *Options) Read(arg string) error {
	key, value, given := strings.Cut(arg, "=")
	var ok bool
	switch {
	case arg == "bind": // each address has a socket of its own anyway
		return nil
	case arg == "deferred":
		o.Deferred = true
		return nil
	case arg == "reuseport":
		o.ReusePort = true
		return nil
	case arg == "ipv6only=on", arg == "ipv6only=off":
		o.DualStack = value == "off"
		return nil
	case key == "ipv6only" && strings.HasPrefix(value, "o"):
		return fmt.Errorf("invalid ipv6only flags \"%s\"", value)
	case key == "so_keepalive" && given:
		if o.KeepAlive, ok = parseKeepAlive(value); !ok {
			return fmt.Errorf("invalid so_keepalive value: \"%s\"", value)
		}
		return nil
	case !given:
		return fmt.Errorf("invalid parameter \"%s\"", arg)
	}
	var n int64 // of the kernel's, which are 32 bits wide
	switch key {
	case "backlog":
		n, ok = ngxtext.ParseDecimal(value)
		o.Backlog, ok = int(n), ok && n > 0
	case "fastopen":
		n, ok = ngxtext.ParseDecimal(value)
		o.FastOpen = int(n)
	case "rcvbuf":
		n, ok = ngxtext.ParseSize(value, false)
		o.Rcvbuf = int(n)
	case "sndbuf":
		n, ok = ngxtext.ParseSize(value, false)
		o.Sndbuf = int(n)
	default:
		return fmt.Errorf("invalid parameter \"%s\"", arg)
	}
	if !ok || n > math.MaxInt32 {
		return fmt.Errorf("invalid %s \"%s\"", key, arg)
	}
	return nil
}

// parseKeepAlive reads "on", "off" or "IDLE:INTERVAL:COUNT", of which at least one
// is given and no 0.
func parseKeepAlive(s string) (k KeepAlive, ok bool) {
	k.Set = true
	switch s {
	case "on":
		k.On = true
		return k, true
	case "off":
		return k, true
	}
	k.On = true
	parts := strings.SplitN(s+"::", ":", 4)
	for i, t := range []*time.Duration{&k.Idle, &k.Interval} {
		if parts[i] == "" {
			continue
		}
		if *t, ok = ngxtext.ParseSeconds(parts[i]); !ok || *t > math.MaxInt32*time.Second {
			return k, false
		}
	}
	if count := strings.TrimSuffix(parts[2], "::"); count != "" {
		n, ok := ngxtext.ParseDecimal(count)
		if !ok || n > math.MaxInt32 {
			return k, false
		}
		k.Count = int(n)
	}
	return k, k.Idle != 0 || k.Interval != 0 || k.Count != 0
}

// Addrs gives the addresses that a listen directive names: "80",
// "127.0.0.1:80", "*:80-82", "[::]:80", "localhost", "unix:/path".
func Addrs(s string) ([]string, error) {
	bad := func(what string) ([]string, error) {
		return nil, fmt.Errorf("%s in \"%s\" of the \"listen\" directive", what, s)
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return bad("no path in the unix domain socket")
		}
		return []string{s}, nil
	}
	host, ports := s, "80"
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return bad("invalid host")
		}
		if host, ports = s[1:end], s[end+1:]; ports == "" {
			ports = ":80"
		}
		switch {
		case ports[0] != ':':
			return bad("invalid host")
		case net.ParseIP(host) == nil:
			return bad("invalid IPv6 address")
		}
		ports = ports[1:]
	} else {
		if strings.Contains(s, "/") {
			return bad("invalid host")
		}
		if at := strings.IndexByte(s, ':'); at == 0 && !strings.HasPrefix(s, "::") {
			return bad("no host")
		} else if at >= 0 {
			host, ports = s[:at], s[at+1:]
		} else if isPorts(s) {
			host, ports = "*", s
		}
	}
	first, last, errText := parsePorts(ports)
	if errText != "" {
		return bad(errText)
	}
	hosts := []string{host}
	switch {
	case host == "*":
		hosts[0] = "0.0.0.0"
	case net.ParseIP(host) == nil:
		if hosts = lookupIPv4(host); hosts == nil {
			return bad("host not found")
		}
	}
	var addrs []string
	for _, host := range hosts {
		for port := first; port <= last; port++ {
			addrs = append(addrs, net.JoinHostPort(host, strconv.Itoa(port)))
		}
	}
	return addrs, nil
}

// isPorts tells whether a listen directive names only a port, or two.
func isPorts(s string) bool {
	first, last, isRange := strings.Cut(s, "-")
	_, ok := ngxtext.ParseDecimal(first)
	if isRange && ok {
		_, ok = ngxtext.ParseDecimal(last)
	}
	return ok
}

// parsePorts reads a port or a range of them; problem is what is wrong with it.
func parsePorts(s string) (first, last int, problem string) {
	port := func(s string) int {
		n, ok := ngxtext.ParseDecimal(s)
		if !ok || n > 65535 {
			return 0
		}
		return int(n)
	}
	from, to, isRange := strings.Cut(s, "-")
	first = port(from)
	if last = first; isRange {
		last = port(to)
	}
	switch {
	case first == 0 || last == 0:
		return 0, 0, "invalid port"
	case last < first:
		return 0, 0, "invalid port range"
	}
	return first, last, ""
}

// lookupIPv4 gives the IPv4 addresses of a name.
func lookupIPv4(host string) []string {
	found, err := net.LookupHost(host)
	if err != nil {
		return nil
	}
	var list []string
	for _, addr := range found {
		if ip := net.ParseIP(addr); ip.To4() != nil {
			list = append(list, addr)
		}
	}
	if list == nil {
		return found
	}
	return list
}
