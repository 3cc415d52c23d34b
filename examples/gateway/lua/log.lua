-- Count the answer and tell what the phases did.
local trail = require "trail"

local route = ngx.var.route
if route == "" then
  route = "none"
end
ngx.shared.counts:incr(route .. " " .. ngx.status, 1, 0)

for _, line in ipairs(trail.all()) do
  ngx.log(ngx.NOTICE, line)
end
