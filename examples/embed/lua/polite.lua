local _M = {}

-- Returns a greeting for a name, in title case.
function _M.greeting(name)
  return "Hello, " .. name:gsub("^%l", string.upper)
end

return _M
