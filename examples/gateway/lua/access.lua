-- A request needs a token that Redis knows; its value is the user's name.
local redis_client = require "redis_client"
local trail = require "trail"

local function refuse(status, why)
  trail.add("access: ", why)
  ngx.status = status
  ngx.say('{"error":"', why, '"}')
  return ngx.exit(status)
end

local token = (ngx.var.http_authorization or ""):match("^Bearer (%w+)$")
if not token then
  return refuse(ngx.HTTP_UNAUTHORIZED, "no token")
end

local redis, err = redis_client.connect("127.0.0.1", tonumber(os.getenv("REDIS_PORT") or 6379))
if not redis then
  ngx.log(ngx.ERR, "redis: ", err)
  return refuse(ngx.HTTP_SERVICE_UNAVAILABLE, "no token store")
end

local user, get_err = redis:command("GET", "token:" .. token)
if user == nil then
  ngx.log(ngx.ERR, "redis: ", get_err)
  return refuse(ngx.HTTP_SERVICE_UNAVAILABLE, "no token store")
end
local reused = redis:reused()
redis:release()

if not user or user == ngx.null then
  return refuse(ngx.HTTP_FORBIDDEN, "unknown token")
end

ngx.ctx.user = user
trail.add("access: ", user, " by token, Redis connection ", reused > 0 and "from the pool" or "new")
