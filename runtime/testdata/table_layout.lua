-- Records the sizes of both parts of tables, and their lengths, while keys are set:
-- luajit -joff table_layout.lua > table_layout.txt
local ffi = require "ffi"
require "table.new" require "table.clear"
local seed, rounds = tonumber(arg[1] or 1), tonumber(arg[2] or 120)
print(seed, rounds)
local function rnd(n) seed = seed * 16807 % 2147483647 return seed % n end
local function sizes(t) -- asize and hmask of LuaJIT's GCtab
  local p = ffi.cast("uint32_t*", ffi.cast("uintptr_t", tonumber(string.format("%p", t))))
  return p[12], p[13] == 0 and 0 or p[13] + 1
end
for round = 1, rounds do
  local t = {}
  if rnd(3) == 0 then t = table.new(rnd(12), rnd(6)) end
  local line, wide = {}, 4 * 2 ^ rnd(4)
  for step = 1, 30 do
    local op, k = rnd(16), rnd(wide)
    local asize = sizes(t)
    if op < 5 then t[k] = step
    elseif op < 7 then t[#t + 1] = step
    elseif op == 7 then t["name" .. k] = step
    elseif op == 8 then t[k + 0.5] = step
    elseif op == 9 then t[-1 - k] = step
    elseif op == 10 then t[wide - step] = step
    elseif op < 13 then if k < asize then t[k] = nil end
    elseif op == 13 then table.insert(t, step)
    elseif op == 14 then if #t < asize then table.remove(t) end
    elseif rnd(4) == 0 then table.clear(t)
    else t[2 * k] = step end
    local a, h = sizes(t)
    line[#line + 1] = a .. "," .. h .. "," .. #t
  end
  local asize = sizes(t)
  for k in pairs(t) do
    if type(k) == "number" and k >= 0 and k < asize and k % 1 == 0 then line[#line + 1] = k end
  end
  print(table.concat(line, " "))
end
-- The order of all keys, where none is a string or an object.
for round = 1, rounds / 2 do
  local t, line, wide = {}, {}, 10 * 8 ^ rnd(5)
  if rnd(3) == 0 then t = table.new(rnd(4), rnd(9)) end
  for step = 1, 1 + rnd(40) do
    local op, k = rnd(8), rnd(wide)
    if op < 3 then t[k] = step
    elseif op == 3 then t[-k] = step
    elseif op == 4 then t[k + 0.5] = step
    elseif op == 5 then t[k * 2 ^ 40] = step
    elseif op == 6 then t[k % 2 == 0] = step
    else t[10 * k] = step end
    if step % 16 == 0 then for k in pairs(t) do line[#line + 1] = tostring(k) end line[#line + 1] = "-" end
  end
  for k in pairs(t) do line[#line + 1] = tostring(k) end
  print(table.concat(line, " "))
end
