package core_test

import (
	"testing"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/modules"
)

// TestCompileErrors compares the complaints about bad configurations with what
// nginx -t (1.22.1, with ngx_lua) says; each text stands alone in http{}.
func TestCompileErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`server { bogus on; }`, `unknown directive "bogus" in nginx.conf:3`},
		{`server { location / { listen 80; } }`, `"listen" directive is not allowed here in nginx.conf:3`},
		{`server { location / { return; } }`, `invalid number of arguments in "return" directive in nginx.conf:3`},
		{`server { location / { internal on; } }`, `invalid number of arguments in "internal" directive in nginx.conf:3`},
		{`server { location / { proxy_buffering maybe; } }`, `invalid value "maybe" in "proxy_buffering" directive, it must be "on" or "off" in nginx.conf:3`},
		{`server { location / { proxy_buffering on; proxy_buffering off; } }`, `"proxy_buffering" directive is duplicate in nginx.conf:3`},
		{`server { location / { content_by_lua "a"; content_by_lua "b"; } }`, `"content_by_lua" directive is duplicate in nginx.conf:3`},
		{`server { location /a { } location /a { } }`, `duplicate location "/a" in nginx.conf:3`},
		{`server { location /a { location /b { } } }`, `location "/b" is outside location "/a" in nginx.conf:3`},
		{`server { location = /a { location /a/b { } } }`, `location "/a/b" cannot be inside the exact location "/a" in nginx.conf:3`},
		{`server { location / { set $x $nosuch; } }`, `unknown "nosuch" variable`},
		{`server { location / { set $uri 1; } }`, `the duplicate "uri" variable in nginx.conf:3`},
		{`server { location / { rewrite ^ /x sometimes; } }`, `invalid parameter "sometimes" in nginx.conf:3`},
		{`server { location / { return abc; } }`, `invalid return code "abc" in nginx.conf:3`},
		{`server { location / { if ($a == b) { } } }`, `unexpected "==" in condition in nginx.conf:3`},
		{`server { location { } }`, `invalid number of arguments in "location" directive in nginx.conf:3`},
		{`server { location / ; }`, `directive "location" has no opening "{" in nginx.conf:3`},
		{`server { root /a { } }`, `directive "root" is not terminated by ";" in nginx.conf:3`},
		{`server { keepalive_timeout 5x; }`, `"keepalive_timeout" directive invalid value in nginx.conf:3`},
		{`server { client_max_body_size 5q; }`, `"client_max_body_size" directive invalid value in nginx.conf:3`},
		{`server { location ~ ( { } }`, `pcre2_compile() failed: missing closing parenthesis in "(" in nginx.conf:3`},
		{`server { error_page 200 /x; }`, `value "200" must be between 300 and 599 in nginx.conf:3`},
		{`server { error_page 404; }`, `invalid number of arguments in "error_page" directive in nginx.conf:3`},
		{`upstream u { }`, `no servers are inside upstream in nginx.conf:3`},
		{`resolver 127.0.0.1; upstream u { server 127.0.0.1:1; resolver 127.0.0.2; }`, `OK`}, // of its own, as in nginx 1.27.3
		{`upstream u { server 127.0.0.1:1 wieght=2; }`, `invalid parameter "wieght=2" in nginx.conf:3`},
		{`server { location ~ /x { proxy_pass http://127.0.0.1:1/y; } }`, `"proxy_pass" cannot have URI part in location given by regular expression, or inside named location, or inside "if" statement, or inside "limit_except" block in nginx.conf:3`},
		{`server { location / { proxy_pass 127.0.0.1; } }`, `invalid URL prefix in nginx.conf:3`},
		{`lua_shared_dict d 10;`, `invalid lua shared dict size "10" in nginx.conf:3`},
		{`server { location / { satisfy some; } }`, `invalid value "some" in nginx.conf:3`},
		{`server { resolver 127.0.0.1:99999; }`, `invalid port in resolver "127.0.0.1:99999" in nginx.conf:3`},
		{`server { resolver [::1; }`, `invalid host in resolver "[::1" in nginx.conf:3`},
		{`server { resolver "a b.invalid"; }`, `host not found in resolver "a b.invalid" in nginx.conf:3`},
		{`server { resolver valid=1s; }`, `no name servers defined in nginx.conf:3`},
		{`server { resolver 127.0.0.1 ipv6=maybe; }`, `invalid parameter: ipv6=maybe in nginx.conf:3`},
		{`server { listen 127.0.0.1:99999; }`, `invalid port in "127.0.0.1:99999" of the "listen" directive in nginx.conf:3`},
		{`server { location @n { location /x { } } }`, `location "/x" cannot be inside the named location "@n" in nginx.conf:3`},
		{`server { location / { if ($x) { if ($y) { } } } }`, `"if" directive is not allowed here in nginx.conf:3`},
		{`server { location / { set x 1; } }`, `invalid variable name "x" in nginx.conf:3`},
		{`map $uri $m { a b c; }`, `invalid number of the map parameters in nginx.conf:3`},
		{`server { location / { allow 1.2.3.4.5; } }`, `invalid parameter "1.2.3.4.5" in nginx.conf:3`},
		{`sendfile maybe;`, `invalid value "maybe" in "sendfile" directive, it must be "on" or "off" in nginx.conf:3`},
		{`sendfile on; sendfile on;`, `"sendfile" directive is duplicate in nginx.conf:3`},
		{`sendfile on; server { sendfile on; location / { sendfile off; } }`, `OK`},
		{`directio x;`, `"directio" directive invalid value in nginx.conf:3`},
		{`aio maybe;`, `"aio" directive invalid value in nginx.conf:3`},
		{`open_file_cache_min_uses x;`, `"open_file_cache_min_uses" directive invalid number in nginx.conf:3`},
		{`server { location / { pcre_jit on; } }`, `"pcre_jit" directive is not allowed here in nginx.conf:3`},
		{`server { accept_mutex on; }`, `"accept_mutex" directive is not allowed here in nginx.conf:3`},
		{`disable_symlinks off from=/x;`, `"from=" cannot be used with "off" parameter in nginx.conf:3`},
		{`disable_symlinks from=/x;`, `"disable_symlinks" must have "off", "on" or "if_not_owner" parameter in nginx.conf:3`},
		{`disable_symlinks on on;`, `duplicate parameters "on on" in nginx.conf:3`},
		{`disable_symlinks yes;`, `invalid parameter "yes" in nginx.conf:3`},
		{`server { listen 127.0.0.1:18302-18301; }`, `invalid port range in "127.0.0.1:18302-18301" of the "listen" directive in nginx.conf:3`},
		{`server { listen 127.0.0.1:1-99999; }`, `invalid port in "127.0.0.1:1-99999" of the "listen" directive in nginx.conf:3`},
		{`server { listen 127.0.0.1:18300-18301; listen 127.0.0.1:18301; }`, `a duplicate listen 127.0.0.1:18301 in nginx.conf:3`},
		{`server { listen :18300; }`, `no host in ":18300" of the "listen" directive in nginx.conf:3`},
		{`server { listen [::1; }`, `invalid host in "[::1" of the "listen" directive in nginx.conf:3`},
		{`server { listen 18300 setfib=1; }`, `invalid parameter "setfib=1" in nginx.conf:3`},
		{`server { listen 18300 backlog=0; }`, `invalid backlog "backlog=0" in nginx.conf:3`},
		{`server { listen 18300 sndbuf=; }`, `invalid sndbuf "sndbuf=" in nginx.conf:3`},
		{`server { listen [::1]:18300 ipv6only=oz; }`, `invalid ipv6only flags "oz" in nginx.conf:3`},
		{`server { listen 18300 so_keepalive=::; }`, `invalid so_keepalive value: "::" in nginx.conf:3`},
		{`server { listen 18300 fastopen=x; }`, `invalid fastopen "fastopen=x" in nginx.conf:3`},
		{`server { listen 18300 bind; } server { listen 18300 deferred; }`, `duplicate listen options for 0.0.0.0:18300 in nginx.conf:3`},
		{`server { access_log a.log combined flush=1s; }`, `no buffer is defined for access_log "a.log" in nginx.conf:3`},
		{`server { access_log a-$host.log combined buffer=8k; }`, `buffered logs cannot have variables in name in nginx.conf:3`},
		{`server { access_log a.log combined gzip=0; }`, `invalid compression level "0" in nginx.conf:3`},
		{`server { access_log a.log combined buffer=0; }`, `invalid buffer size "0" in nginx.conf:3`},
		{`server { access_log a.log combined buffer=4k; access_log a.log combined buffer=8k; }`, `access_log "a.log" already defined with conflicting parameters in nginx.conf:3`},
		{`server { access_log syslog:server=127.0.0.1 combined buffer=4k; }`, `logs to syslog cannot be buffered in nginx.conf:3`},
		{`server { access_log a.log combined foo; }`, `invalid parameter "foo" in nginx.conf:3`},
		{`server { error_log a.log info debug; }`, `duplicate log level "debug" in nginx.conf:3`},
		{`server { error_log memory:100; }`, `invalid buffer size "100" in nginx.conf:3`},
		{`server { expires modified @1h; }`, `"expires" directive daily time cannot be used with "modified" parameter in nginx.conf:3`},
		{`server { expires @25h; }`, `"expires" directive daily time value must be less than 24 hours in nginx.conf:3`},
		{`server { expires 1ms; }`, `"expires" directive invalid value in nginx.conf:3`},
		{`server { limit_rate x; }`, `"limit_rate" directive invalid value in nginx.conf:3`},
		{`server { keepalive_disable opera; }`, `invalid value "opera" in nginx.conf:3`},
		{`server { gzip_proxied sometimes; }`, `invalid value "sometimes" in nginx.conf:3`},
		{`server { charset $a$b; }`, `unknown "a$b" variable`},
		{`server { autoindex_format csv; }`, `invalid value "csv" in nginx.conf:3`},
		{`server { output_buffers 0 1; }`, `"output_buffers" directive invalid value in nginx.conf:3`},
	} {
		tree, err := conf.Parse("nginx.conf", ".", []byte("events { }\nhttp {\n"+tt.text+"\n}\n"))
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		_, err = core.Compile(tree.Directives, core.CompileOptions{Prefix: t.TempDir() + "/", Modules: modules.All()})
		got := "OK"
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.text, got, tt.want)
		}
	}
}
