-- Only clients that name themselves get in.
local name = ngx.req.get_headers()["x-name"]
if not name then
  ngx.status = ngx.HTTP_UNAUTHORIZED
  ngx.say("who are you?")
  return ngx.exit(ngx.HTTP_UNAUTHORIZED)
end
ngx.ctx.name = name
