package manual

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/configure"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/known"
	"github.com/moonphase/moonphase/phases/internal/modules"
)

// entry is what the reference says of a directive in one of its places.
type entry struct {
	name, module string
	row          *core.Directive // nil for one that is not here
}

// book is all that the reference is made of.
type book struct {
	index   map[string][]*core.Directive
	entries []entry // by name
}

func newBook() *book {
	b := &book{index: core.DirectiveIndex(modules.All())}
	for _, name := range slices.Sorted(maps.Keys(b.index)) {
		for _, row := range b.index[name] {
			b.entries = append(b.entries, entry{name, moduleOf(name, row), row})
		}
	}
	return b
}

// oursModule is the page of what only this server has.
const oursModule = "moonphase"

// moduleOf is the module whose page a directive is on. What upstream{} has under a name that others
// have too is the upstream module's.
func moduleOf(name string, row *core.Directive) string {
	having := known.Find(name)
	for _, m := range having {
		if strings.Contains(m.Name, "upstream") == (row.In&core.InUpstream != 0 && row.In&core.InHTTPSrvLoc == 0) {
			return m.Name
		}
	}
	if having != nil {
		return having[0].Name
	}
	if form, _, ok := strings.Cut(name, "_by_lua"); ok && form != "" {
		return "lua-nginx-module"
	}
	return oursModule
}

// key finds the entry's default.
func (e *entry) key() string {
	if e.row.In == core.InUpstream {
		return "upstream " + e.name
	}
	return e.name
}

// byDefault is what holds where the directive does not stand; "" when that is nothing.
func (e *entry) byDefault() string { return defaults[e.key()] }

// arguments says how many the directive takes.
func (e *entry) arguments() string {
	a := e.row.Args
	var counts []string
	for n := range 8 {
		if a&(core.Take0<<n) != 0 {
			counts = append(counts, fmt.Sprint(n))
		}
	}
	switch {
	case a&core.TakeFlag != 0:
		counts = []string{"on or off"}
	case a&core.TakeAny != 0:
		counts = []string{"any number"}
	case a&core.TakeMore1 != 0:
		counts = []string{"1 or more"}
	case a&core.TakeMore2 != 0:
		counts = []string{"2 or more"}
	case len(counts) > 2:
		counts = []string{counts[0] + " to " + counts[len(counts)-1]}
	}
	text := strings.Join(counts, " or ")
	if a&core.TakeBlock != 0 {
		if text == "0" {
			return "a block"
		}
		text += ", a block"
	}
	if text == "0" {
		return "none"
	}
	return text
}

// notes are what else there is to know: since when, and what is different here.
func (e *entry) notes() []string {
	var list []string
	since, until := compat.Since(e.name)
	if since = cmp.Or(since, known.Since[e.name]); since != "" {
		list = append(list, "since "+since)
	}
	if until != "" {
		list = append(list, "gone since "+until+": use "+known.Gone[e.name])
	}
	if older := olderDefaults[e.key()]; older != "" {
		list = append(list, older+" with compat 1.22.1")
	}
	switch why := e.refused(); {
	case why != "" && e.byDefault() != "":
		list = append(list, fmt.Sprintf("only `%s`: %s", e.byDefault(), why))
	case why != "":
		list = append(list, "refused: "+why)
	case strings.HasSuffix(e.setter(), ".Inert"):
		list = append(list, "accepted with a warning, without effect here")
	case !configure.Implemented([]*core.Directive{e.row}) || e.withoutEffect():
		list = append(list, "accepted, without effect here")
	}
	if d := differences[e.name]; d != "" {
		list = append(list, d)
	}
	return list
}

// setter is the name of the function that sets the directive.
func (e *entry) setter() string {
	return runtime.FuncForPC(reflect.ValueOf(e.row.Set).Pointer()).Name()
}

// refused is what would be missing if a directive were accepted that is not, or only with its default.
func (e *entry) refused() string {
	if s := e.setter(); !strings.Contains(s, ".Refused") && !strings.Contains(s, ".refused") {
		return ""
	}
	err := e.row.Set(nil, &conf.Directive{Name: e.name, Args: []string{"x"}})
	_, why, _ := strings.Cut(err.Error(), "is not supported: ")
	return why
}

// withoutEffect tells whether the directive is only read. It is tried: with the default, or with values of
// each kind.
func (e *entry) withoutEffect() bool {
	if strings.HasSuffix(e.name, "_pass") || e.name == "resolver" || e.name == "server" {
		return false // what it is tried with would be looked for in the network
	}
	tries := []string{"1", "on", "1k", "1s", "off", "x", "4 4k", "max=1", "epoll", "abort"}
	if d := e.byDefault(); d != "" {
		tries = []string{d}
	}
	for _, args := range tries {
		if c, err := e.compile(args); err == nil {
			return slices.Contains(c.WithoutEffect, e.name)
		}
	}
	return false
}

// compile reads a configuration with the directive in the outermost place where it may stand.
func (e *entry) compile(args string) (*core.Cycle, error) {
	at := map[core.Level]string{e.row.In & -e.row.In: e.name + " " + args + ";"}
	text := fmt.Sprintf("%s events { %s } http { %s server { listen unix:x; %s location / { %s } } }",
		at[core.InMain], at[core.InEvents], at[core.InHTTP], at[core.InServer], at[core.InLocation])
	tree, err := conf.Parse("x", "/", []byte(text))
	if err != nil {
		return nil, err
	}
	return core.Compile(tree.Directives, core.CompileOptions{Prefix: "/", ConfPath: "/x", Modules: modules.All()})
}

// link is where the directive's own authors describe it.
func (e *entry) link() string {
	if page := pageOf(e.module); page != "" {
		return page + "#" + e.name
	}
	return ""
}

// pageOf is where a module's authors describe it, "" where that is not known.
func pageOf(module string) string {
	switch {
	case module == "core", module == "events":
		return "https://nginx.org/en/docs/ngx_core_module.html"
	case strings.HasPrefix(module, "ngx_http_"):
		return "https://nginx.org/en/docs/http/" + module + ".html"
	case strings.HasSuffix(module, "-nginx-module"):
		return "https://github.com/openresty/" + module
	}
	return ""
}

// Explain describes a directive, or a variable with its "$"; ok is false for what nobody has.
func Explain(word string) (text string, ok bool) {
	if name, isVar := strings.CutPrefix(word, "$"); isVar {
		return explainVariable(name)
	}
	b := newBook()
	var parts []string
	for _, e := range b.entries {
		if e.name == word {
			parts = append(parts, e.explain())
		}
	}
	if parts == nil {
		if having := known.Find(word); having != nil {
			return fmt.Sprintf("%s: %s.\n", word, whoHas(having)), true
		}
		if instead := known.Gone[word]; instead != "" {
			return fmt.Sprintf("%s: nginx has this no longer, use %s.\n", word, instead), true
		}
	}
	return strings.Join(parts, "\n"), parts != nil
}

// explain is the entry as a person at a terminal reads it.
func (e *entry) explain() string {
	var b strings.Builder
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-11s%s\n", what, text)
		}
	}
	fmt.Fprintf(&b, "%s, a directive of %s\n", e.name, e.module)
	line("arguments", e.arguments())
	line("stands in", strings.Join(names([]*core.Directive{e.row}), ", "))
	line("default", cmp.Or(e.byDefault(), "none"))
	for _, n := range e.notes() {
		line("note", n)
	}
	line("more", e.link())
	return b.String()
}
