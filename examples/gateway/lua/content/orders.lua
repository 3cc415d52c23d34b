-- One order, as an upstream would give it.
local trail = require "trail"

local id = tonumber(ngx.ctx.rest)
if not id then
  trail.add("content: bad order number")
  ngx.status = ngx.HTTP_BAD_REQUEST
  ngx.say('{"error":"bad order number"}')
  return
end
trail.add("content: order ", id)
ngx.say('{"id":', id, ',"user":"', ngx.ctx.user, '","card":"4111-1111-1111-', 1000 + id, '"}')
