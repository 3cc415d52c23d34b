package phases

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

// setMap reads map SOURCE $variable { ... }.
func setMap(c *compiler, d *conf.Directive) error {
	source, err := c.template(d.Args[0])
	if err != nil {
		return err
	}
	name, err := variableName(d.Args[1])
	if err != nil {
		return err
	}
	v, err := c.addVar(name)
	if err != nil {
		return err
	}
	m := &mapTable{source: source, exact: map[string]template{}}
	for _, line := range d.Block {
		if err := c.mapLine(m, v, line); err != nil {
			return c.located(line, err)
		}
	}
	sortWildcards(m.wildHead)
	sortWildcards(m.wildTail)
	v.get = m.lookup
	return nil
}

// mapLine reads one line of a map block.
func (c *compiler) mapLine(m *mapTable, v *variable, line *conf.Directive) error {
	if line.Err != nil {
		return line.Err
	}
	key := line.Name
	if len(line.Args) == 0 {
		switch key {
		case "hostnames":
			m.hostnames = true
			return nil
		case "volatile":
			v.volatile = true
			return nil
		}
	}
	if len(line.Args) != 1 {
		return fmt.Errorf("invalid number of the map parameters")
	}
	value, err := c.template(line.Args[0])
	if err != nil {
		return err
	}
	switch {
	case key == "include":
		return c.mapInclude(m, v, line)
	case key == "default":
		m.def = value
	case strings.HasPrefix(key, "~"):
		pattern, fold := key[1:], false
		if strings.HasPrefix(pattern, "*") {
			pattern, fold = pattern[1:], true
		}
		re, err := c.regex(pattern, fold)
		if err != nil {
			return err
		}
		m.regexes = append(m.regexes, mapRegex{re, value})
	case m.hostnames && strings.HasPrefix(key, "*."):
		m.wildHead = append(m.wildHead, mapWildcard{lowerString(key[1:]), value})
	case m.hostnames && strings.HasPrefix(key, "."):
		m.exact[lowerString(key[1:])] = value
		m.wildHead = append(m.wildHead, mapWildcard{lowerString(key), value})
	case m.hostnames && strings.HasSuffix(key, ".*"):
		m.wildTail = append(m.wildTail, mapWildcard{lowerString(key[:len(key)-1]), value})
	default:
		key = lowerString(strings.TrimPrefix(key, "\\"))
		if _, taken := m.exact[key]; taken {
			return fmt.Errorf("conflicting parameter \"%s\"", line.Name)
		}
		m.exact[key] = value
	}
	return nil
}

// mapInclude reads lines from other files into a map.
func (c *compiler) mapInclude(m *mapTable, v *variable, line *conf.Directive) error {
	files, err := filepath.Glob(fullPath(filepath.Dir(c.opts.ConfPath)+"/", line.Args[0]))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		tree, err := conf.Parse(file, filepath.Dir(file), data)
		if err != nil {
			return err
		}
		for _, inner := range tree.Directives {
			if err := c.mapLine(m, v, inner); err != nil {
				return c.located(inner, err)
			}
		}
	}
	return nil
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
	best, value := -1, g.def
	for i := range g.entries {
		e := &g.entries[i]
		if addr.IsValid() && e.prefix.Contains(addr) && e.prefix.Bits() > best {
			best, value = e.prefix.Bits(), e.value
		}
	}
	return value, true
}
