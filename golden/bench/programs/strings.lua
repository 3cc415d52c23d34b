-- Splitting, substitution, formatting and concatenation.
local function split(s, sep)
  local out, start = {}, 1
  while true do
    local i, j = s:find(sep, start, true)
    if not i then break end
    out[#out + 1] = s:sub(start, i - 1)
    start = j + 1
  end
  out[#out + 1] = s:sub(start)
  return out
end

local words = {}
for i = 1, 200 do words[i] = ("w%03d"):format(i * 7 % 1000) end
local line = table.concat(words, ",")

local total = 0
for i = 1, tonumber(arg and arg[1]) or 8000 do
  local parts = split(line, ",")
  total = total + #parts
  local upper = line:gsub("%a(%d)", "W%1")
  total = total + #upper
  local buf = ""
  for k = 1, 40 do buf = buf .. parts[k]:upper() .. ";" end
  total = total + #buf
  for word, digits in line:gmatch("(%a+)(%d+)") do
    if digits == "007" then total = total + #word end
  end
  local encoded = line:sub(1, 100):gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end)
  total = total + #encoded + #("%d-%s-%5.2f"):format(i, parts[i % 200 + 1], i / 3)
end
print(total)
