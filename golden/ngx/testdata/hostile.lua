-- Calls every function that ngx and the modules of the server have with values that no function wants. What is to be
-- called is found by walking the tables, so that new functions are called too.
local M = {}

-- What may not be called, and why.
local left_out = {
  ["os.exit"] = "ends the process",
  ["ngx.process.signal_graceful_exit"] = "ends the process",
  ["os.execute"] = "runs programs", ["io.popen"] = "runs programs", ["ngx.pipe.spawn"] = "runs programs",
  ["os.remove"] = "loses files", ["os.rename"] = "loses files", ["os.tmpname"] = "leaves files", ["io.tmpfile"] = "leaves files",
  ["io.read"] = "waits for the terminal", ["io.lines"] = "waits for the terminal", ["debug.debug"] = "waits for the terminal",
  ["debug.sethook"] = "changes what comes after", ["debug.setmetatable"] = "changes what comes after",
  ["collectgarbage"] = "is slow", ["debug.setfenv"] = "changes what comes after", ["debug.setupvalue"] = "changes what comes after",
  ["debug.upvaluejoin"] = "changes what comes after", ["debug.getregistry"] = "has all objects",
}

local function nested(depth)
  local t = {}
  for _ = 1, depth do t = { t } end
  return t
end

local own = { 1, "x" } own[3] = own
local pair = {} pair[1], pair[2] = pair, pair
local named = {} named.named = named
local raising = setmetatable({}, { __index = function() error("no index") end, __newindex = function() error("no newindex") end,
  __len = function() error("no len") end, __tostring = function() error("no text") end, __call = function() error("no call") end })
local odd = setmetatable({}, { __index = function(_, k) return k end, __len = function() return 1e300 end, __tostring = function() return 5 end })

-- values are what arguments are made of; objects that need a request are added by attempt.
local values = {
  n = 43,
  nil, true, false, 0 / 0, 1 / 0, -1 / 0, 0, 1, -1, 0.5, 2 ^ 31, -2 ^ 31, 2 ^ 53, 1e300, -1e300,
  "", "x", ("x"):rep(1e6), ("\0"):rep(3), "a\r\nb: c", "%s%d%f%99999d%00", "..%2f..%00", "1", "/x?y=%zz", "(a*)*$",
  nested(100000), own, pair, named, {}, { 1, 2, 3 }, { a = 1, [2] = {} }, raising, odd,
  function() return 1 end, print, coroutine.create(function() end), 1LL, { [2 ^ 31] = "x" }, { [2 ^ 53] = "x" }, { [1e300] = "x" },
}
values[42] = coroutine.running()
values[43] = ngx.null

-- lists makes the argument lists of a value; thorough ones are many.
local function lists(v, thorough)
  local out = { { n = 1, v }, { n = 2, "x", v }, { n = 2, v, v } }
  if thorough then
    out[4], out[5], out[6] = { n = 3, v, v, v }, { n = 3, "x", 1, v }, { n = 2, {}, v }
    out[7], out[8], out[9] = { n = 4, "/ok", { args = v, body = v, vars = v, method = v, ctx = v }, v, v }, { n = 2, 0.001, v }, { n = 4, "x", "x", "x", v }
  end
  return out
end

