// Package geo is ngx_http_geo_module.
package geo

import (
	"net/netip"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
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

// table is a geo block: networks of the client's address (or of another
// one) to values.
type table struct {
	source  core.Template
	client  bool // the address is the client's own
	entries []entry
	def     string
}

type entry struct {
	prefix netip.Prefix
	value  string
}

// setGeo reads geo [$address] $variable { ... }.
func setGeo(c *core.Compiler, d *conf.Directive) error {
	g := &table{client: len(d.Args) == 1}
	if !g.client {
		var err error
		if g.source, err = c.Template(d.Args[0]); err != nil {
			return err
		}
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
		if line.Err != nil {
			return line.Err
		}
		if len(line.Args) != 1 {
			return line.Errorf("invalid number of the geo parameters")
		}
		if line.Name == "default" {
			g.def = line.Args[0]
			continue
		}
		p, err := inet.ParsePrefix(line.Name)
		if err != nil {
			return line.Errorf("invalid network \"%s\"", line.Name)
		}
		g.entries = append(g.entries, entry{p.Masked(), line.Args[0]})
	}
	v.Get = g.lookup
	return nil
}

// lookup finds the narrowest network around the address.
func (g *table) lookup(r *core.Request) (string, bool) {
	var addr netip.Addr
	if g.client {
		addr, _ = r.ClientIP()
		addr = addr.Unmap()
	} else if a, err := netip.ParseAddr(g.source.Eval(r)); err == nil {
		addr = a.Unmap()
	}
	if !addr.IsValid() { // what nginx takes for no address at all
		addr = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	best, value := -1, g.def
	for i := range g.entries {
		e := &g.entries[i]
		if e.prefix.Contains(addr) && e.prefix.Bits() > best {
			best, value = e.prefix.Bits(), e.value
		}
	}
	return value, true
}
