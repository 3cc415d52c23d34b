package phases

import (
	"fmt"
	"net"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// proxyBind is the local address of connections to upstreams; the zero value is
// proxy_bind off.
type proxyBind struct{ value template }

func setProxyBind(c *compiler, d *conf.Directive) error {
	if len(d.Args) == 2 {
		if d.Args[1] != "transparent" {
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[1])
		}
		return fmt.Errorf("\"proxy_bind\" directive is not supported with \"transparent\"")
	}
	if d.Args[0] == "off" {
		return proxyLoc.at(c).bind.put(proxyBind{})
	}
	t, err := c.template(d.Args[0])
	if err != nil {
		return err
	}
	if t.isStatic() {
		if _, ok := localAddr(t.lit); !ok {
			return fmt.Errorf("invalid address \"%s\"", t.lit)
		}
	}
	return proxyLoc.at(c).bind.put(proxyBind{t})
}

// address is the local address for a request, nil for any.
func (b *proxyBind) address(r *Request) net.Addr {
	text := b.value.eval(r)
	if text == "" {
		return nil
	}
	addr, ok := localAddr(text)
	if !ok {
		r.Logf(errlog.Err, "invalid local address \"%s\"", text)
		return nil
	}
	return addr
}

// localAddr reads an address, with or without a port.
func localAddr(text string) (addr net.Addr, ok bool) {
	host, port := splitHostPort(text)
	if net.ParseIP(text) != nil {
		host, port = text, ""
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	n, ok := parseDecimal(port)
	given := port != "" || strings.HasSuffix(text, ":") && net.ParseIP(text) == nil
	if ip == nil || given && (!ok || n < 1 || n > 65535) {
		return nil, false
	}
	return &net.TCPAddr{IP: ip, Port: int(n)}, true
}
