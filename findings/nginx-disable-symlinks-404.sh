#!/usr/bin/env bash
# nginx 1.22.1: disable_symlinks denies a link at the end of a path, but does not
# find one in its middle.
#
# The manual says that access is denied when any component of the path is a
# symbolic link. A link as the last component is answered with 403 (ELOOP). A link
# before it is answered with 404: on Linux the component is opened with O_PATH and
# O_NOFOLLOW, which succeeds on a link and gives a descriptor of the link itself, so
# that the next openat() fails with ENOTDIR. Whoever watches a log for 403 or for
# "Too many levels of symbolic links" misses such requests; the file stays closed.
set -euo pipefail
dir=$(mktemp -d)
trap '[ -z "${pid:-}" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download nginx=1.22.1-9+deb12u11
dpkg -x nginx_*.deb pkg

mkdir -p logs www/real/sub
echo file >www/real/sub/f.txt
ln -s real www/middle
ln -s f.txt www/real/sub/end.txt
cat >nginx.conf <<CONF
daemon off; pid $dir/pid; error_log $dir/logs/error.log;
events {}
http {
  access_log off;
  client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3;
  uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5;
  server { listen unix:$dir/s; root $dir/www; disable_symlinks on from=\$document_root; }
}
CONF
chmod 755 "$dir"
pkg/usr/sbin/nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/logs/error.log" -g 'user root;' &
pid=$!
for _ in $(seq 50); do [ -S s ] && break; sleep 0.1; done

ask() { curl -s -o /dev/null -w '%{http_code}' --unix-socket s "http://x$1"; }
got="plain $(ask /real/sub/f.txt), last $(ask /real/sub/end.txt), middle $(ask /middle/sub/f.txt)"
echo "$got"
grep -o 'failed ([0-9]*: [^)]*)' logs/error.log
[ "$got" = "plain 200, last 403, middle 404" ]
grep -q 'middle/sub/f.txt" failed (20: Not a directory)' logs/error.log
