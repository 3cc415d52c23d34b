// Package inet reads network addresses by nginx's rules (ngx_inet.c).
package inet

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An Addr is what a host and a port mean (ngx_parse_url with no_resolve). A host may
// bring its own port, which then counts; Host keeps it when it is a name.
type Addr struct {
	Unix bool // Host is the path of a unix domain socket
	Name bool // Host is a name that needs resolving; else it is an IP address
	Host string
	Port int
}

// maxUnixPath is the room for the path of a unix domain socket, with the NUL.
const maxUnixPath = 108

// Parse reads a host; port is that of one that brings none. reason says what is wrong
// with it, "" for nothing.
func Parse(host string, port int) (a Addr, reason string) {
	switch {
	case IsUnix(host):
		path := host[len("unix:"):]
		switch {
		case path == "":
			return a, "no path in the unix domain socket"
		case len(path)+1 > maxUnixPath:
			return a, "too long path in the unix domain socket"
		}
		return Addr{Unix: true, Host: CString(path)}, ""
	case strings.HasPrefix(host, "["):
		return parseIPv6(host[1:], port)
	}
	if strings.ContainsAny(host, "/?") {
		return a, "invalid host"
	}
	name, text, own := strings.Cut(host, ":")
	if own {
		if port = portNumber(text); port == 0 {
			return a, "invalid port"
		}
	}
	if name == "" {
		return a, "no host"
	}
	a = Addr{Host: host, Name: true, Port: port}
	if ip, ok := ParseIPv4(name); ok {
		a.Host, a.Name = ip, false
	}
	return a, ""
}

// IsUnix reports whether a host stands for a unix domain socket.
func IsUnix(host string) bool { return len(host) >= 5 && strings.EqualFold(host[:5], "unix:") }

// parseIPv6 reads an address in brackets, of which the first is gone.
func parseIPv6(text string, port int) (a Addr, reason string) {
	ip, rest, closed := strings.Cut(text, "]")
	switch {
	case !closed, strings.Contains(rest, "/"), rest != "" && rest[0] != ':':
		return a, "invalid host"
	case rest != "":
		if port = portNumber(rest[1:]); port == 0 {
			return a, "invalid port"
		}
	}
	if ip == "" {
		return a, "no host"
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return a, "invalid IPv6 address"
	}
	return Addr{Host: addr.String(), Port: port}, ""
}

// portNumber reads a port within an address, 0 for none.
func portNumber(text string) int {
	n := 0
	for _, c := range []byte(text) {
		if n = n*10 + int(c-'0'); c < '0' || c > '9' || n > 65535 {
			return 0
		}
	}
	return n
}

// ParseIPv4 reads a dotted IPv4 address as nginx does: three dots with numbers up to
// 255 between them, which may have leading zeros or be missing. The broadcast address
// does not count as one (ngx_inet_addr).
func ParseIPv4(text string) (string, bool) {
	var octets [4]byte
	dots, octet := 0, 0
	for _, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9':
			if octet = octet*10 + int(c-'0'); octet > 255 {
				return "", false
			}
		case c == '.' && dots < 3:
			octets[dots], octet = byte(octet), 0
			dots++
		default:
			return "", false
		}
	}
	octets[3] = byte(octet)
	if dots != 3 || octets == [4]byte{255, 255, 255, 255} {
		return "", false
	}
	return netip.AddrFrom4(octets).String(), true
}

// Dial gives network and address for net.Dial; ip is what a name was resolved to, ""
// for a literal address.
func (a *Addr) Dial(ip string) (network, address string) {
	switch {
	case a.Unix:
		return "unix", a.Host
	case ip == "":
		ip = a.Host
	}
	return "tcp", net.JoinHostPort(ip, strconv.Itoa(a.Port))
}

// CString is what C sees of a text: nothing from the first NUL on.
func CString(s string) string {
	before, _, _ := strings.Cut(s, "\x00")
	return before
}
