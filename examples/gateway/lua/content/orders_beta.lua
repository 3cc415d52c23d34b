-- The next version of orders: several numbers in one request, fetched side
-- by side in light threads.
local trail = require "trail"

local function fetch(id)
  ngx.sleep(0.01) -- the upstream's time
  return '{"id":' .. id .. ',"user":"' .. ngx.ctx.user .. '"}'
end

local threads = {}
for id in ngx.ctx.rest:gmatch("%d+") do
  threads[#threads + 1] = ngx.thread.spawn(fetch, id)
end

local found = {}
for i, thread in ipairs(threads) do
  local ok, order = ngx.thread.wait(thread)
  found[i] = ok and order or "null"
end
trail.add("content: ", #found, " orders side by side")
ngx.say("[", table.concat(found, ","), "]")
