package cosocket

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A PeerAddr is what a host and a port mean, by nginx's rules for
// addresses (ngx_parse_url with no_resolve). A host may bring its own port, which then
// counts; Host keeps it when it is a name.
type PeerAddr struct {
	Unix bool // Host is the path of a unix domain socket
	Name bool // Host is a name that needs resolving; else it is an IP address
	Host string
	Port int
}

// maxUnixPath is the room for the path of a unix domain socket, with the NUL.
const maxUnixPath = 108

// ParsePeer reads a host. reason says what is wrong with it, "" for nothing.
func ParsePeer(host string, port int) (a PeerAddr, reason string) {
	switch {
	case isUnix(host):
		path := host[len("unix:"):]
		switch {
		case path == "":
			return a, "no path in the unix domain socket"
		case len(path)+1 > maxUnixPath:
			return a, "too long path in the unix domain socket"
		}
		return PeerAddr{Unix: true, Host: cString(path)}, ""
	case strings.HasPrefix(host, "["):
		return parseInet6(host[1:], port)
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
	a = PeerAddr{Host: host, Name: true, Port: port}
	if ip, ok := parseInet(name); ok {
		a.Host, a.Name = ip, false
	}
	return a, ""
}

// parseInet6 reads an address in brackets, of which the first is gone.
func parseInet6(text string, port int) (a PeerAddr, reason string) {
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
	return PeerAddr{Host: addr.String(), Port: port}, ""
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

// parseInet reads a dotted IPv4 address as nginx does: three dots with numbers up to
// 255 between them, which may have leading zeros or be missing. The broadcast address
// does not count as one (ngx_inet_addr).
func parseInet(text string) (string, bool) {
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

// dialAddress gives network and address for net.Dial; ip is what a name was resolved
// to, "" for a literal address.
func (a *PeerAddr) dialAddress(ip string) (network, address string) {
	switch {
	case a.Unix:
		return "unix", a.Host
	case ip == "":
		ip = a.Host
	}
	return "tcp", net.JoinHostPort(ip, strconv.Itoa(a.Port))
}

// cString is what C sees of a text: nothing from the first NUL on.
func cString(s string) string {
	before, _, _ := strings.Cut(s, "\x00")
	return before
}

// parseFailure is what connect and setpeername return for a host that is no address.
func parseFailure(host, reason string) string {
	return `failed to parse host name "` + cString(host) + `": ` + reason
}
