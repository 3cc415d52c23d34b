package core

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/listening"
)

// listenOptions are the parameters of one listen directive.
type listenOptions struct {
	isDefault bool
	tls       bool
	http2     bool
	proxy     bool
	socket    listening.Options
	set       bool // a parameter of the socket was written
}

// setListen reads listen ADDRESS[-PORT] PARAMETER...
func setListen(c *Compiler, d *conf.Directive) error {
	addrs, err := listening.Addrs(d.Args[0])
	if err != nil {
		return err
	}
	var o listenOptions
	for _, arg := range d.Args[1:] {
		if strings.HasPrefix(arg, "accept_filter=") {
			c.Logf(errlog.Emerg, d, "accept filters \"%s\" are not supported on this platform, ignored", arg)
			continue
		}
		if err := o.read(arg); err != nil {
			return err
		}
	}
	if o.http2 && c.Cycle.Stack.Has(compat.HTTP2Directive) {
		c.Warnf(d, "the \"listen ... http2\" directive is deprecated, use the \"http2\" directive instead")
	}
	for _, addr := range addrs {
		if err := c.listen(c.Srv, addr, o); err != nil {
			return err
		}
	}
	return nil
}

// read takes one parameter.
func (o *listenOptions) read(arg string) error {
	switch arg {
	case "default_server", "default":
		o.isDefault = true
		return nil
	case "ssl":
		o.tls = true
		return nil
	case "http2":
		o.http2 = true
		return nil
	case "proxy_protocol":
		o.proxy = true
		return nil
	}
	o.set = true
	return o.socket.Read(arg)
}

// listen puts s on an address.
func (c *Compiler) listen(s *Server, addr string, o listenOptions) error {
	s.listens++
	for _, l := range c.Cycle.Listens {
		if l.Addr != addr {
			continue
		}
		for _, other := range l.servers {
			if other == s {
				return fmt.Errorf("a duplicate listen %s", addr)
			}
		}
		if o.set {
			if l.socketSet {
				return fmt.Errorf("duplicate listen options for %s", addr)
			}
			l.Socket, l.socketSet = o.socket, true
		}
		l.servers = append(l.servers, s)
		if o.isDefault {
			if l.explicit {
				return fmt.Errorf("a duplicate default server for %s", addr)
			}
			l.explicit, l.Default = true, s
		}
		l.TLS, l.HTTP2, l.Proxy = l.TLS || o.tls, l.HTTP2 || o.http2, l.Proxy || o.proxy
		return nil
	}
	c.Cycle.Listens = append(c.Cycle.Listens, &Listen{
		Addr: addr, TLS: o.tls, HTTP2: o.http2, Proxy: o.proxy, Socket: o.socket, socketSet: o.set,
		Default: s, explicit: o.isDefault, servers: []*Server{s},
	})
	return nil
}
