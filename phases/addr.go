package phases

import (
	"net/netip"
	"strings"
)

// parsePrefix reads an address or a network in CIDR form.
func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// clientAddr is the client's address in a form that networks can be compared
// with.
func clientAddr(conn Downstream) (addr netip.Addr, isUnix bool) {
	remote := conn.RemoteAddr()
	if remote.Network() == "unix" {
		return netip.Addr{}, true
	}
	ap, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return netip.Addr{}, false
	}
	return ap.Addr().Unmap().WithZone(""), false
}
