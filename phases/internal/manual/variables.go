package manual

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/known"
	"github.com/moonphase/moonphase/phases/internal/modules"
)

// variable is what the reference says of a variable, or of a family of them.
type variable struct {
	name, module string // "http_NAME" for a family
	changeable   bool   // set and ngx.var may write it
	empty        bool   // it has never a value here
}

// coreFamilies are the families of the core, which a test finds again.
var coreFamilies = []string{"arg_", "cookie_", "http_", "sent_http_", "sent_trailer_"}

// moduleName is the page of a module: that of its first directive, or what nginx's word for it says.
func moduleName(m *core.Module) string {
	if m.Directives != nil {
		for _, d := range m.Directives() {
			if page := moduleOf(d.Name, &d); page != oursModule {
				return page
			}
		}
	}
	return "ngx_http_" + strings.TrimSuffix(strings.TrimPrefix(m.Name, "http_"), "_filter") + "_module"
}

// variables lists all of them, by name.
func variables() []variable {
	tree, err := conf.Parse("x", "/", []byte("events {} http {}"))
	if err != nil {
		panic(err)
	}
	c, err := core.Compile(tree.Directives, core.CompileOptions{Prefix: "/", ConfPath: "/x", Modules: modules.All()})
	if err != nil {
		panic(err) // a configuration without directives is right
	}
	owner := map[string]string{}
	var list []variable
	for _, m := range modules.All() {
		if m.Variables != nil {
			for _, v := range m.Variables() {
				owner[v.Name] = moduleName(m)
			}
		}
		for _, f := range m.Families {
			list = append(list, variable{name: f.Prefix + "NAME", module: moduleName(m)})
		}
	}
	for _, prefix := range coreFamilies {
		list = append(list, variable{name: prefix + "NAME", module: "ngx_http_core_module"})
	}
	for name, v := range c.Vars.ByName {
		if slices.ContainsFunc(coreFamilies, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		module := owner[name]
		if module == "" {
			module = "ngx_http_core_module"
		}
		list = append(list, variable{name, module, v.Changeable, hasNoValue(v)})
	}
	slices.SortFunc(list, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	return list
}

// hasNoValue tells whether a variable is known and never set.
func hasNoValue(v *core.Variable) bool {
	if v.Get == nil {
		return false
	}
	name := runtime.FuncForPC(reflect.ValueOf(v.Get).Pointer()).Name()
	return strings.HasSuffix(name, ".NoValue") || strings.HasSuffix(name, ".noTCPInfo")
}

func (v *variable) notes() string {
	var list []string
	if since, _ := compat.Since("$" + strings.TrimSuffix(v.name, "NAME")); since != "" {
		list = append(list, "since "+since)
	}
	if v.changeable {
		list = append(list, "can be changed")
	}
	if v.empty {
		list = append(list, "never has a value here")
	}
	return strings.Join(list, "; ")
}

func explainVariable(name string) (string, bool) {
	var family *variable
	all := variables()
	for i, v := range all {
		if prefix, ok := strings.CutSuffix(v.name, "NAME"); ok && strings.HasPrefix(name, prefix) {
			family = &all[i]
		}
		if v.name == name {
			return describe(&v, name), true
		}
	}
	if family != nil {
		return describe(family, name), true
	}
	if module := known.Variables[name]; module != "" {
		return fmt.Sprintf("$%s: nginx has this (%s), moonphase does not.\n", name, module), true
	}
	return "", false
}

func describe(v *variable, name string) string {
	text := fmt.Sprintf("$%s, a variable of %s\n", name, v.module)
	if v.name != name {
		text = fmt.Sprintf("$%s, one of the variables $%s of %s\n", name, v.name, v.module)
	}
	if n := v.notes(); n != "" {
		text += "  note       " + n + "\n"
	}
	if page := pageOf(v.module); page != "" && strings.HasPrefix(v.module, "ngx_") {
		text += "  more       " + page + "#variables\n"
	}
	return text
}
