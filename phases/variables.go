package phases

import (
	"fmt"
	"sort"
	"strings"
)

// variable is one $name. A variable that the configuration mentions has an
// index, the place of its value in Request.vars; others are only reached by
// name (ngx.var).
type variable struct {
	name string
	// get makes the value; false means the variable has none. nil for
	// variables that only `set` fills.
	get func(r *Request) (string, bool)
	// set stores a value elsewhere than in the request's slot ($args).
	set func(r *Request, value string)
	// changeable lets `set`, map and the like define it again.
	changeable bool
	// volatile values are made anew at each use.
	volatile bool
	index    int // -1: not indexed
}

// variableSet is all variables of one configuration.
type variableSet struct {
	byName  map[string]*variable
	indexed []*variable
}

// prefixVariable makes the getter of a family such as $http_*; rest is the
// name behind the prefix.
type prefixVariable struct {
	prefix string
	get    func(rest string) func(r *Request) (string, bool)
}

func newVariableSet() variableSet {
	v := variableSet{byName: make(map[string]*variable, 128)}
	for _, b := range builtinVariables() {
		b.index = -1
		v.byName[b.name] = &b
	}
	return v
}

// varIndex gives name an index, the same one each time. Whether the variable
// exists is only known at the end of the configuration (checkVariables).
func (c *compiler) varIndex(name string) int {
	name = lowerString(name)
	vars := &c.cycle.vars
	v := vars.byName[name]
	if v == nil {
		v = &variable{name: name, index: -1, changeable: true}
		if get := prefixGetter(name); get != nil {
			v.get, v.volatile = get, true
		}
		vars.byName[name] = v
	}
	if v.index < 0 {
		v.index = len(vars.indexed)
		vars.indexed = append(vars.indexed, v)
	}
	return v.index
}

// defineVar makes name a variable that the configuration fills: by set, map,
// geo. An existing one must be changeable.
func (c *compiler) defineVar(name string) (*variable, error) {
	name = lowerString(name)
	if v := c.cycle.vars.byName[name]; v != nil && !v.changeable {
		return nil, fmt.Errorf("the duplicate \"%s\" variable", name)
	}
	i := c.varIndex(name)
	v := c.cycle.vars.indexed[i]
	c.cycle.defined[name] = true
	return v, nil
}

// checkVariables finds variables that were used but that nothing defines.
func (c *compiler) checkVariables() error {
	for _, v := range c.cycle.vars.indexed {
		if v.get == nil && v.set == nil && !c.cycle.defined[v.name] {
			return fmt.Errorf("unknown \"%s\" variable", v.name)
		}
	}
	return nil
}

func prefixGetter(name string) func(r *Request) (string, bool) {
	for _, p := range prefixVariables {
		if len(name) > len(p.prefix) && strings.HasPrefix(name, p.prefix) {
			return p.get(name[len(p.prefix):])
		}
	}
	return nil
}

// indexed is the value of the variable with the index; ok is false when it has
// none.
func (r *Request) indexed(index int) (value string, ok bool) {
	slot := &r.vars[index]
	if slot.set {
		return slot.value, !slot.none
	}
	v := r.Cycle.vars.indexed[index]
	if v.get == nil {
		return "", false
	}
	value, ok = v.get(r)
	if !v.volatile {
		*slot = varSlot{value: value, set: true, none: !ok}
	}
	return value, ok
}

// setIndexed gives the variable a value.
func (r *Request) setIndexed(index int, value string) {
	v := r.Cycle.vars.indexed[index]
	if v.set != nil {
		v.set(r, value)
		return
	}
	r.vars[index] = varSlot{value: value, set: true}
}

// Var is the value of the variable called name, in any case; ok is false when
// there is no such variable or it has no value.
func (r *Request) Var(name string) (value string, ok bool) {
	v := r.Cycle.vars.byName[name]
	if v == nil {
		name = lowerString(name)
		if v = r.Cycle.vars.byName[name]; v == nil {
			if len(name) == 1 && name[0] >= '0' && name[0] <= '9' {
				n := int(name[0] - '0')
				if n < len(r.Captures) {
					return r.Captures[n], true
				}
				return "", false
			}
			if get := prefixGetter(name); get != nil {
				return get(r)
			}
			return "", false
		}
	}
	if v.index >= 0 {
		return r.indexed(v.index)
	}
	if v.get == nil {
		return "", false
	}
	return v.get(r)
}

// SetVar gives a variable a value from Lua; a variable that cannot take one is
// an error with ngx_lua's text.
func (r *Request) SetVar(name, value string) error {
	v, err := r.writableVar(name)
	if err != nil {
		return err
	}
	if v.set != nil {
		v.set(r, value)
		return nil
	}
	r.vars[v.index] = varSlot{value: value, set: true}
	return nil
}

// UnsetVar takes a variable's value away (ngx.var.x = nil).
func (r *Request) UnsetVar(name string) error {
	v, err := r.writableVar(name)
	if err != nil {
		return err
	}
	if v.set != nil {
		v.set(r, "")
		return nil
	}
	r.vars[v.index] = varSlot{set: true, none: true}
	return nil
}

func (r *Request) writableVar(name string) (*variable, error) {
	v := r.Cycle.vars.byName[lowerString(name)]
	switch {
	case v == nil:
		return nil, fmt.Errorf("variable \"%s\" not found for writing; maybe it is a built-in variable that is not changeable or you forgot to use \"set $%s '';\" in the config file to define it first", name, name)
	case !v.changeable:
		return nil, fmt.Errorf("variable \"%s\" not changeable", name)
	case v.set == nil && v.index < 0:
		return nil, fmt.Errorf("variable \"%s\" cannot be assigned a value", name)
	}
	return v, nil
}

// resetVars prepares the slots for a request of this cycle.
func (r *Request) resetVars() {
	n := len(r.Cycle.vars.indexed)
	if cap(r.vars) < n {
		r.vars = make([]varSlot, n)
		return
	}
	r.vars = r.vars[:n]
	clear(r.vars)
}

// lowerString is s in lower case, s itself when it is so already.
func lowerString(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// mapTable is a map block: values of a source text to values of a variable.
// Order of search is nginx's: exact texts, wildcards, regexes in file order.
type mapTable struct {
	source    template
	exact     map[string]template
	hostnames bool
	wildHead  []mapWildcard // *.example.com
	wildTail  []mapWildcard // www.example.*
	regexes   []mapRegex
	def       template
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
		if m.regexes[i].re.exec(r, key) {
			return m.regexes[i].value.eval(r), true
		}
	}
	return m.def.eval(r), true
}

// sortWildcards puts longer wildcards, which are the more specific, first.
func sortWildcards(list []mapWildcard) {
	sort.SliceStable(list, func(i, j int) bool { return len(list[i].text) > len(list[j].text) })
}
