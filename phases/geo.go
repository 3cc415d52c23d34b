package phases

import (
	"net/netip"

	"github.com/moonphase/moonphase/phases/conf"
)

// geoModule is ngx_http_geo_module.
var geoModule = &Module{
	name: "geo",
	directives: func() []directive {
		return []directive{
			{"geo", inHTTP, take12 | takeBlock, setGeo},
		}
	},
}

// geoTable is a geo block: networks of the client's address (or of another
// one) to values.
type geoTable struct {
	source  template
	client  bool // the address is the client's own
	entries []geoEntry
	def     string
}

type geoEntry struct {
	prefix netip.Prefix
	value  string
}

// setGeo reads geo [$address] $variable { ... }.
func setGeo(c *compiler, d *conf.Directive) error {
	g := &geoTable{client: len(d.Args) == 1}
	if !g.client {
		var err error
		if g.source, err = c.template(d.Args[0]); err != nil {
			return err
		}
	}
	name, err := variableName(d.Args[len(d.Args)-1])
	if err != nil {
		return err
	}
	v, err := c.addVar(name)
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
		p, err := parsePrefix(line.Name)
		if err != nil {
			return line.Errorf("invalid network \"%s\"", line.Name)
		}
		g.entries = append(g.entries, geoEntry{p.Masked(), line.Args[0]})
	}
	v.get = g.lookup
	return nil
}

// lookup finds the narrowest network around the address.
func (g *geoTable) lookup(r *Request) (string, bool) {
	var addr netip.Addr
	if g.client {
		addr, _ = clientAddr(r.Main.Conn)
	} else if a, err := netip.ParseAddr(g.source.eval(r)); err == nil {
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
