package manual

import (
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/known"
	"github.com/moonphase/moonphase/phases/internal/modules"
)

// TestVariables: each variable has a value by its name in a configuration, and stands in the table of nginx's.
func TestVariables(t *testing.T) {
	extra := map[string]bool{} // of modules that others wrote
	for _, v := range variables() {
		name := strings.Replace(v.name, "NAME", "x", 1)
		if !strings.HasPrefix(v.module, "ngx_http_") || strings.HasSuffix(v.name, "NAME") {
			extra[v.name] = true
		}
		if known.Variables[v.name] == "" && !extra[v.name] {
			t.Errorf("$%s is a variable of %s here, and package known does not have it", v.name, v.module)
		}
		tree, err := conf.Parse("x", "/", []byte("events {} http { server { listen unix:x; add_header X $"+name+"; } }"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := core.Compile(tree.Directives, core.CompileOptions{Prefix: "/", ConfPath: "/x", Modules: modules.All()}); err != nil {
			t.Errorf("$%s: %v", name, err)
		}
	}
}

// TestPages: each directive is on one page, and no page says less than it did.
func TestPages(t *testing.T) {
	pages := Pages()
	if len(pages) < 35 {
		t.Fatalf("only %d pages", len(pages))
	}
	for name := range core.DirectiveIndex(modules.All()) {
		on := 0
		for _, text := range pages {
			if before, _, _ := strings.Cut(text, "\n## Not here yet"); strings.Contains(before, "`"+name+"`") {
				on++
			}
		}
		if on == 0 {
			t.Errorf("%s is on no page", name)
		}
	}
	for page, line := range map[string]string{
		"ngx_http_proxy_module.md": "#proxy_read_timeout) | 1 | http, server, location | `60s` |  |",
		"moonphase.md":             "| `compat` | 1 | main |  | which OpenResty",
		"missing.md":               "* **ngx_stream_module**: `stream`",
		"compat.md":                "| nginx 1.23.0 | $http_NAME",
	} {
		if !strings.Contains(pages[page], line) {
			t.Errorf("%s does not say %q", page, line)
		}
	}
}

func TestExplain(t *testing.T) {
	for word, want := range map[string]string{
		"listen":       "stands in  server\n",
		"sendfile":     "accepted, without effect here",
		"proxy_pass":   "more       https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
		"geoip2":       "with the module ngx_http_geoip2_module",
		"ssl":          "gone since nginx 1.25.1: use the parameter",
		"satisfy_any":  "nginx has this no longer",
		"$uri":         "a variable of ngx_http_core_module",
		"$http_x_a":    "one of the variables $http_NAME",
		"$geoip_city":  "ngx_http_geoip_module",
		"health_check": "commercial",
	} {
		if text, ok := Explain(word); !ok || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", word, text, want)
		}
	}
	for _, word := range []string{"xyzzy", "$xyzzy", ""} {
		if text, ok := Explain(word); ok {
			t.Errorf("%s is %q", word, text)
		}
	}
}
