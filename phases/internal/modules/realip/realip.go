// Package realip is ngx_http_realip_module: what a trusted proxy says of its client
// takes the place of its own address.
package realip

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/forwarded"
	"github.com/moonphase/moonphase/runtime/inet"
)

// Module is ngx_http_realip_module.
var Module = &core.Module{
	Name: "realip",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "set_real_ip_from", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setFrom},
			{Name: "real_ip_header", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setHeader},
			{Name: "real_ip_recursive", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(
				core.In(loc, func(c *config) *core.Opt[bool] { return &c.recursive }))},
		}
	},
	Variables: func() []core.Variable {
		return []core.Variable{
			{Name: "realip_remote_addr", Get: core.Always(func(r *core.Request) string { return core.AddrHost(peer(r)) })},
			{Name: "realip_remote_port", Get: core.Always(func(r *core.Request) string { return core.AddrPort(peer(r)) })},
		}
	},
	Conf: []core.ConfSlot{loc},
	Detach: func(main, twin *core.Request) {
		if c := note.Get(main); c != nil {
			*note.Of(twin) = *c
		}
	},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).from != nil {
			b.Handle(core.PostReadPhase, handler)
			b.Handle(core.PreaccessPhase, handler)
		}
	},
}

var (
	loc  = core.NewLocSlot(merge)
	note = core.NewNote[change](nil) // of the main request
)

// change tells that a request has changed the client's address. The connection still
// knows its own.
type change struct{ by *core.Request }

// changed tells whether r can see that the address was changed: by itself, or, where
// it has gone elsewhere, by anybody (ngx_http_realip_get_module_ctx).
func changed(r *core.Request) bool {
	c := note.Get(r.Main)
	return c != nil && (c.by == r || r.Internal || r.FilterFinalized)
}

// peer is the address that the client had before.
func peer(r *core.Request) net.Addr {
	if changed(r) {
		return r.Main.Conn.RemoteAddr()
	}
	return r.ClientAddr()
}

// config is what the directives say in a location.
type config struct {
	from      []forwarded.Proxy
	header    core.Opt[string] // as written
	recursive core.Opt[bool]
}

// The values of real_ip_header that are no field's name, or that of one which nginx
// keeps apart. They are looked at as written.
const (
	realIP       = "X-Real-IP"
	forwardedFor = forwarded.For // its lines make one list
	proxied      = "proxy_protocol"
)

func merge(c, outer *config, _ bool) {
	if c.from == nil {
		c.from = outer.from
	}
	c.header.Merge(outer.header, realIP)
	c.recursive.Merge(outer.recursive, false)
}

// setFrom reads set_real_ip_from ADDRESS | CIDR | unix: | NAME.
func setFrom(c *core.Compiler, d *conf.Directive) error {
	own, arg := loc.At(c), d.Args[0]
	if arg == "unix:" {
		own.from = append(own.from, forwarded.Proxy{Unix: true})
		return nil
	}
	if p, ok := inet.ParseCIDR(arg); ok {
		if p.Masked() != p {
			c.Warnf(d, "low address bits of %s are meaningless", arg)
		}
		own.from = append(own.from, forwarded.Proxy{Prefix: p.Masked()})
		return nil
	}
	found, err := net.LookupHost(arg)
	if err != nil {
		return c.Missing(d, "host not found in %s \"%s\"", d.Name, arg)
	}
	for _, text := range found {
		if a, err := netip.ParseAddr(text); err == nil {
			a = a.Unmap().WithZone("")
			own.from = append(own.from, forwarded.Proxy{Prefix: netip.PrefixFrom(a, a.BitLen())})
		}
	}
	return nil
}

// setHeader reads real_ip_header X-Real-IP | X-Forwarded-For | FIELD | proxy_protocol.
func setHeader(c *core.Compiler, d *conf.Directive) error {
	f := &loc.At(c).header
	if f.Set {
		return core.ErrDuplicate
	}
	return f.Put(d.Args[0])
}

// handler gives the request the address that a trusted client tells of, once
// (ngx_http_realip_handler).
func handler(r *core.Request) int {
	if changed(r) {
		return core.Declined
	}
	c := loc.Of(r.Loc)
	w := forwarded.Walk{Trusted: c.from, Recursive: c.recursive.V}
	w.IP, w.Unix = r.ClientIP()
	var port uint16
	switch c.header.V {
	case forwardedFor:
		w.Lists(r.In)
	case proxied:
		conn, ok := r.Downstream().(core.ClaimedConn)
		if !ok || conn.Claim() == nil || conn.Claim().Addr == "" {
			return core.Declined
		}
		w.List(conn.Claim().Addr)
		n, _ := strconv.ParseUint(conn.Claim().Port, 10, 16)
		port = uint16(n)
	default:
		value, ok := r.In.Get(c.header.V)
		if !ok {
			return core.Declined
		}
		w.List(value)
	}
	if !w.Moved {
		return core.Declined
	}
	if port == 0 {
		port = w.Port
	}
	note.Of(r.Main).by = r
	r.SetClientAddr(netip.AddrPortFrom(w.IP, port))
	return core.Declined
}
