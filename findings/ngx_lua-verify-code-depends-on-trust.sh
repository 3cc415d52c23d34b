#!/usr/bin/env bash
# ngx_lua 0.10.23 on nginx 1.22.1: the number with which tcpsock:sslhandshake
# refuses a certificate depends on whether lua_ssl_trusted_certificate is set.
#
# A server's certificate is signed by an authority that nobody trusts here. With
# the directive naming some other authority the error is 21 (unable to verify the
# first certificate), without it 20 (unable to get local issuer certificate). The
# verification is the same: naming trusted certificates also installs nginx's
# verify callback, which lets OpenSSL go on after an error, so that the last error
# is reported and not the first. Scripts that compare the text see two.
set -euo pipefail
dir=$(mktemp -d)
trap '[ -z "${pid:-}" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download nginx=1.22.1-9+deb12u11 libnginx-mod-http-lua=1:0.10.23-1+deb12u1 \
	libnginx-mod-http-ndk=1:0.3.2-3 libluajit2-5.1-2=2.1-20230119-1 lua-resty-core=0.1.25-1 lua-resty-lrucache=0.13-10
for deb in *.deb; do dpkg -x "$deb" pkg; done
lua=$dir/pkg/usr/share/lua/5.1
export LD_LIBRARY_PATH=$dir/pkg/usr/lib/x86_64-linux-gnu

authority() { openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.crt" -days 30 -subj "/CN=$1" 2>/dev/null; }
authority one
authority two
openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf.test 2>/dev/null
openssl x509 -req -in leaf.csr -CA one.crt -CAkey one.key -CAcreateserial -days 30 -out leaf.crt 2>/dev/null

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
  lua_package_path "$lua/?.lua;;";
  init_by_lua_block {
    function shake()
      local s = ngx.socket.tcp()
      s:connect("unix:$dir/tls")
      ngx.say(select(2, s:sslhandshake(nil, "leaf.test", true)))
    end
  }
  server { listen unix:$dir/tls ssl; ssl_certificate $dir/leaf.crt; ssl_certificate_key $dir/leaf.key; }
  server {
    listen unix:$dir/s;
    location = /with { lua_ssl_trusted_certificate $dir/two.crt; content_by_lua_block { shake() } }
    location = /without { content_by_lua_block { shake() } }
  }
}
CONF
chmod 755 "$dir"
pkg/usr/sbin/nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/logs/error.log" -g 'user root;' &
pid=$!
for _ in $(seq 50); do [ -S s ] && break; sleep 0.1; done

with=$(curl -s --unix-socket s http://x/with)
without=$(curl -s --unix-socket s http://x/without)
printf 'with:    %s\nwithout: %s\n' "$with" "$without"
[ "$with" = "21: unable to verify the first certificate" ]
[ "$without" = "20: unable to get local issuer certificate" ]
