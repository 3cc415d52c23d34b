package core

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/runtime/inet"
)

// ClientAddr is the address of the client: the connection's, unless another one was
// found to stand behind it (r->connection->sockaddr).
func (r *Request) ClientAddr() net.Addr {
	m := r.Main
	if m == nil {
		m = r
	}
	if m.client != nil {
		return m.client
	}
	return m.Conn.RemoteAddr()
}

// SetClientAddr puts an address in the place of the connection's, for the main request
// and its subrequests. The next request on the connection begins with its own again.
func (r *Request) SetClientAddr(a netip.AddrPort) { r.Main.client = foundAddr(a) }

// foundAddr is an address that a request has told of itself. Unlike a net.TCPAddr it
// keeps IPv4 within IPv6 as what it is.
type foundAddr netip.AddrPort

func (foundAddr) Network() string { return "tcp" }

func (a foundAddr) String() string {
	ap := netip.AddrPort(a)
	return net.JoinHostPort(inet.Text(ap.Addr()), strconv.Itoa(int(ap.Port())))
}

// ClientIP is the client's address as a number; it is not valid for a unix socket and
// where only a text is known that is none.
func (r *Request) ClientIP() (addr netip.Addr, isUnix bool) {
	remote := r.ClientAddr()
	if a, ok := remote.(foundAddr); ok {
		return netip.AddrPort(a).Addr(), false
	}
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

// AddrPort is the port of an address, "" when it has none.
func AddrPort(a net.Addr) string {
	if a.Network() == "unix" {
		return ""
	}
	_, port := SplitAddr(a.String())
	if port == "0" { // an address without one
		return ""
	}
	return port
}
