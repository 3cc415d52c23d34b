// Package maps is ngx_http_map_module. (The folder is named as the module; map is a
// word of Go.)
package maps

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_map_module.
var Module = &core.Module{
	Name: "map",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "map", In: core.InHTTP, Args: core.Take2 | core.TakeBlock, Set: setMap},
		}
	},
}

// table is a map block: values of a source text to values of a variable. Order of search
// is nginx's: exact texts, wildcards, regexes in file order.
type table struct {
	source    core.Template
	hostnames bool
	texts
	regexes    []regexValue
	def        core.Template
	hasDefault bool
}

type regexValue struct {
	re    *core.Regex
	value core.Template
}

// setMap reads map SOURCE $variable { ... } (ngx_http_map_block).
func setMap(c *core.Compiler, d *conf.Directive) error {
	source, err := c.Template(d.Args[0])
	if err != nil {
		return err
	}
	name, err := core.VariableName(d.Args[1])
	if err != nil {
		return err
	}
	v, err := c.AddVar(name)
	if err != nil {
		return err
	}
	m := &table{source: source}
	for _, line := range d.Block {
		if err := m.line(c, v, line); err != nil {
			return c.Located(line, err)
		}
	}
	v.Get = m.lookup
	return nil
}

// line reads a line of the block (ngx_http_map).
func (m *table) line(c *core.Compiler, v *core.Variable, line *conf.Directive) error {
	word := ""
	if len(line.Args) == 0 {
		word = line.Name
	}
	switch {
	case line.Err != nil:
		return line.Err
	case line.HasBlock:
		return fmt.Errorf("unexpected \"{\"")
	case word == "hostnames":
		m.hostnames = true
		return nil
	case word == "volatile":
		v.Volatile = true
		return nil
	case len(line.Args) != 1:
		return fmt.Errorf("invalid number of the map parameters")
	}
	value, err := c.Template(line.Args[0])
	if err != nil {
		return err
	}
	key := line.Name
	switch {
	case key == "default":
		if m.hasDefault {
			return fmt.Errorf("duplicate default map parameter")
		}
		m.def, m.hasDefault = value, true
		return nil
	case strings.HasPrefix(key, "~"):
		pattern, fold := strings.CutPrefix(key[1:], "*")
		re, err := c.Regex(pattern, fold)
		m.regexes = append(m.regexes, regexValue{re, value})
		return err
	}
	return m.add(strings.TrimPrefix(key, "\\"), value, m.hostnames)
}

// lookup is the variable's value (ngx_http_map_variable).
func (m *table) lookup(r *core.Request) (string, bool) {
	key := m.source.Eval(r)
	if m.hostnames {
		key = strings.TrimSuffix(key, ".")
	}
	if v := m.find(ngxtext.Lower(key)); v != nil {
		return v.Eval(r), true
	}
	if key == "" { // patterns are not asked for it
		return m.def.Eval(r), true
	}
	for i := range m.regexes {
		if rc := m.regexes[i].re.Exec(r, key); rc == core.Error {
			break // as if nothing had matched, in nginx too
		} else if rc == core.OK {
			return m.regexes[i].value.Eval(r), true
		}
	}
	return m.def.Eval(r), true
}
