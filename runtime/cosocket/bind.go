package cosocket

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/inet"
)

// bind is tcpsock:bind(address, port?): where later connections come from.
func (l *Lib) bind(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n != 2 && n != 3 {
		th.Errorf("expecting 2 or 3 arguments, but got %d", n)
	}
	l.enter(th)
	h := l.Host(th)
	t := th.CheckTable(args, 0)
	port := 0
	if len(args) == 3 {
		if !isNumeric(args[2]) {
			return fail(th, "expecting port to be anumber but got type: "+rt.TypeName(args[2]))
		}
		if port = int(int32(toInt(args[2]))); port < 0 || port > 65535 {
			return fail(th, "bad port number: "+strconv.Itoa(port))
		}
	}
	ip, ok := parseIP(th.CheckString(args, 1))
	if !ok {
		return fail(th, "bad address")
	}
	if h.Logs(Debug) {
		h.Log(Debug, "lua tcp socket bind ip: "+ip)
	}
	t.SetInt(atBind, rt.NewUserdata(net.JoinHostPort(ip, strconv.Itoa(port)), nil))
	return rt.True, 1
}

// parseIP reads an address without a port; that of IPv6 may stand in brackets
// (ngx_parse_addr).
func parseIP(text string) (string, bool) {
	if ip, ok := inet.ParseIPv4(text); ok {
		return ip, true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(inner, "]"); !ok {
			return "", false
		}
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || !ip.Is6() || ip.Zone() != "" {
		return "", false
	}
	return ip.String(), true
}

// localTCP is the address of bind for a TCP connection, nil for any.
func localTCP(text string) net.Addr {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return net.TCPAddrFromAddrPort(a)
	}
	return nil
}
