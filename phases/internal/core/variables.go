package core

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Variable is one $name. A variable that the configuration mentions has an
// index, the place of its value in Request.Vars; others are only reached by
// name (ngx.var).
type Variable struct {
	Name string
	// Get makes the value; false means the variable has none. nil for
	// variables that only `set` fills.
	Get func(r *Request) (string, bool)
	// Set stores a value elsewhere than in the request's slot ($args).
	Set func(r *Request, value string, ok bool)
	// known variables are found by name: the built-in ones, and those that a
	// directive defines. One of a family ($http_x) that is only mentioned is not.
	known bool
	// Hidden variables are for configurations: ngx.var has none of that name
	// (NGX_HTTP_VAR_NOHASH).
	Hidden bool
	// Changeable lets `set`, map and the like define it again.
	Changeable bool
	// Volatile values are made anew at each use.
	Volatile bool
	Index    int // -1: not indexed
}

// VariableSet is all variables of one configuration.
type VariableSet struct {
	families []Family
	ByName   map[string]*Variable
	indexed  []*Variable
}

// Family makes the getters of variables such as $http_*; rest is the name behind
// the prefix.
type Family struct {
	Prefix   string
	Volatile bool
	Get      func(rest string) func(r *Request) (string, bool)
}

func newVariableSet(modules []*Module) VariableSet {
	v := VariableSet{ByName: make(map[string]*Variable, 128), families: coreFamilies}
	add := func(list []Variable) {
		for _, b := range list {
			b.Index, b.known = -1, !b.Hidden
			v.ByName[b.Name] = &b
		}
	}
	add(builtinVariables())
	for _, m := range modules {
		if m.Variables != nil {
			add(m.Variables())
		}
		v.families = append(v.families[:len(v.families):len(v.families)], m.Families...)
	}
	for _, name := range ofFamilies {
		p := v.family(name)
		v.ByName[name] = &Variable{Name: name, Index: -1, known: true, Get: p.Get(name[len(p.Prefix):])}
	}
	return v
}

// forget takes away what the OpenResty that is spoken does not have.
func (v *VariableSet) forget(stack *compat.Stack) {
	for name := range v.ByName {
		if !stack.Knows("$" + name) {
			delete(v.ByName, name)
		}
	}
	v.families = slices.DeleteFunc(slices.Clone(v.families), func(f Family) bool { return !stack.Knows("$" + f.Prefix) })
}

// variable finds or makes the entry of a name.
func (c *Compiler) variable(name string) *Variable {
	name = ngxtext.Lower(name)
	v := c.Cycle.Vars.ByName[name]
	if v == nil {
		v = &Variable{Name: name, Index: -1, Changeable: true}
		c.Cycle.Vars.ByName[name] = v
	}
	return v
}

// VarIndex gives name an index, the same one each time. Whether the variable
// exists is only known at the end of the configuration (settleVariables).
func (c *Compiler) VarIndex(name string) int {
	v := c.variable(name)
	if v.Index < 0 {
		v.Index = len(c.Cycle.Vars.indexed)
		c.Cycle.Vars.indexed = append(c.Cycle.Vars.indexed, v)
	}
	return v.Index
}

// AddVar makes name a variable whose value a directive computes (map, geo); an
// existing one must be changeable. It has no index unless something mentions it,
// and without one its value is made anew each time.
func (c *Compiler) AddVar(name string) (*Variable, error) {
	v := c.variable(name)
	if !v.Changeable {
		return nil, fmt.Errorf("the duplicate \"%s\" variable", v.Name)
	}
	v.known = true
	return v, nil
}

// DefineVar makes name a variable that the configuration fills: by set, a named
// group.
func (c *Compiler) DefineVar(name string) (*Variable, error) {
	v, err := c.AddVar(name)
	if err == nil {
		c.VarIndex(name)
	}
	return v, err
}

