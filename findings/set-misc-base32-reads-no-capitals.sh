#!/usr/bin/env bash
# set-misc-nginx-module 0.33: set_decode_base32 takes the capitals of base32 and gives
# bytes that mean nothing.
#
# RFC 4648 writes base32 in capitals, and says that a decoder may read small letters too.
# set_encode_base32 writes small letters, so its own texts come back. The same text in
# capitals is no error for set_decode_base32: the variable is set, to other bytes, and
# nothing is logged. Only the digits in it count.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download nginx=1.22.1-9+deb12u11 libnginx-mod-http-set-misc=0.33-3 libnginx-mod-http-ndk=1:0.3.2-3 2>/dev/null
for deb in *.deb; do dpkg -x "$deb" pkg; done
mkdir logs
cat >nginx.conf <<CONF
load_module $dir/pkg/usr/lib/nginx/modules/ndk_http_module.so;
load_module $dir/pkg/usr/lib/nginx/modules/ngx_http_set_misc_module.so;
daemon off; master_process off; pid $dir/pid; error_log $dir/logs/error.log info;
events {}
http {
  access_log off;
  client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3;
  uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5;
  server {
    listen unix:$dir/s;
    location /encode { set \$v "hello"; set_encode_base32 \$v; return 200 \$v; }
    location /decode { set_decode_base32 \$v \$arg_v; return 200 \$v; }
  }
}
CONF
pkg/usr/sbin/nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/logs/error.log" &
pid=$!
for _ in $(seq 50); do [ -S s ] && break; sleep 0.1; done
get() { curl -s --unix-socket s "http://x$1"; }
{
	small=$(get /encode)
	echo "hello is $small"
	echo "$small is $(get "/decode?v=$small")"
	capitals=$(tr a-z A-Z <<<"$small")
	echo "$capitals is $(get "/decode?v=$capitals" | od -An -tx1 | sed 's/^ //')"
	echo "complaints in the log: $(grep -cE '\[(warn|error|crit|alert)\]' logs/error.log || true)"
} | tee got
kill "$pid"
wait "$pid" || true
diff - got <<'WANT'
hello is d1imor3f
d1imor3f is hello
D1IMOR3F is 00 40 00 00 60
complaints in the log: 0
WANT