-- functions lists the functions in a table and the tables in it, by path.
local function walk(found, seen, path, t)
  if seen[t] then return end
  seen[t] = true
  for k, v in next, t do
    local name = path .. "." .. tostring(k)
    if type(v) == "function" and not left_out[name] and not left_out[(name:gsub("^module ", ""))] then
      found[#found + 1] = { name = name, f = v }
    elseif type(v) == "table" and k ~= "_G" and k ~= "loaded" and k ~= "preload" and k ~= "loaders" and k ~= "searchers" then
      walk(found, seen, name, v)
    end
  end
  local meta = getmetatable(t)
  if type(meta) == "table" then walk(found, seen, path .. " meta", meta) end
end

local all
function M.functions()
  if all then return all end
  local found, seen = {}, { [M] = true, [_G] = true }
  walk(found, seen, "ngx", ngx)
  for _, name in ipairs(require "hostile_modules") do
    local ok, m = pcall(require, name)
    if ok and type(m) == "table" then walk(found, seen, "module " .. name, m) end
    if ok and type(m) == "function" then found[#found + 1] = { name = "module " .. name, f = m } end
  end
  for _, name in ipairs { "tostring", "tonumber", "next", "pairs", "ipairs", "rawget", "rawset", "rawequal", "rawlen", "select", "unpack", "type", "getmetatable", "pcall", "xpcall", "print", "assert", "error" } do
    if type(_G[name]) == "function" then found[#found + 1] = { name = name, f = _G[name] } end
  end
  table.sort(found, function(a, b) return a.name < b.name end)
  all = found
  return found
end

-- objects are made anew for each function: most of them belong to a request.
local function objects()
  local list = {}
  local function add(name, f, ...)
    local ok, o = pcall(f, ...)
    if ok and o then list[#list + 1] = { name = name, o = o } end
  end
  add("tcp", ngx.socket.tcp) add("udp", ngx.socket.udp) add("body", ngx.req.socket)
  add("connected", ngx.socket.connect, "127.0.0.1", M.port)
  add("dict", function() return ngx.shared.hostile end)
  add("headers", ngx.req.get_headers) add("gmatch", ngx.re.gmatch, "x", "x")
  add("semaphore", function() return require("ngx.semaphore").new(0) end)
  add("lrucache", function() return require("resty.lrucache").new(3) end)
  add("buffer", function() return require("string.buffer").new() end)
  add("process", function() return require("ngx.pipe").spawn({ "cat" }, { write_timeout = 20, stdout_read_timeout = 20, stderr_read_timeout = 20, wait_timeout = 20 }) end)
  add("closed", function() local s = ngx.socket.connect("127.0.0.1", M.port) s:close() return s end)
  M.kept = M.kept or (ngx.socket.connect("127.0.0.1", M.port)) -- of another request
  if M.kept then list[#list + 1] = { name = "foreign", o = M.kept } end
  return list
end

-- One call. Where code may wait it gets a light thread of its own, which does not outlive its time.
local function call(wait, f, ...)
  if not wait then return pcall(f, ...) end
  local t = ngx.thread.spawn(pcall_in_lua, f, ...)
  if coroutine.status(t) ~= "zombie" and coroutine.status(t) ~= "dead" then
    ngx.sleep(0.001)
    ngx.thread.kill(t)
  end
end
function pcall_in_lua(f, ...) return pcall(f, ...) end

-- M.attempt makes the calls of one function from number `from` on. A call may end the request: what was begun is
-- noted first.
function M.attempt(index, from, wait, thorough, note)
  local fn, number = M.functions()[index], 0
  local function try(f, args)
    number = number + 1
    if number < from then return end
    note(number)
    call(wait, f, unpack(args, 1, args.n))
  end
  try(fn.f, { n = 0 })
  for i = 1, values.n do
    for _, args in ipairs(lists(values[i], thorough)) do try(fn.f, args) end
  end
  local many = { n = 250 } for i = 1, 250 do many[i] = "x" end
  try(fn.f, many)
  note(0)
end

-- M.methods calls the methods of the objects there are, on themselves and on each other.
function M.methods(index, from, wait, note)
  local list, number = objects(), 0
  local one = list[index]
  if not one then note(-1) return end
  local function try(f, ...)
    number = number + 1
    if number < from then return end
    note(number)
    call(wait, f, ...)
  end
  local methods = {}
  local meta = getmetatable(one.o)
  for _, t in ipairs { type(one.o) == "table" and one.o or {}, type(meta) == "table" and meta or {}, type(meta) == "table" and type(rawget(meta, "__index")) == "table" and meta.__index or {} } do
    for k, v in next, t do if type(v) == "function" then methods[#methods + 1] = { tostring(k), v } end end
  end
  table.sort(methods, function(a, b) return a[1] < b[1] end)
  for _, m in ipairs(methods) do
    try(m[2], one.o)
    for i = 1, values.n do
      try(m[2], one.o, values[i]) try(m[2], one.o, "x", values[i]) try(m[2], one.o, values[i], values[i], values[i]) try(m[2], values[i])
    end
    for _, other in ipairs(list) do try(m[2], other.o) try(m[2], other.o, "x", 1) try(m[2], one.o, other.o) end
  end
  note(0)
end

-- M.deep nests what can be nested, far too deep, and tells how each ended.
function M.deep()
  local out, own = {}, { 1, "x" }
  own[3] = own
  local function ended(what, ok, err) out[#out + 1] = what .. ": " .. tostring(ok) .. " " .. tostring(err):gsub("^.-:%d+: ", "") end
  local dag = {} for _ = 1, 60 do dag = { dag, dag } end
  local text = { ("x"):rep(1e5) } for _ = 1, 60 do text = { text, text } end
  local s = ngx.socket.tcp() s:settimeout(10000) assert(s:connect("127.0.0.1", M.port))
  local u = ngx.socket.udp() u:setpeername("127.0.0.1", M.port)
  for name, f in pairs { say = ngx.say, send = function(v) return s:send(v) end, udp = function(v) return u:send(v) end } do
    ended(name .. " own", pcall(f, own)) ended(name .. " nested", pcall(f, nested(100000))) ended(name .. " hole", pcall(f, { [2 ^ 40] = 1 }))
  end
  ended("dag", pcall(ngx.say, dag)) ended("text", pcall(ngx.say, text))
  local deepest = 0
  local function spawn(n) deepest = n local t = ngx.thread.spawn(spawn, n + 1) local ok = ngx.thread.wait(t) return ok end
  pcall(spawn, 1) ended("spawn", true, deepest)
  local function resume(n) return coroutine.resume(coroutine.create(resume), n + 1) end
  ended("coroutines", pcall(resume, 1))
  local function protect(n) return pcall(protect, n + 1) end
  ended("pcall", pcall(protect, 1))
  local function call(n) return 1 + call(n + 1) end
  ended("calls", pcall(call, 1))
  local chain = {} for _ = 1, 100000 do chain = setmetatable({}, { __index = chain }) end
  ended("chain", pcall(function() return chain.x end))
  local called = print for _ = 1, 100000 do called = setmetatable({}, { __call = called }) end
  ended("called", pcall(function() return called() end))
  local texts = setmetatable({}, { __tostring = function(t) return tostring(t) end })
  ended("texts", pcall(ngx.log, ngx.ERR, texts))
  table.sort(out)
  return table.concat(out, "\n") .. "\n"
end

-- M.everything makes all calls of a phase that has no request, where nothing ends early.
function M.everything()
  for i = 1, #M.functions() do M.attempt(i, 1, false, false, function() end) end
end

return M
