package upstream

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// bind is the local address of connections to upstreams; the zero value is
// bind off.
type bind struct {
	value       core.Template
	transparent bool // it need not be ours
}

// setBind reads bind ADDRESS [transparent] | off.
func (f *Family) setBind(at func(c *core.Compiler) *Config) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		field := &at(c).bind
		if field.Set {
			return core.ErrDuplicate
		}
		if len(d.Args) == 1 && d.Args[0] == "off" {
			return field.Put(bind{})
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
		if len(d.Args) == 2 && d.Args[1] != "transparent" {
			return invalidParameter(d.Args[1])
		}
		return field.Put(bind{t, len(d.Args) == 2})
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

// control prepares a socket for an address that is not ours.
func (b *bind) control(network, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = setTransparent(int(fd), network == "tcp6") })
	if failed != nil {
		return transparentError{failed}
	}
	return err
}

// transparentError is a socket that could not be prepared.
type transparentError struct{ error }

func (e transparentError) Unwrap() error { return e.error }

// isTransparent tells such an error from others.
func isTransparent(err error) bool { return errors.As(err, new(transparentError)) }

// localAddr reads an address, with or without a port (ngx_parse_addr_port).
func localAddr(text string) (addr net.Addr, ok bool) {
	host, port := text, ""
	if ip := net.ParseIP(text); ip == nil {
		if host, port = SplitHostPort(text); port == "" {
			return nil, false
		}
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	ip := net.ParseIP(host)
	n, number := ngxtext.ParseDecimal(port)
	if ip == nil || port != "" && (!number || n < 1 || n > 65535) {
		return nil, false
	}
	return &net.TCPAddr{IP: ip, Port: int(n)}, true
}
