-- Generators and a producer-filter-consumer chain.
local function range(n)
  return coroutine.wrap(function()
    for i = 1, n do coroutine.yield(i) end
  end)
end

local function filter(source, keep)
  return coroutine.wrap(function()
    for v in source do
      if keep(v) then coroutine.yield(v, v * 2) end
    end
  end)
end

local n = tonumber(arg and arg[1]) or 2000000
local sum = 0
for v, double in filter(range(n), function(v) return v % 3 == 0 end) do sum = sum + v + double end
print(sum)

-- Many short-lived ones.
local count = 0
for i = 1, n / 20 do
  local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end)
  local _, x = coroutine.resume(co, i)
  local _, y = coroutine.resume(co, x)
  count = count + y
end
print(count)
