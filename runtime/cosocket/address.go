package cosocket

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A peerAddr is what the host and port that a script gave mean, by nginx's rules for
// addresses (ngx_parse_url with no_resolve). A host may bring its own port, which
// then counts.
type peerAddr struct {
	unix bool
	host string // literal IP address, socket path, or name that needs resolving
	name bool   // host is a name
	port int
}

// maxUnixPath is the room for the path of a unix domain socket, with the NUL.
const maxUnixPath = 108

// parsePeer reads a host. reason says what is wrong with it, "" for nothing.
func parsePeer(host string, port int) (a peerAddr, reason string) {
	switch {
	case isUnix(host):
		path := host[len("unix:"):]
		switch {
		case path == "":
			return a, "no path in the unix domain socket"
		case len(path)+1 > maxUnixPath:
			return a, "too long path in the unix domain socket"
		}
		return peerAddr{unix: true, host: cString(path)}, ""
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
	a = peerAddr{host: host, name: true, port: port}
	if ip, ok := parseInet(name); ok {
		a.host, a.name = ip, false
	}
	return a, ""
}

// parseInet6 reads an address in brackets, of which the first is gone.
func parseInet6(text string, port int) (a peerAddr, reason string) {
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
	return peerAddr{host: addr.String(), port: port}, ""
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
func (a *peerAddr) dialAddress(ip string) (network, address string) {
	switch {
	case a.unix:
		return "unix", a.host
	case ip == "":
		ip = a.host
	}
	return "tcp", net.JoinHostPort(ip, strconv.Itoa(a.port))
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
