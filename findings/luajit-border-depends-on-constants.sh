#!/usr/bin/env bash
# LuaJIT 2.1 (luajit2 20230119): the length of a constructor with a nil in the middle
# depends on whether its items are constants, and table.remove loses an item when
# its position is not whole.
#
# #{1, nil, 3} is 1, #{x, nil, 3} with a local x = 1 is 3. Both are borders, but a
# program that replaces a constant by a variable gets another one.
# table.remove(t, 2.5) of five items returns the second and leaves 1 3 4 4: the fifth
# is gone and the fourth is there twice, without an error.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download luajit2=2.1-20230119-1
dpkg -x luajit2_*.deb pkg
lua=pkg/usr/bin/luajit

cat >x.lua <<'LUA'
local x = 1
print(#{1, nil, 3}, #{x, nil, 3})
local t = {1, 2, 3, 4, 5}
print(table.remove(t, 2.5), table.concat(t, " "))
LUA
"$lua" -joff x.lua | tee got
printf '1\t3\n2\t1 3 4 4\n' | diff - got
