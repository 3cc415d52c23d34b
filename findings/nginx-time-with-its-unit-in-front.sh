#!/usr/bin/env bash
# nginx 1.22.1: a time whose unit stands in front of the number is taken, as a number
# of seconds.
#
# The manual gives times as numbers with a unit behind ("5m"). "m5" passes nginx -t and
# means five seconds, not five minutes: the unit is applied to the number read so far,
# which is none, and what follows it counts as seconds. A blank is a unit of seconds as
# well, so "1 5" is six seconds. The other way round, "5 m", is refused.
# keepalive_timeout shows what was understood: it sends its second time to the client.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download nginx=1.22.1-9+deb12u11
dpkg -x nginx_*.deb pkg
mkdir logs

# understood TIME: what the client is told, or that the configuration is refused.
understood() {
	cat >nginx.conf <<CONF
daemon off; master_process off; pid $dir/pid; error_log $dir/logs/error.log;
events {}
http {
  access_log off;
  client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3;
  uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5;
  server { listen unix:$dir/s; keepalive_timeout 75s "$1"; return 200 "x"; }
}
CONF
	rm -f s
	local nginx=(pkg/usr/sbin/nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/logs/error.log")
	"${nginx[@]}" -t -q 2>/dev/null || { echo refused; return; }
	"${nginx[@]}" &
	local pid=$!
	for _ in $(seq 50); do [ -S s ] && break; sleep 0.1; done
	curl -si --unix-socket s http://x/ | tr -d '\r' | sed -n 's/^Keep-Alive: timeout=//p'
	kill "$pid"
	wait "$pid" || true
}

for time in 5m m5 "1h m" "1 5" "5 m"; do
	echo "$time: $(understood "$time")"
done | tee got
printf '%s\n' '5m: 300' 'm5: 5' '1h m: 3600' '1 5: 6' '5 m: refused' | diff - got
