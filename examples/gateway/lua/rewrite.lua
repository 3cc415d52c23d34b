-- Route by path, and by header where a route has a beta.
local routes = require "routes"
local trail = require "trail"

local beta = ngx.req.get_headers()["x-beta"] == "1"
local route, rest = routes.find(ngx.var.uri, beta)
if not route then
  trail.add("rewrite: no route for ", ngx.var.uri)
  return ngx.exit(ngx.HTTP_NOT_FOUND)
end

ngx.var.route = route
ngx.ctx.rest = rest
trail.add("rewrite: ", ngx.var.uri, " -> ", route)
