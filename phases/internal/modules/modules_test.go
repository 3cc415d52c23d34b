package modules

import (
	"slices"
	"strings"
	"testing"
)

// nginxOrder is ngx_module_names of Debian's nginx 1.22.1 with ngx_lua, echo and
// headers-more, read out of the running binary, without the words ngx_, http_ and
// _module. The three dynamic ones say of themselves that they go before copy_filter, the
// filter of ngx_brotli before postpone_filter; brotli_static, memc and set_misc say nothing.
// What newer releases have besides, upstream_least_time and upstream_sticky, stands beside its kin.
const nginxOrder = `core errlog conf openssl regex events event_core epoll thread_pool http
http_core log header_count upstream v2
static gzip_static dav autoindex index random_index mirror try_files
auth_request auth_basic access limit_conn limit_req realip
geo map split_clients referer rewrite ssl
proxy fastcgi uwsgi scgi grpc memcached empty_gif browser secure_link flv mp4
upstream_hash upstream_ip_hash upstream_least_conn upstream_random upstream_least_time upstream_keepalive upstream_sticky upstream_zone
stub_status
write_filter header_filter chunked_filter v2_filter range_header_filter gzip_filter brotli_filter
postpone_filter ssi_filter charset_filter sub_filter addition_filter gunzip_filter
userid_filter headers_filter echo lua headers_more_filter echo_body copy_filter
range_body_filter not_modified_filter slice_filter
brotli_static memc set_misc`

// TestOrder compares the list with nginx's. In echo, lua and headers_more it is
// OpenResty's; echo_body has its place from what bodies look like.
func TestOrder(t *testing.T) {
	order := strings.Fields(nginxOrder)
	at := -1
	for _, m := range All() {
		i := slices.Index(order, m.Name)
		switch {
		case i < 0:
			t.Errorf("nginx has no module %s", m.Name)
		case i <= at:
			t.Errorf("%s stands behind %s", m.Name, order[at])
		default:
			at = i
		}
	}
}

// TestModules: no two modules define a directive for the same place, or a variable.
func TestModules(t *testing.T) {
	type place struct {
		name string
		bit  int
	}
	directives, variables := map[place]string{}, map[string]string{}
	for _, m := range All() {
		if m.Directives != nil {
			for _, d := range m.Directives() {
				for bit := range 16 {
					if d.In&(1<<bit) == 0 {
						continue
					}
					p := place{d.Name, bit}
					if other := directives[p]; other != "" {
						t.Errorf("%s and %s have the directive %s for one place", other, m.Name, d.Name)
					}
					directives[p] = m.Name
				}
			}
		}
		if m.Variables != nil {
			for _, v := range m.Variables() {
				if other := variables[v.Name]; other != "" {
					t.Errorf("%s and %s have the variable $%s", other, m.Name, v.Name)
				}
				variables[v.Name] = m.Name
			}
		}
	}
}
