package core

import (
	"net"
	"net/netip"
	"strings"
)

// ParsePrefix reads an address or a network in CIDR form.
func ParsePrefix(s string) (netip.Prefix, error) {
	if addr, bits, ok := strings.Cut(s, "/"); ok {
		return netip.ParsePrefix(addr + "/" + trimZeros(bits))
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// trimZeros takes leading zeros from a number.
func trimZeros(s string) string {
	if trimmed := strings.TrimLeft(s, "0"); trimmed != "" || s == "" {
		return trimmed
	}
	return "0"
}

// ClientAddr is the client's address in a form that networks can be compared
// with.
func ClientAddr(conn Downstream) (addr netip.Addr, isUnix bool) {
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

// AddrHost is the address without the port, "unix:" for a unix socket.
func AddrHost(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:"
	}
	host, _ := SplitAddr(a.String())
	return strings.Trim(host, "[]")
}

func addrPort(a net.Addr) string {
	if a.Network() == "unix" {
		return ""
	}
	_, port := SplitAddr(a.String())
	return port
}
