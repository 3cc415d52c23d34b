package inet

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// Text writes an address as nginx does. Unlike Go it writes the end of an IPv6 address
// whose beginning is zero as an IPv4 one (ngx_inet6_ntop).
func Text(a netip.Addr) string {
	if !a.Is6() || a.Is4In6() {
		return a.String()
	}
	b := a.As16()
	if binary.BigEndian.Uint64(b[:]) != 0 || binary.BigEndian.Uint32(b[8:]) != 0 {
		return a.String()
	}
	if b[12] == 0 && b[13] == 0 && (b[14] == 0 || b[15] == 1) {
		return a.String()
	}
	return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
}

// ParseIP reads an IPv4 address as ParseIPv4 does, or an IPv6 one without a zone
// (ngx_parse_addr).
func ParseIP(text string) (netip.Addr, bool) {
	if ip, ok := ParseIPv4(text); ok {
		text = ip
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4() && text == "255.255.255.255" {
		return netip.Addr{}, false
	}
	return a, true
}

// ParseIPPort reads an address that may have a port; 0 is that of one without.
// Brackets are only for one with a port (ngx_parse_addr_port).
func ParseIPPort(text string) (ap netip.AddrPort, ok bool) {
	if a, ok := ParseIP(text); ok {
		return netip.AddrPortFrom(a, 0), true
	}
	host, port, ok := cutPort(text)
	n := portNumber(port)
	if !ok || n == 0 {
		return netip.AddrPort{}, false
	}
	a, ok := ParseIP(host)
	return netip.AddrPortFrom(a, uint16(n)), ok
}

// cutPort parts an address, in brackets or not, from the port behind it.
func cutPort(text string) (host, port string, ok bool) {
	if strings.HasPrefix(text, "[") {
		return strings.Cut(text[1:], "]:")
	}
	return strings.Cut(text, ":")
}

// ParseCIDR reads an address or a network. The address of a network may have bits that
// its mask leaves out: Masked is without them (ngx_ptocidr).
func ParseCIDR(text string) (netip.Prefix, bool) {
	host, bits, some := strings.Cut(text, "/")
	a, ok := ParseIP(host)
	if !ok || !some {
		return netip.PrefixFrom(a, a.BitLen()), ok
	}
	n, err := strconv.ParseUint(bits, 10, 31)
	if err != nil || int(n) > a.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, int(n)), true
}
