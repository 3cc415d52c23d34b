// Package known lists the directives that nginx 1.31 and modules which many people build into it have,
// whether this server has them or not: so that a configuration that uses one it does not have
// is told so, and not that there is no such directive.
package known

import "strings"

// Kind says where a module comes from.
type Kind int

const (
	Standard Kind = iota // of nginx itself
	Addon                // by others than nginx's authors, or a project of its own
	Plus                 // only in nginx's commercial version
)

// Module is a module with its directives.
type Module struct {
	Name string // "ngx_http_dav_module"
	Kind Kind
	// Later: nobody is at work on it here.
	Later      bool
	Directives []string
}

// group is a module as the tables below have it.
type group struct {
	name  string
	later bool
	names string // of directives, separated by white space
}

// Modules lists all of them, nginx's own first.
func Modules() []Module {
	var list []Module
	for kind, groups := range [][]group{Standard: nginx, Addon: addons, Plus: plus} {
		for _, g := range groups {
			list = append(list, Module{g.name, Kind(kind), g.later, strings.Fields(g.names)})
		}
	}
	return list
}

// Find lists the modules that have the directive.
func Find(directive string) (found []Module) {
	for _, m := range Modules() {
		for _, name := range m.Directives {
			if name == directive {
				found = append(found, m)
			}
		}
	}
	return found
}

// ByFile finds a module by the file that load_module names: "ngx_http_dav_module.so".
func ByFile(file string) (Module, bool) {
	name := strings.TrimSuffix(file, ".so")
	if m, ok := files[name]; ok {
		name = m
	}
	for _, m := range Modules() {
		if m.Name == name {
			return m, true
		}
	}
	return Module{}, false
}

// Gone says what takes the place of directives that nginx 1.31 has no longer.
var Gone = map[string]string{
	"ssl":                         `the parameter "ssl" of "listen"`,
	"limit_zone":                  `"limit_conn_zone"`,
	"satisfy_any":                 `"satisfy any"`,
	"optimize_server_names":       `"server_name_in_redirect"`,
	"so_keepalive":                `the parameter "so_keepalive" of "listen"`,
	"spdy_chunk_size":             `"http2_chunk_size"`,
	"spdy_headers_comp":           `"http2 on"`,
	"open_file_cache_retest":      `"open_file_cache_valid"`,
	"proxy_upstream_max_fails":    `the parameter "max_fails" of "server"`,
	"proxy_upstream_fail_timeout": `the parameter "fail_timeout" of "server"`,
}

// Since says which version of nginx, or of the module, was the first to have a directive that package compat
// does not list; those without an entry are older than nginx 1.22.1 and ngx_lua 0.10.23.
var Since = map[string]string{
	"balancer_keepalive":      "ngx_lua 0.10.27",
	"http3":                   "nginx 1.25.0",
	"lua_ssl_certificate":     "ngx_lua 0.10.26",
	"lua_ssl_certificate_key": "ngx_lua 0.10.26",
	"lua_ssl_key_log":         "ngx_lua 0.10.29",
	"lua_upstream_skip_openssl_default_verify": "ngx_lua 0.10.29",
	"max_headers":                        "nginx 1.29.8",
	"precontent_by_lua_block":            "ngx_lua 0.10.30",
	"precontent_by_lua_file":             "ngx_lua 0.10.30",
	"proxy_ssl_certificate_by_lua_block": "ngx_lua 0.10.29",
	"proxy_ssl_certificate_by_lua_file":  "ngx_lua 0.10.29",
	"proxy_ssl_certificate_cache":        "nginx 1.27.4",
	"proxy_ssl_key_log":                  "nginx 1.27.2",
	"proxy_ssl_verify_by_lua_block":      "ngx_lua 0.10.29",
	"proxy_ssl_verify_by_lua_file":       "ngx_lua 0.10.29",
	"ssl_certificate_cache":              "nginx 1.27.4",
	"ssl_certificate_compression":        "nginx 1.29.1",
	"ssl_ech_file":                       "nginx 1.29.4",
	"ssl_key_log":                        "nginx 1.27.2",
	"ssl_object_cache_inheritable":       "nginx 1.27.4",
}
