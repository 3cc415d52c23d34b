-- Says hello, and to whom.
local greet = require("greet")

ngx.header["X-Greeter"] = "lua"
ngx.say(greet.words(ngx.var.arg_name))
