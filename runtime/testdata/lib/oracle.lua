-- Re-records the expectations of a case file: luajit oracle.lua FILE.
-- A case is a line with a call; the tab-indented line after it is what it gives.
-- Prefix "mut " also shows the first argument after the call.

local function quote(s)
  return '"' .. s:gsub('[%c"\\\127-\255]', function(c) return ("\\%03d"):format(c:byte()) end) .. '"'
end

-- A line "-- digits N" sets how many digits of numbers are shown: 14 spares the last
-- bits, in which mathematical libraries differ.
local digits = "%.17g"
local show
local function showtable(t)
  local out, n = {}, 0
  for i = 1, #t do out[i] = show(t[i]); n = i end
  local keys = {}
  for k in pairs(t) do
    if not (type(k) == "number" and k >= 1 and k <= n and k % 1 == 0) then keys[#keys + 1] = k end
  end
  table.sort(keys, function(a, b) return show(a) < show(b) end)
  for _, k in ipairs(keys) do out[#out + 1] = "[" .. show(k) .. "]=" .. show(t[k]) end
  return "{" .. table.concat(out, ", ") .. "}"
end

function show(v)
  local ty = type(v)
  if ty == "string" then return quote(v) end
  if ty == "number" then return (digits:format(v)) end
  if ty == "table" then return showtable(v) end
  if ty == "nil" or ty == "boolean" then return tostring(v) end
  return ty
end

local function results(...)
  local out = {}
  for i = 1, select("#", ...) do out[i] = show((select(i, ...))) end
  return #out == 0 and "nothing" or table.concat(out, ", ")
end

inf, nan, rep = 1 / 0, 0 / 0, string.rep
function gt(a, b) return a > b end
function always() return true end
function none() end
function give(...) return ... end
function boxed(...) return "<" .. table.concat({ ... }, ",") .. ">" end
function aslist() return {} end
function named(s) return setmetatable({}, { __tostring = function() return s end }) end
mod = setmetatable({}, { __index = function(_, k) return require((k:gsub("_", "."))) end })
ok, cjson = pcall(require, "cjson")
ok, safe = pcall(require, "cjson.safe")

local out = {}
for line in io.lines(arg[1]) do
  if line:match("^%-%-") or line == "" then
    digits = line:match("^%-%- digits") and "%." .. line:match("%d+") .. "g" or digits
    out[#out + 1] = line
  elseif not line:match("^\t") then
    out[#out + 1] = line
    local call, mutated = line:gsub("^mut ", "")
    local head, args = call:match("^([%w_.]+)%((.*)%)$")
    local code = "F, A = " .. head .. ", { n = select('#', L(" .. args .. ")), L(" .. args .. ") }"
    function L(...) return ... end
    assert(loadstring(code, "=x"))()
    local function outcome(good, ...)
      if not good then return "error " .. show((...)) end
      return results(...)
    end
    -- Called from C, so that messages hold neither a name nor a position.
    local text = outcome(pcall(F, unpack(A, 1, A.n)))
    if mutated > 0 then text = text .. "; " .. show(A[1]) end
    out[#out + 1] = "\t" .. text
  end
end
io.output(arg[1]):write(table.concat(out, "\n"), "\n")
