package phases

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
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
	set func(r *Request, value string, ok bool)
	// known variables are found by name: the built-in ones, and those that a
	// directive defines. One of a family ($http_x) that is only mentioned is not.
	known bool
	// hidden variables are for configurations: ngx.var has none of that name
	// (NGX_HTTP_VAR_NOHASH).
	hidden bool
	// changeable lets `set`, map and the like define it again.
	changeable bool
	// volatile values are made anew at each use.
	volatile bool
	index    int // -1: not indexed
}

// variableSet is all variables of one configuration.
type variableSet struct {
	families []family
	byName   map[string]*variable
	indexed  []*variable
}

// family makes the getters of variables such as $http_*; rest is the name behind
// the prefix.
type family struct {
	prefix   string
	volatile bool
	get      func(rest string) func(r *Request) (string, bool)
}

func newVariableSet(modules []*Module) variableSet {
	v := variableSet{byName: make(map[string]*variable, 128), families: coreFamilies}
	add := func(list []variable) {
		for _, b := range list {
			b.index, b.known = -1, !b.hidden
			v.byName[b.name] = &b
		}
	}
	add(builtinVariables())
	for _, m := range modules {
		if m.variables != nil {
			add(m.variables())
		}
		v.families = append(v.families[:len(v.families):len(v.families)], m.families...)
	}
	for _, name := range ofFamilies {
		p := v.family(name)
		v.byName[name] = &variable{name: name, index: -1, known: true, get: p.get(name[len(p.prefix):])}
	}
	return v
}

// variable finds or makes the entry of a name.
func (c *compiler) variable(name string) *variable {
	name = lowerString(name)
	v := c.cycle.vars.byName[name]
	if v == nil {
		v = &variable{name: name, index: -1, changeable: true}
		c.cycle.vars.byName[name] = v
	}
	return v
}

// varIndex gives name an index, the same one each time. Whether the variable
// exists is only known at the end of the configuration (settleVariables).
func (c *compiler) varIndex(name string) int {
	v := c.variable(name)
	if v.index < 0 {
		v.index = len(c.cycle.vars.indexed)
		c.cycle.vars.indexed = append(c.cycle.vars.indexed, v)
	}
	return v.index
}

// addVar makes name a variable whose value a directive computes (map, geo); an
// existing one must be changeable. It has no index unless something mentions it,
// and without one its value is made anew each time.
func (c *compiler) addVar(name string) (*variable, error) {
	v := c.variable(name)
	if !v.changeable {
		return nil, fmt.Errorf("the duplicate \"%s\" variable", v.name)
	}
	v.known = true
	return v, nil
}

// defineVar makes name a variable that the configuration fills: by set, a named
// group.
func (c *compiler) defineVar(name string) (*variable, error) {
	v, err := c.addVar(name)
	if err == nil {
		c.varIndex(name)
	}
	return v, err
}

// settleVariables gives those that no directive computes their getters, and finds
// variables that were used but that nothing defines (ngx_http_variables_init_vars).
func (c *compiler) settleVariables() error {
	for _, v := range c.cycle.vars.indexed {
		if v.get != nil || v.set != nil {
			continue
		}
		if p := c.cycle.vars.family(v.name); p != nil {
			v.get, v.volatile = p.get(v.name[len(p.prefix):]), p.volatile
			continue
		}
		if !v.known {
			return fmt.Errorf("unknown \"%s\" variable", v.name)
		}
		v.get = uninitialized(v.name)
	}
	return nil
}

// uninitialized makes the getter of a variable that `set` declares somewhere else
// (uninitialized_variable_warn).
func uninitialized(name string) func(r *Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if r.Loc.uninitializedWarn.v {
			r.Logf(errlog.Warn, "using uninitialized \"%s\" variable", name)
		}
		return "", true
	}
}

// family is the family that a name belongs to, nil when there is none.
func (v *variableSet) family(name string) *family {
	for i := range v.families {
		p := &v.families[i]
		if len(name) > len(p.prefix) && strings.HasPrefix(name, p.prefix) {
			return p
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
		r.vars[index] = varSlot{value: value, set: true, none: !ok}
	}
	return value, ok
}

// setIndexed gives the variable a value.
func (r *Request) setIndexed(index int, value string) {
	v := r.Cycle.vars.indexed[index]
	if v.set != nil {
		v.set(r, value, true)
		return
	}
	r.vars[index] = varSlot{value: value, set: true}
}

// Var is the value of the variable called name, in any case; ok is false when
// there is no such variable or it has no value (ngx_http_get_variable).
func (r *Request) Var(name string) (value string, ok bool) {
	v := r.Cycle.vars.byName[name]
	if v == nil {
		name = lowerString(name)
		v = r.Cycle.vars.byName[name]
	}
	switch {
	case v == nil || !v.known:
		if p := r.Cycle.vars.family(name); p != nil {
			return p.get(name[len(p.prefix):])(r)
		}
	case v.index >= 0:
		return r.indexed(v.index)
	case v.get != nil:
		return v.get(r)
	}
	return "", false
}

// SetVar gives a variable a value from Lua, or takes it away (ngx.var.x = nil);
// a variable that cannot take one is an error with ngx_lua's text.
func (r *Request) SetVar(name, value string, ok bool) error {
	v := r.Cycle.vars.byName[lowerString(name)]
	switch {
	case v == nil || !v.known:
		return fmt.Errorf("variable \"%s\" not found for writing; maybe it is a built-in variable that is not changeable or you forgot to use \"set $%s '';\" in the config file to define it first", name, name)
	case !v.changeable:
		return fmt.Errorf("variable \"%s\" not changeable", name)
	case v.set != nil:
		v.set(r, value, ok)
	case v.index < 0:
		return fmt.Errorf("variable \"%s\" cannot be assigned a value", name)
	default:
		r.vars[v.index] = varSlot{value: value, set: true, none: !ok}
	}
	return nil
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

// variableName strips the "$" of a variable in a place that must hold one.
func variableName(arg string) (string, error) {
	if len(arg) < 2 || arg[0] != '$' {
		return "", fmt.Errorf("invalid variable name \"%s\"", arg)
	}
	return arg[1:], nil
}
