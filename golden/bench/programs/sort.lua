-- Sorting numbers, strings and records with a comparator.
local seed = 42
local function random()
  seed = (seed * 16807) % 2147483647
  return seed
end

local n = tonumber(arg and arg[1]) or 60000
for _ = 1, 3 do
  local numbers, strings, records = {}, {}, {}
  for i = 1, n do
    numbers[i] = random()
    strings[i] = tostring(random())
    records[i] = { key = random() % 1000, index = i }
  end
  table.sort(numbers)
  table.sort(strings)
  table.sort(records, function(a, b)
    if a.key ~= b.key then return a.key < b.key end
    return a.index < b.index
  end)
  print(numbers[1], numbers[n], strings[1], strings[n], records[1].key, records[n].index)
end