// settleVariables gives those that no directive computes their getters, and finds
// variables that were used but that nothing defines (ngx_http_variables_init_vars).
func (c *Compiler) settleVariables() error {
	for _, v := range c.Cycle.Vars.indexed {
		if v.Get != nil || v.Set != nil {
			continue
		}
		if p := c.Cycle.Vars.family(v.Name); p != nil {
			v.Get, v.Volatile = p.Get(v.Name[len(p.Prefix):]), p.Volatile
			continue
		}
		if !v.known {
			return fmt.Errorf("unknown \"%s\" variable", v.Name)
		}
		v.Get = uninitialized(v.Name)
	}
	return nil
}

// uninitialized makes the getter of a variable that `set` declares somewhere else
// (uninitialized_variable_warn).
func uninitialized(name string) func(r *Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if r.Loc.UninitializedWarn.V {
			r.Logf(errlog.Warn, "using uninitialized \"%s\" variable", name)
		}
		return "", true
	}
}

// family is the family that a name belongs to, nil when there is none.
func (v *VariableSet) family(name string) *Family {
	for i := range v.families {
		p := &v.families[i]
		if len(name) > len(p.Prefix) && strings.HasPrefix(name, p.Prefix) {
			return p
		}
	}
	return nil
}

// Indexed is the value of the variable with the index; ok is false when it has
// none.
func (r *Request) Indexed(index int) (value string, ok bool) {
	slot := &r.Vars[index]
	if slot.set {
		return slot.value, !slot.none
	}
	v := r.Cycle.Vars.indexed[index]
	if v.Get == nil {
		return "", false
	}
	value, ok = v.Get(r)
	if !v.Volatile {
		r.Vars[index] = VarSlot{value: value, set: true, none: !ok}
	}
	return value, ok
}

// SetIndexed gives the variable a value.
func (r *Request) SetIndexed(index int, value string) {
	v := r.Cycle.Vars.indexed[index]
	if v.Set != nil {
		v.Set(r, value, true)
		return
	}
	r.Vars[index] = VarSlot{value: value, set: true}
}

// Var is the value of the variable called name, in any case; ok is false when
// there is no such variable or it has no value (ngx_http_get_variable).
func (r *Request) Var(name string) (value string, ok bool) {
	v := r.Cycle.Vars.ByName[name]
	if v == nil {
		name = ngxtext.Lower(name)
		v = r.Cycle.Vars.ByName[name]
	}
	switch {
	case v == nil || !v.known:
		if p := r.Cycle.Vars.family(name); p != nil {
			return p.Get(name[len(p.Prefix):])(r)
		}
	case v.Index >= 0:
		return r.Indexed(v.Index)
	case v.Get != nil:
		return v.Get(r)
	}
	return "", false
}

// SetVar gives a variable a value from Lua, or takes it away (ngx.var.x = nil);
// a variable that cannot take one is an error with ngx_lua's text.
func (r *Request) SetVar(name, value string, ok bool) error {
	v := r.Cycle.Vars.ByName[ngxtext.Lower(name)]
	switch {
	case v == nil || !v.known:
		return fmt.Errorf("variable \"%s\" not found for writing; maybe it is a built-in variable that is not changeable or you forgot to use \"set $%s '';\" in the config file to define it first", name, name)
	case !v.Changeable:
		return fmt.Errorf("variable \"%s\" not changeable", name)
	case v.Set != nil:
		v.Set(r, value, ok)
	case v.Index < 0:
		return fmt.Errorf("variable \"%s\" cannot be assigned a value", name)
	default:
		r.Vars[v.Index] = VarSlot{value: value, set: true, none: !ok}
	}
	return nil
}

// resetVars prepares the slots for a request of this cycle.
func (r *Request) resetVars() {
	n := len(r.Cycle.Vars.indexed)
	if cap(r.Vars) < n {
		r.Vars = make([]VarSlot, n)
		return
	}
	r.Vars = r.Vars[:n]
	clear(r.Vars)
}

// VariableName strips the "$" of a variable in a place that must hold one.
func VariableName(arg string) (string, error) {
	if len(arg) < 2 || arg[0] != '$' {
		return "", fmt.Errorf("invalid variable name \"%s\"", arg)
	}
	return arg[1:], nil
}
