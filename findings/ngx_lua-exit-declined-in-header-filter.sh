#!/usr/bin/env bash
# ngx_lua 0.10.23 on nginx 1.22.1: ngx.exit(ngx.DECLINED) in header_filter_by_lua
# gives the response a status of twenty digits.
#
# In rewrite and access handlers ngx.DECLINED (-5) is a value like others. In a
# header filter the code becomes the response's status, and NGX_DECLINED goes out
# as an unsigned number: a client sees "HTTP/1.1 18446744073709551611".
set -euo pipefail
dir=$(mktemp -d)
trap '[ -z "${pid:-}" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download nginx=1.22.1-9+deb12u11 libnginx-mod-http-lua=1:0.10.23-1+deb12u1 \
	libnginx-mod-http-ndk=1:0.3.2-3 libluajit2-5.1-2=2.1-20230119-1 lua-resty-core=0.1.25-1 lua-resty-lrucache=0.13-10
for deb in *.deb; do dpkg -x "$deb" pkg; done
export LD_LIBRARY_PATH=$dir/pkg/usr/lib/x86_64-linux-gnu
mkdir logs
modules=$dir/pkg/usr/lib/nginx/modules
cat >nginx.conf <<CONF
daemon off; pid $dir/pid; error_log $dir/logs/error.log;
load_module $modules/ndk_http_module.so;
load_module $modules/ngx_http_lua_module.so;
events {}
http {
  access_log off;
  client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3;
  uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5;
  lua_package_path "$dir/pkg/usr/share/lua/5.1/?.lua;;";
  server {
    listen unix:$dir/s;
    location / { return 200 ok; header_filter_by_lua_block { ngx.exit(ngx.DECLINED) } }
  }
}
CONF
chmod 755 "$dir"
pkg/usr/sbin/nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/logs/error.log" -g 'user root;' &
pid=$!
for _ in $(seq 50); do [ -S s ] && break; sleep 0.1; done
line=$(python3 - "$dir/s" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"GET / HTTP/1.0\r\n\r\n")
print(s.recv(4096).split(b"\r\n")[0].decode())
PY
)
echo "$line"
[ "$line" = "HTTP/1.1 18446744073709551611 " ]
