local cjson = require "cjson"
require("trail").add("content: whoami")
ngx.say(cjson.encode({ user = ngx.ctx.user }))
