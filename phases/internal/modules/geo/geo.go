// Package geo is ngx_http_geo_module: a variable whose value hangs on an address.
package geo

import (
	"fmt"
	"net/netip"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/forwarded"
	"github.com/moonphase/moonphase/runtime/inet"
)

// Module is ngx_http_geo_module.
var Module = &core.Module{
	Name: "geo",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "geo", In: core.InHTTP, Args: core.Take12 | core.TakeBlock, Set: setGeo},
		}
	},
}

// table is a geo block: networks or ranges of addresses to values.
type table struct {
	index     int // of the variable that has the address, -1: the client's own
	proxies   []forwarded.Proxy
	recursive bool

	byRange bool
	begun   bool // a network was seen
	nets    networks
	ranges  ranges
}

// none is the address that nginx has in the place of one that is not there or that a
// table cannot hold (INADDR_NONE).
var none = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// setGeo reads geo [$address] $variable { ... } (ngx_http_geo_block).
func setGeo(c *core.Compiler, d *conf.Directive) error {
	g := &table{index: -1}
	if len(d.Args) == 2 {
		source, err := core.VariableName(d.Args[0])
		if err != nil {
			return err
		}
		g.index = c.VarIndex(source)
	}
	name, err := core.VariableName(d.Args[len(d.Args)-1])
	if err != nil {
		return err
	}
	v, err := c.AddVar(name)
	if err != nil {
		return err
	}
	for _, line := range d.Block {
		if err := g.line(c, v, line); err != nil {
			return c.Located(line, err)
		}
	}
	if v.Get = g.byNetwork; g.byRange {
		v.Get = g.inRange
	}
	g.nets.settle()
	return nil
}

// line reads a line of the block (ngx_http_geo).
func (g *table) line(c *core.Compiler, v *core.Variable, line *conf.Directive) error {
	word := ""
	if len(line.Args) == 0 {
		word = line.Name
	}
	switch {
	case line.Err != nil:
		return line.Err
	case line.HasBlock:
		return fmt.Errorf("unexpected \"{\"")
	case word == "ranges" && g.begun:
		return fmt.Errorf("the \"ranges\" directive must be the first directive inside \"geo\" block")
	case word == "ranges":
		g.byRange = true
		return nil
	case word == "proxy_recursive":
		g.recursive = true
		return nil
	case word == "volatile" && c.Cycle.Stack.Has(compat.GeoVolatile):
		v.Volatile = true
		return nil
	case len(line.Args) != 1:
		return fmt.Errorf("invalid number of the geo parameters")
	case line.Name == "proxy":
		p, err := network(c, line, line.Args[0])
		g.proxies = append(g.proxies, forwarded.Proxy{Prefix: p})
		return err
	case g.byRange:
		return g.ranges.line(c, line)
	}
	return g.networkLine(c, line)
}

// network reads an address or a network (ngx_http_geo_cidr_value).
func network(c *core.Compiler, line *conf.Directive, text string) (netip.Prefix, error) {
	if text == none.String() {
		return netip.PrefixFrom(none, 32), nil
	}
	p, ok := inet.ParseCIDR(text)
	if !ok {
		return p, fmt.Errorf("invalid network \"%s\"", text)
	}
	if p.Masked() != p {
		c.Warnf(line, "low address bits of %s are meaningless", text)
	}
	return p.Masked(), nil
}

// everywhere is what a default of networks is for.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// networkLine reads NETWORK VALUE, default VALUE or delete NETWORK (ngx_http_geo_cidr).
func (g *table) networkLine(c *core.Compiler, line *conf.Directive) error {
	g.begun = true
	text, value := line.Name, line.Args[0]
	if text == "default" {
		for _, p := range everywhere {
			g.addNetwork(c, line, p, value)
		}
		return nil
	}
	del := text == "delete"
	if del {
		text = value
	}
	p, err := network(c, line, text)
	switch {
	case err != nil:
		return err
	case !del:
		g.addNetwork(c, line, p, value)
	case !g.nets.remove(p):
		c.Warnf(line, "no network \"%s\" to delete", text)
	}
	return nil
}

// addNetwork gives a network its value; that of one which is there already is replaced.
func (g *table) addNetwork(c *core.Compiler, line *conf.Directive, p netip.Prefix, value string) {
	if old, taken := g.nets.put(p, value); taken {
		c.Warnf(line, "duplicate network \"%s\", value: \"%s\", old value: \"%s\"", line.Name, value, old)
	}
}

// address is the one that is looked up; ok is false for a text that is none
// (ngx_http_geo_addr).
func (g *table) address(r *core.Request) (addr netip.Addr, ok bool) {
	var w forwarded.Walk
	w.IP, w.Unix = r.ClientIP()
	if g.index >= 0 {
		if text, found := r.Indexed(g.index); found {
			if w.IP, ok = inet.ParseIP(text); !ok {
				return none, false
			}
			w.Unix = false
		}
	}
	if g.proxies != nil {
		w.Trusted, w.Recursive = g.proxies, g.recursive
		w.Lists(r.In)
	}
	if !w.IP.IsValid() {
		return none, false
	}
	return w.IP.Unmap(), true
}

// byNetwork is the value of the narrowest network around the address
// (ngx_http_geo_cidr_variable).
func (g *table) byNetwork(r *core.Request) (string, bool) {
	addr, _ := g.address(r)
	return g.nets.find(addr), true
}

// inRange is the value of the range that the address is in. Addresses of IPv6 are in
// none (ngx_http_geo_range_variable).
func (g *table) inRange(r *core.Request) (string, bool) {
	addr, _ := g.address(r)
	if !addr.Is4() {
		addr = none
	}
	return g.ranges.find(addr), true
}
