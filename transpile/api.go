package transpile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/vet"
)

// APIFunction is what the reference says of a part of ngx_lua's API.
type APIFunction = vet.Function

// API lists ngx_lua's API, by name, whether a server has it or not.
func API() []APIFunction { return vet.Functions() }

// ExplainAPI describes a function, method or field of the API; have are the names that the server has.
// ok is false for what nobody has. Of a table it lists what is in it.
func ExplainAPI(name string, have []string) (text string, ok bool) {
	var below []string
	for _, f := range API() {
		short := apiName(f)
		if short == name || f.Name == name || strings.HasSuffix(f.Name, " "+name) {
			return explainAPI(f, have), true
		}
		if strings.HasPrefix(f.Name, name) && strings.ContainsAny(f.Name[len(name):len(name)+1], ".: ") {
			below = append(below, "  "+f.Name+"\n")
		}
	}
	if below != nil {
		return name + " has\n" + strings.Join(below, ""), true
	}
	if short, ok := strings.CutPrefix(name, "ngx."); ok && slices.Contains(vet.Constants(), short) {
		return name + ", a constant\n", true
	}
	if slices.Contains(have, name) {
		return name + "\n  here       yes; ngx_lua does not describe it\n", true
	}
	return "", false
}

func explainAPI(f APIFunction, have []string) string {
	var b strings.Builder
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-11s%s\n", what, text)
		}
	}
	fmt.Fprintf(&b, "%s\n", f.Name)
	for _, s := range f.Signatures {
		line("written", s)
	}
	line("returns", f.Returns)
	line("phases", f.Phases)
	if f.Waits {
		line("waits", "others run meanwhile")
	}
	line("since", f.Since)
	if !slices.Contains(have, apiName(f)) {
		line("here", "not yet")
	}
	return b.String()
}

// apiName is the name that scripts find, without the example's last word: ngx.var for ngx.var.VARIABLE.
func apiName(f APIFunction) string {
	if i := strings.LastIndexByte(f.Name, '.'); i >= 0 && f.Name[i+1:] == strings.ToUpper(f.Name[i+1:]) {
		return f.Name[:i]
	}
	return f.Name
}

// APIPage is docs/reference/api.md.
func APIPage(have []string) string {
	var b strings.Builder
	b.WriteString(`# The ngx API

Written by ` + "`go test ./golden -run DocsReference -update`" + ` from the tables of the source.

What ngx_lua 0.10.32 and lua-resty-core have, and whether a server has it. Phases are the first words of the directives,
as in access_by_lua_block; timer is code that ngx.timer runs. ` + "`vet`" + ` finds calls in other phases. "waits" means that other
requests of the worker go on meanwhile. An argument with a question mark can be left out. Their authors' descriptions:
<https://github.com/openresty/lua-nginx-module>, <https://github.com/openresty/lua-resty-core>.
`)
	family := ""
	for _, f := range API() {
		if next := apiFamily(f.Name); next != family {
			family = next
			fmt.Fprintf(&b, "\n## %s\n\n| how it is written | returns | phases | notes |\n| --- | --- | --- | --- |\n", family)
		}
		var notes []string
		if !slices.Contains(have, apiName(f)) {
			notes = append(notes, "**not here yet**")
		}
		if f.Waits {
			notes = append(notes, "waits")
		}
		if f.Since != "" {
			notes = append(notes, "since "+f.Since)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", strings.Join(f.Signatures, "`, `"), f.Returns, f.Phases, strings.Join(notes, ", "))
	}
	b.WriteString("\n## Constants\n\n`ngx." + strings.Join(vet.Constants(), "`, `ngx.") + "`\n")
	return b.String()
}

// apiFamily is the heading that a name stands under.
func apiFamily(name string) string {
	if before, _, ok := strings.Cut(name, ":"); ok {
		before, _, _ = strings.Cut(before, " ")
		return before
	}
	parts := strings.Split(name, ".")
	if len(parts) == 2 {
		return "ngx"
	}
	if last := parts[len(parts)-1]; last == strings.ToUpper(last) && parts[1] != "shared" {
		return "ngx"
	}
	return strings.TrimSuffix(strings.Join(parts[:len(parts)-1], "."), ".DICT")
}
