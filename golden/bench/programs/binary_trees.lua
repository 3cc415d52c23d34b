-- Allocation of many small tables.
local function bottom_up(depth)
  if depth == 0 then return {} end
  local left, right = bottom_up(depth - 1), bottom_up(depth - 1)
  return { left, right }
end

local function check(tree)
  if tree[1] then return 1 + check(tree[1]) + check(tree[2]) end
  return 1
end

local n = tonumber(arg and arg[1]) or 15
local long = bottom_up(n)
for depth = 4, n, 4 do
  local iterations = 2 ^ (n - depth + 4)
  local sum = 0
  for _ = 1, iterations do sum = sum + check(bottom_up(depth)) end
  print(iterations, "trees of depth", depth, "check", sum)
end
print("long lived", check(long))
