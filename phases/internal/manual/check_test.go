package manual

import (
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/known"
	"github.com/moonphase/moonphase/phases/internal/modules"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"proxy_pass", "proxy_pass", 0}, {"proxy_pas", "proxy_pass", 1}, {"porxy_pass", "proxy_pass", 1},
		{"proxypass", "proxy_pass", 1}, {"root", "rot", 1}, {"a", "abcd", 3}, {"abcdef", "fedcba", 4}, {"", "abc", 3},
	} {
		if got := distance(c.a, c.b, 3); got != c.want {
			t.Errorf("%q and %q are %d apart, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestNearest: of two that are as near the one that may stand at the place is meant.
func TestNearest(t *testing.T) {
	index := core.DirectiveIndex(modules.All())
	for _, c := range []struct {
		name string
		in   core.Level
		want string
	}{
		{"proxy_pas", core.InLocation, "proxy_pass"},
		{"keepalive_timeot", core.InServer, "keepalive_timeout"},
		{"limit_req_zon", core.InHTTP, "limit_req_zone"},
		{"serve", core.InHTTP, "server"},
		{"servername", core.InServer, "server_name"},
		{"xyzzy", core.InServer, ""},
		{"image_filte", core.InLocation, "image_filter"},
		{"lua_shared_dic", core.InHTTP, "lua_shared_dict"},
	} {
		if got, _ := nearest(index, c.name, c.in); got != c.want {
			t.Errorf("%s: %q is proposed, want %q", c.name, got, c.want)
		}
	}
}

// TestCheck goes on to the end, and complains about no directive twice.
func TestCheck(t *testing.T) {
	tree, err := conf.Parse("nginx.conf", "/", []byte(
		`events { wrong; } http { geoip_org f; server { root a b; location / { image_filter off; echo; } } }`))
	if err != nil {
		t.Fatal(err)
	}
	found, err := Check(tree, core.CompileOptions{Prefix: "/", ConfPath: "/nginx.conf"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range found {
		got = append(got, c.At.Name)
	}
	if want := "wrong geoip_org root image_filter"; strings.Join(got, " ") != want {
		t.Errorf("complaints about %v, want %s", got, want)
	}
	if e := found[1]; e.Err.Error() != `unknown directive "geoip_org" in nginx.conf:1` || e.Kind != Absent {
		t.Errorf("nginx would not say %v", e.Err)
	}
}

// TestBuiltin: a directive that is not there is told once of a file that is built in.
func TestBuiltin(t *testing.T) {
	tree, err := conf.Parse("params", "/", []byte("perl_set a b; perl_set c d; events {} http {}"))
	if err != nil {
		t.Fatal(err)
	}
	tree.Files[0].Builtin = true
	found, err := Check(tree, core.CompileOptions{Prefix: "/", ConfPath: "/nginx.conf"})
	if err != nil || len(found) != 1 || found[0].Kind != Absent {
		t.Errorf("%v: %+v", err, found)
	}
}

// TestKnown: no name stands twice in one module, and the directives of nginx are all there.
func TestKnown(t *testing.T) {
	nginx := map[string]bool{}
	for _, m := range known.Modules() {
		seen := map[string]bool{}
		for _, name := range m.Directives {
			if seen[name] {
				t.Errorf("%s has %s twice", m.Name, name)
			}
			seen[name], nginx[name] = true, true
		}
	}
	for name := range core.DirectiveIndex(modules.All()) {
		if !nginx[name] && !ours[name] {
			t.Errorf("%s is a directive here, and the tables of package known do not have it", name)
		}
	}
}

func TestCheckModule(t *testing.T) {
	for file, want := range map[string]string{
		"modules/ngx_http_lua_module.so": "", "ndk_http_module.so": "", "/x/ngx_http_headers_more_filter_module.so": "",
		"modules/ngx_stream_module.so":      "(ngx_stream_module)",
		"modules/ngx_pagespeed.so":          "(ngx_pagespeed)",
		"modules/ngx_http_nobody_module.so": "does not know",
	} {
		if got := CheckModule(file, nil); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	if got := CheckModule("ngx_stream_module.so", []string{"stream"}); got != "" {
		t.Errorf("stream is ignored, and %s", got)
	}
}
