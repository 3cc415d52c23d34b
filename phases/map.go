package phases

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

// mapModule is ngx_http_map_module.
var mapModule = &Module{
	name: "map",
	directives: func() []directive {
		return []directive{
			{"map", inHTTP, take2 | takeBlock, setMap},
		}
	},
}

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
		if err := mapLine(c, m, v, line); err != nil {
			return c.located(line, err)
		}
	}
	sortWildcards(m.wildHead)
	sortWildcards(m.wildTail)
	v.get = m.lookup
	return nil
}

// mapLine reads one line of a map block.
func mapLine(c *compiler, m *mapTable, v *variable, line *conf.Directive) error {
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
		re, err := c.regex(pattern, fold)
		if err != nil {
			return err
		}
		m.regexes = append(m.regexes, mapRegex{re, value})
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
func (m *mapTable) addExact(written, text string, value template) error {
	text = lowerString(text)
	if _, taken := m.exact[text]; taken {
		return fmt.Errorf("conflicting parameter \"%s\"", written)
	}
	m.exact[text] = value
	return nil
}

// addWildcard adds the beginning or the end of a name.
func addWildcard(list *[]mapWildcard, written, text string, value template) error {
	text = lowerString(text)
	if slices.ContainsFunc(*list, func(w mapWildcard) bool { return w.text == text }) {
		return fmt.Errorf("conflicting parameter \"%s\"", written)
	}
	*list = append(*list, mapWildcard{text, value})
	return nil
}

// mapInclude reads lines from other files into a map.
func mapInclude(c *compiler, m *mapTable, v *variable, line *conf.Directive) error {
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
			if err := mapLine(c, m, v, inner); err != nil {
				return c.located(inner, err)
			}
		}
	}
	return nil
}

// mapTable is a map block: values of a source text to values of a variable.
// Order of search is nginx's: exact texts, wildcards, regexes in file order.
type mapTable struct {
	source     template
	exact      map[string]template
	hostnames  bool
	wildHead   []mapWildcard // *.example.com
	wildTail   []mapWildcard // www.example.*
	regexes    []mapRegex
	def        template
	hasDefault bool
}

type mapWildcard struct {
	text  string
	value template
}

type mapRegex struct {
	re    *confRegex
	value template
}

func (m *mapTable) lookup(r *Request) (string, bool) {
	key := m.source.eval(r)
	lower := lowerString(key)
	if m.hostnames {
		lower = strings.TrimSuffix(lower, ".")
	}
	if v, ok := m.exact[lower]; ok {
		return v.eval(r), true
	}
	if m.hostnames {
		for _, w := range m.wildHead {
			if strings.HasSuffix(lower, w.text) || lower == strings.TrimPrefix(w.text, ".") && strings.HasPrefix(w.text, ".") {
				return w.value.eval(r), true
			}
		}
		for _, w := range m.wildTail {
			if strings.HasPrefix(lower, w.text) {
				return w.value.eval(r), true
			}
		}
	}
	for i := range m.regexes {
		if rc := m.regexes[i].re.exec(r, key); rc == rcError {
			break // as if nothing had matched, in nginx too
		} else if rc == rcOK {
			return m.regexes[i].value.eval(r), true
		}
	}
	return m.def.eval(r), true
}

// sortWildcards puts longer wildcards, which are the more specific, first.
func sortWildcards(list []mapWildcard) {
	sort.SliceStable(list, func(i, j int) bool { return len(list[i].text) > len(list[j].text) })
}
