// Package configure says what a server can do in the words of nginx's configure: -V and
// ngx.config.nginx_configure() print them.
package configure

import (
	"reflect"
	"runtime"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
)

// Modules are nginx's names for parts of a server that a directive shows to be
// there or not.
var Modules = []struct {
	Name, Directive string
	Standard        bool // in nginx unless it is left out
}{
	{"threads", "thread_pool", false},
	{"http_ssl_module", "ssl_certificate", false},
	{"http_v2_module", "listen", false},
	{"http_realip_module", "set_real_ip_from", false},
	{"http_addition_module", "add_before_body", false},
	{"http_sub_module", "sub_filter", false},
	{"http_dav_module", "dav_methods", false},
	{"http_gunzip_module", "gunzip", false},
	{"http_gzip_static_module", "gzip_static", false},
	{"http_auth_request_module", "auth_request", false},
	{"http_random_index_module", "random_index", false},
	{"http_secure_link_module", "secure_link", false},
	{"http_slice_module", "slice", false},
	{"http_stub_status_module", "stub_status", false},
	{"stream", "stream", false},
	{"http_charset_module", "charset", true},
	{"http_gzip_module", "gzip", true},
	{"http_ssi_module", "ssi", true},
	{"http_userid_module", "userid", true},
	{"http_access_module", "allow", true},
	{"http_auth_basic_module", "auth_basic", true},
	{"http_mirror_module", "mirror", true},
	{"http_autoindex_module", "autoindex", true},
	{"http_geo_module", "geo", true},
	{"http_map_module", "map", true},
	{"http_split_clients_module", "split_clients", true},
	{"http_referer_module", "valid_referers", true},
	{"http_rewrite_module", "rewrite", true},
	{"http_proxy_module", "proxy_pass", true},
	{"http_fastcgi_module", "fastcgi_pass", true},
	{"http_uwsgi_module", "uwsgi_pass", true},
	{"http_scgi_module", "scgi_pass", true},
	{"http_grpc_module", "grpc_pass", true},
	{"http_memcached_module", "memcached_pass", true},
	{"http_limit_conn_module", "limit_conn", true},
	{"http_limit_req_module", "limit_req", true},
	{"http_empty_gif_module", "empty_gif", true},
	{"http_browser_module", "ancient_browser", true},
	{"http_upstream_hash_module", "hash", true},
	{"http_upstream_ip_hash_module", "ip_hash", true},
	{"http_upstream_least_conn_module", "least_conn", true},
	{"http_upstream_random_module", "random", true},
	{"http_upstream_keepalive_module", "keepalive", true},
	{"http_upstream_zone_module", "zone", true},
	{"http_cache", "proxy_cache", true},
}

// Arguments are what nginx's configure would have been given for a server that
// can do what this one can: -V and ngx.config.nginx_configure() say them, and scripts
// and test suites look there.
func Arguments(modules []*core.Module) string {
	args := []string{"--with-debug"}
	index := core.DirectiveIndex(modules)
	for _, m := range Modules {
		if !m.Standard && Implemented(index[m.Directive]) {
			args = append(args, "--with-"+m.Name)
		}
	}
	args = append(args, "--add-module=ngx_devel_kit", "--add-module=ngx_http_lua_module",
		"--add-module=ngx_http_echo_module", "--add-module=ngx_http_headers_more_filter_module")
	return strings.Join(args, " ")
}

// Implemented reports whether one of a directive's rows does anything: some are known only to
// be accepted without effect or to be refused.
func Implemented(rows []*core.Directive) bool {
	for _, row := range rows {
		name := strings.ToLower(runtime.FuncForPC(reflect.ValueOf(row.Set).Pointer()).Name())
		if !strings.HasSuffix(name, ".ignored") && !strings.HasSuffix(name, ".inert") &&
			!strings.Contains(name, ".refused") { // closures of an inlined function are called after their caller first
			return true
		}
	}
	return false
}
