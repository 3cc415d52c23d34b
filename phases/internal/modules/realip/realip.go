// Package realip is ngx_http_realip_module: what a trusted proxy says of its client
// takes the place of its own address.
package realip

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
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
	from      []trusted
	header    core.Opt[string] // as written
	recursive core.Opt[bool]
}

// trusted is one set_real_ip_from: a network, or all unix sockets.
type trusted struct {
	unix   bool
	prefix netip.Prefix
}

// The values of real_ip_header that are no field's name, or that of one which nginx
// keeps apart. They are looked at as written.
const (
	realIP       = "X-Real-IP"
	forwardedFor = "X-Forwarded-For" // its lines make one list
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
		own.from = append(own.from, trusted{unix: true})
		return nil
	}
	if p, ok := parseNetwork(arg); ok {
		if p.Masked() != p {
			c.Warnf(d, "low address bits of %s are meaningless", arg)
		}
		own.from = append(own.from, trusted{prefix: p.Masked()})
		return nil
	}
	found, err := net.LookupHost(arg)
	if err != nil {
		return c.Missing(d, "host not found in %s \"%s\"", d.Name, arg)
	}
	for _, text := range found {
		if a, err := netip.ParseAddr(text); err == nil {
			a = a.Unmap().WithZone("")
			own.from = append(own.from, trusted{prefix: netip.PrefixFrom(a, a.BitLen())})
		}
	}
	return nil
}

// parseNetwork reads an address or a network (ngx_ptocidr).
func parseNetwork(text string) (netip.Prefix, bool) {
	host, bits, some := strings.Cut(text, "/")
	a, ok := inet.ParseIP(host)
	if !ok || !some {
		return netip.PrefixFrom(a, a.BitLen()), ok
	}
	n, err := strconv.ParseUint(bits, 10, 31)
	if err != nil || int(n) > a.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, int(n)), true
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
	w := walk{config: loc.Of(r.Loc)}
	w.ip, w.unix = r.ClientIP()
	var port uint16
	switch w.header.V {
	case forwardedFor:
		w.lists(r)
	case proxied:
		conn, ok := r.Main.Conn.(core.ClaimedConn)
		if !ok || conn.Claim() == nil || conn.Claim().Addr == "" {
			return core.Declined
		}
		w.list(conn.Claim().Addr)
		n, _ := strconv.ParseUint(conn.Claim().Port, 10, 16)
		port = uint16(n)
	default:
		value, ok := r.In.Get(w.header.V)
		if !ok {
			return core.Declined
		}
		w.list(value)
	}
	if !w.moved {
		return core.Declined
	}
	if port == 0 {
		port = w.port
	}
	note.Of(r.Main).by = r
	r.SetClientAddr(netip.AddrPortFrom(w.ip, port))
	return core.Declined
}

// walk goes from the client's address back along those that proxies noted.
type walk struct {
	*config
	ip    netip.Addr
	port  uint16
	unix  bool
	moved bool
}

// lists follows the lines of X-Forwarded-For, of which the last is asked first; without
// real_ip_recursive no other one is (ngx_http_get_forwarded_addr).
func (w *walk) lists(r *core.Request) {
	for i := len(r.In) - 1; i >= 0; i-- {
		if strings.EqualFold(r.In[i].Name, forwardedFor) && (!w.list(r.In[i].Value) || !w.recursive.V) {
			return
		}
	}
}

// list follows one list from its end, and reports whether it came to its beginning
// (ngx_http_get_forwarded_addr_internal).
func (w *walk) list(text string) bool {
	for w.trusts() {
		for len(text) > 1 && isSeparator(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		from := len(text) - 1
		for from > 0 && !isSeparator(text[from]) {
			from--
		}
		if from > 0 {
			from++
		}
		next, ok := inet.ParseIPPort(text[max(from, 0):])
		if !ok {
			return false
		}
		w.ip, w.port, w.unix, w.moved = next.Addr(), next.Port(), false, true
		if from <= 0 || !w.recursive.V {
			return true
		}
		text = text[:from-1]
	}
	return false
}

func isSeparator(c byte) bool { return c == ' ' || c == ',' }

// trusts tells whether the address where it is belongs to a trusted proxy.
func (w *walk) trusts() bool {
	ip := w.ip.Unmap()
	for i := range w.from {
		t := &w.from[i]
		if t.unix && w.unix || !w.unix && ip.IsValid() && t.prefix.Contains(ip) {
			return true
		}
	}
	return false
}
