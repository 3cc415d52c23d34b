package manual

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/known"
)

// written is the second line of each page.
const written = "Written by `go test ./golden -run DocsReference -update` from the tables of the source.\n"

// Pages are the reference's pages about directives and variables, by file name: one for each module that has
// something here, and one with what is missing. The index does not say more than their names, so that
// what a module gains changes its own page alone.
func Pages() map[string]string {
	b := newBook()
	byModule := map[string][]entry{}
	for _, e := range b.entries {
		byModule[e.module] = append(byModule[e.module], e)
	}
	vars := map[string][]variable{}
	for _, v := range variables() {
		vars[v.module] = append(vars[v.module], v)
	}
	for m := range vars {
		if _, ok := byModule[m]; !ok {
			byModule[m] = nil // a module can have variables alone: it gets its page
		}
	}
	pages := map[string]string{}
	for module, entries := range byModule {
		pages[module+".md"] = b.page(module, entries, vars[module])
	}
	var index strings.Builder
	index.WriteString("# Reference\n\n" + written + `
What each page has was found in the server: which directives it knows, where they stand, what holds without them. What they
are for is described by those who made them; the pages link there. ` + "`moonphase explain proxy_pass`" + ` shows one entry, and so do
` + "`moonphase explain '$host'`" + ` and ` + "`moonphase explain ngx.re.match`" + `.

* [The ngx API](api.md): functions, methods and fields of scripts, and the phases that they are for
* [What is missing](missing.md): modules that are not here at all
* [Which OpenResty is spoken](compat.md): what newer releases do otherwise
`)
	for _, module := range slices.Sorted(maps.Keys(byModule)) {
		fmt.Fprintf(&index, "* [%s](%s.md)\n", module, module)
	}
	pages["README.md"] = index.String()
	pages["missing.md"] = b.missing(byModule)
	pages["compat.md"] = releases()
	return pages
}

// releases is the page about what hangs on the OpenResty that is spoken.
func releases() string {
	var p strings.Builder
	fmt.Fprintf(&p, "# Which OpenResty is spoken\n\n%s\nThe newest one, %s, unless the directive `compat` or %s in the environment names\n%s. "+
		"What tightens security holds whatever is spoken; directives and variables that not all releases have are marked\non their modules' pages.\n\n"+
		"| since | what newer releases do |\n| --- | --- |\n", written, compat.Newest().Release, compat.Env, compat.Oldest().Release)
	for _, d := range compat.Differences() {
		fmt.Fprintf(&p, "| %s | %s |\n", d.Since, cell(d.Does))
	}
	return p.String()
}

// page is about one module.
func (b *book) page(module string, entries []entry, vars []variable) string {
	var p strings.Builder
	fmt.Fprintf(&p, "# %s\n\n%s", module, written)
	if link := pageOf(module); link != "" {
		fmt.Fprintf(&p, "\nIts authors' description: %s\n", link)
	}
	if len(entries) > 0 {
		p.WriteString("\n## Directives\n\n| directive | arguments | stands in | default | notes |\n| --- | --- | --- | --- | --- |\n")
	}
	for _, e := range entries {
		name := "`" + e.name + "`"
		if link := e.link(); link != "" {
			name = "[" + name + "](" + link + ")"
		}
		value := ""
		if d := e.byDefault(); d != "" {
			value = "`" + d + "`"
		}
		fmt.Fprintf(&p, "| %s | %s | %s | %s | %s |\n", name, e.arguments(), strings.Join(names([]*core.Directive{e.row}), ", "),
			cell(value), cell(strings.Join(e.notes(), "; ")))
	}
	if len(vars) > 0 {
		p.WriteString("\n## Variables\n\n| variable | notes |\n| --- | --- |\n")
	}
	for _, v := range vars {
		fmt.Fprintf(&p, "| `$%s` | %s |\n", v.name, v.notes())
	}
	if absent := b.absent(module, vars); absent != "" {
		fmt.Fprintf(&p, "\n## Not here yet\n\n%s", absent)
	}
	return p.String()
}

// cell escapes what would end a table's cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// absent lists what the module's authors have and this server has not.
func (b *book) absent(module string, vars []variable) string {
	var list []string
	for _, m := range known.Modules() {
		if m.Name != module || m.Kind == known.Plus {
			continue
		}
		for _, name := range m.Directives {
			if b.index[name] == nil {
				list = append(list, "`"+name+"`")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known.Variables)) {
		if known.Variables[name] == module && !slices.ContainsFunc(vars, func(v variable) bool { return v.name == name }) {
			list = append(list, "`$"+name+"`")
		}
	}
	if list == nil {
		return ""
	}
	return strings.Join(list, ", ") + "\n"
}

// missing lists the modules without a page.
func (b *book) missing(pages map[string][]entry) string {
	var p strings.Builder
	p.WriteString("# What is missing\n\n" + written + `
Directives of modules that are not here at all; a page of a module that is here ends with what it lacks. Each of them is an
error that names the module, from ` + "`vet`, `build` and `gen`" + `. An outermost block can be left out: ` + "`--ignore stream`" + `.
`)
	for kind, title := range []string{known.Standard: "Modules of nginx", known.Addon: "Modules by others", known.Plus: "Of the commercial nginx"} {
		fmt.Fprintf(&p, "\n## %s\n\n", title)
		list := known.Modules()
		slices.SortFunc(list, func(a, b known.Module) int { return cmp.Compare(a.Name, b.Name) })
		for _, m := range list {
			if m.Kind != known.Kind(kind) || len(m.Directives) == 0 || m.Kind != known.Plus && pages[m.Name] != nil {
				continue
			}
			fmt.Fprintf(&p, "* **%s**: %s\n", m.Name, "`"+strings.Join(m.Directives, "`, `")+"`")
		}
	}
	return p.String()
}
