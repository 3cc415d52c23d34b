local M = {}

function M.words(name)
  return "hello, " .. (name or "world")
end

return M
