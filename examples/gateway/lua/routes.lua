-- The routing table: a path prefix and, for clients that ask for it by
-- header, another version of the same route.
local _M = {}

local routes = {
  { prefix = "/orders/", route = "orders", beta = "orders_beta" },
  { prefix = "/whoami", route = "whoami" },
}

-- Returns the route's name and what follows the prefix, or nil.
function _M.find(uri, beta)
  for _, r in ipairs(routes) do
    if uri:sub(1, #r.prefix) == r.prefix then
      local name = beta and r.beta or r.route
      return name, uri:sub(#r.prefix + 1)
    end
  end
end

return _M
