-- A JSON codec in Lua: byte-wise scanning, recursion, table building.
local byte, sub, find, char = string.byte, string.sub, string.find, string.char
local concat, format = table.concat, string.format

local decode_value
local function skip(s, i) return find(s, "[^ \t\r\n]", i) or #s + 1 end

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
local function decode_string(s, i)
  local out, start = {}, i + 1
  while true do
    local j = find(s, '["\\]', start)
    out[#out + 1] = sub(s, start, j - 1)
    if byte(s, j) == 34 then return concat(out), j + 1 end
    local c = sub(s, j + 1, j + 1)
    if c == "u" then
      out[#out + 1] = char(tonumber(sub(s, j + 2, j + 5), 16) % 256)
      start = j + 6
    else
      out[#out + 1] = escapes[c]
      start = j + 2
    end
  end
end

local function decode_array(s, i)
  local out, n = {}, 0
  i = skip(s, i + 1)
  if byte(s, i) == 93 then return out, i + 1 end
  while true do
    n = n + 1
    out[n], i = decode_value(s, i)
    i = skip(s, i)
    if byte(s, i) == 93 then return out, i + 1 end
    i = skip(s, i + 1)
  end
end

local function decode_object(s, i)
  local out = {}
  i = skip(s, i + 1)
  if byte(s, i) == 125 then return out, i + 1 end
  while true do
    local key
    key, i = decode_string(s, i)
    i = skip(s, skip(s, i) + 1)
    out[key], i = decode_value(s, i)
    i = skip(s, i)
    if byte(s, i) == 125 then return out, i + 1 end
    i = skip(s, i + 1)
  end
end

function decode_value(s, i)
  local c = byte(s, i)
  if c == 123 then return decode_object(s, i)
  elseif c == 91 then return decode_array(s, i)
  elseif c == 34 then return decode_string(s, i)
  elseif c == 116 then return true, i + 4
  elseif c == 102 then return false, i + 5
  elseif c == 110 then return nil, i + 4 end
  local _, j = find(s, "^-?%d+%.?%d*[eE]?[+-]?%d*", i)
  return tonumber(sub(s, i, j)), j + 1
end

local encode_value
local function encode_string(s)
  return '"' .. s:gsub('[%c"\\]', function(c) return format("\\u%04x", byte(c)) end) .. '"'
end

function encode_value(v, out)
  local t = type(v)
  if t == "table" then
    if v[1] ~= nil then
      out[#out + 1] = "["
      for i, item in ipairs(v) do
        if i > 1 then out[#out + 1] = "," end
        encode_value(item, out)
      end
      out[#out + 1] = "]"
    else
      local keys = {}
      for k in pairs(v) do keys[#keys + 1] = k end
      table.sort(keys)
      out[#out + 1] = "{"
      for i, k in ipairs(keys) do
        if i > 1 then out[#out + 1] = "," end
        out[#out + 1] = encode_string(k)
        out[#out + 1] = ":"
        encode_value(v[k], out)
      end
      out[#out + 1] = "}"
    end
  elseif t == "string" then
    out[#out + 1] = encode_string(v)
  else
    out[#out + 1] = tostring(v)
  end
end

local docs = {}
for i = 1, 60 do
  docs[i] = format('{"id": %d, "name": "item \\"%d\\"", "tags": ["a", "b", "c%d"], "price": %d.5, "ok": true, "nested": {"x": [1, 2, 3], "y": {"z": %d}}}', i, i, i, i, i)
end
local text = "[" .. concat(docs, ",\n") .. "]"
local size = 0
for _ = 1, tonumber(arg and arg[1]) or 500 do
  local value = decode_value(text, 1)
  local out = {}
  encode_value(value, out)
  size = size + #concat(out)
end
print(size)
