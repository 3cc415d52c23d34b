package upstream

import (
	"fmt"
	"net"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// bind is the local address of connections to upstreams; the zero value is
// bind off.
type bind struct{ value core.Template }

// setBind reads bind ADDRESS [transparent] | off.
func (f *Family) setBind(at func(c *core.Compiler) *Config) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		if len(d.Args) == 2 {
			if d.Args[1] != "transparent" {
				return fmt.Errorf("invalid parameter \"%s\"", d.Args[1])
			}
			return fmt.Errorf("\"%s\" directive is not supported with \"transparent\"", d.Name)
		}
		if d.Args[0] == "off" {
			return at(c).bind.Put(bind{})
		}
		t, err := c.Template(d.Args[0])
		if err != nil {
			return err
		}
		if t.IsStatic() {
			if _, ok := localAddr(t.Lit); !ok {
				return fmt.Errorf("invalid address \"%s\"", t.Lit)
			}
		}
		return at(c).bind.Put(bind{t})
	}
}

// address is the local address for a request, nil for any.
func (b *bind) address(r *core.Request) net.Addr {
	text := b.value.Eval(r)
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
	host, port := SplitHostPort(text)
	if net.ParseIP(text) != nil {
		host, port = text, ""
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	n, ok := ngxtext.ParseDecimal(port)
	given := port != "" || strings.HasSuffix(text, ":") && net.ParseIP(text) == nil
	if ip == nil || given && (!ok || n < 1 || n > 65535) {
		return nil, false
	}
	return &net.TCPAddr{IP: ip, Port: int(n)}, true
}
