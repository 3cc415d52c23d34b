#!/usr/bin/env bash
# nginx 1.22.1: the conversion tables that it ships turn one capital letter into another,
# small one.
#
# win-utf and koi-utf are charset_maps from windows-1251 and koi8-r to UTF-8. Their
# comments name byte A1 (BE in koi-utf) the capital Belarusian short U, which is U+040E,
# D0 8E in UTF-8. The row says D1 8E: U+044E, the small Russian yu. A page in
# windows-1251 that is served as UTF-8 has the wrong letter, and as the small yu has a row
# of its own too, two bytes become one letter. All other rows of letters of win-utf agree
# with windows-1251.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download nginx-common=1.22.1-9+deb12u11
dpkg -x nginx-common_*.deb pkg

# Rows of win-utf that iconv's windows-1251 does not agree with, and whose letter is it.
while read -r byte utf8 _; do
	utf8=${utf8%;}
	want=$(printf "\\x$byte" | iconv -f windows-1251 -t utf-8 2>/dev/null | od -An -tx1 | tr -d ' \n' | tr a-f A-F) || continue
	[ "$utf8" = "$want" ] || echo "$byte: the table says $utf8, windows-1251 is $want"
done < <(grep -oE '^[[:space:]]+[0-9A-F]{2}[[:space:]]+[0-9A-F]+ ?;' pkg/etc/nginx/win-utf | tr -d ';') | tee got
grep -hoE '(A1|BE)[[:space:]]+D18E' pkg/etc/nginx/win-utf pkg/etc/nginx/koi-utf | tr -s '\t ' ' ' | tee -a got
printf '%s\n' "$(cat <<'WANT'
A1: the table says D18E, windows-1251 is D08E
A1 D18E
BE D18E
WANT
)" | diff - got
