-- Greet the client, politely and with a count.
local polite = require "polite"

local seen = ngx.shared.seen:incr(ngx.ctx.name, 1, 0)
ngx.header["X-Seen"] = seen
ngx.say(polite.greeting(ngx.ctx.name), ", visit ", seen)
