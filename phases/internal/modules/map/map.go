// Package maps is ngx_http_map_module. (The folder is named as the module; map is a
// word of Go.)
package maps

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
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

// setMap reads map SOURCE $variable { ... }.
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
	m := &table{source: source, exact: map[string]core.Template{}}
	for _, line := range d.Block {
		if err := mapLine(c, m, v, line); err != nil {
			return c.Located(line, err)
		}
	}
	sortWildcards(m.wildHead)
	sortWildcards(m.wildTail)
	v.Get = m.lookup
	return nil
}

// mapLine reads one line of a map block.
func mapLine(c *core.Compiler, m *table, v *core.Variable, line *conf.Directive) error {
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
			v.Volatile = true
			return nil
		}
	}
	if len(line.Args) != 1 {
		return fmt.Errorf("invalid number of the map parameters")
	}
	value, err := c.Template(line.Args[0])
	if err != nil {
		return err
	}
	switch {
	case key == "include":
		return mapInclude(c, m, v, line)
	case key == "default":
		if m.hasDefault {
			return fmt.Errorf("duplicate default map parameter")
		}
		m.def, m.hasDefault = value, true
	case strings.HasPrefix(key, "~"):
		pattern, fold := key[1:], false
		if strings.HasPrefix(pattern, "*") {
			pattern, fold = pattern[1:], true
		}
		re, err := c.Regex(pattern, fold)
		if err != nil {
			return err
		}
		m.regexes = append(m.regexes, regexValue{re, value})
	case m.hostnames && strings.HasPrefix(key, "*."):
		return addWildcard(&m.wildHead, line.Name, key[1:], value)
	case m.hostnames && strings.HasPrefix(key, "."):
		if err := m.addExact(line.Name, key[1:], value); err != nil {
			return err
		}
		return addWildcard(&m.wildHead, line.Name, key, value)
	case m.hostnames && strings.HasSuffix(key, ".*"):
		return addWildcard(&m.wildTail, line.Name, key[:len(key)-1], value)
	default:
		return m.addExact(line.Name, strings.TrimPrefix(key, "\\"), value)
	}
	return nil
}

// addExact adds a text; written is the parameter that asks for it.
func (m *table) addExact(written, text string, value core.Template) error {
	text = ngxtext.Lower(text)
	if _, taken := m.exact[text]; taken {
		return fmt.Errorf("conflicting parameter \"%s\"", written)
	}
	m.exact[text] = value
	return nil
}

// addWildcard adds the beginning or the end of a name.
func addWildcard(list *[]wildcard, written, text string, value core.Template) error {
	text = ngxtext.Lower(text)
	if slices.ContainsFunc(*list, func(w wildcard) bool { return w.text == text }) {
		return fmt.Errorf("conflicting parameter \"%s\"", written)
	}
	*list = append(*list, wildcard{text, value})
	return nil
}

// mapInclude reads lines from other files into a map.
func mapInclude(c *core.Compiler, m *table, v *core.Variable, line *conf.Directive) error {
	files, err := filepath.Glob(c.FullConfPath(line.Args[0]))
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
			if err := mapLine(c, m, v, inner); err != nil {
				return c.Located(inner, err)
			}
		}
	}
	return nil
}

// table is a map block: values of a source text to values of a variable.
// Order of search is nginx's: exact texts, wildcards, regexes in file order.
type table struct {
	source     core.Template
	exact      map[string]core.Template
	hostnames  bool
	wildHead   []wildcard // *.example.com
	wildTail   []wildcard // www.example.*
	regexes    []regexValue
	def        core.Template
	hasDefault bool
}

type wildcard struct {
	text  string
	value core.Template
}

type regexValue struct {
	re    *core.Regex
	value core.Template
}

func (m *table) lookup(r *core.Request) (string, bool) {
	key := m.source.Eval(r)
	lower := ngxtext.Lower(key)
	if m.hostnames {
		lower = strings.TrimSuffix(lower, ".")
	}
	if v, ok := m.exact[lower]; ok {
		return v.Eval(r), true
	}
	if m.hostnames {
		for _, w := range m.wildHead {
			if strings.HasSuffix(lower, w.text) || lower == strings.TrimPrefix(w.text, ".") && strings.HasPrefix(w.text, ".") {
				return w.value.Eval(r), true
			}
		}
		for _, w := range m.wildTail {
			if strings.HasPrefix(lower, w.text) {
				return w.value.Eval(r), true
			}
		}
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

// sortWildcards puts longer wildcards, which are the more specific, first.
func sortWildcards(list []wildcard) {
	sort.SliceStable(list, func(i, j int) bool { return len(list[i].text) > len(list[j].text) })
}
