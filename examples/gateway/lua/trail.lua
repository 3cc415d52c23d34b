-- What the phases of one request did, for the log.
local _M = {}

function _M.add(...)
  local trail = ngx.ctx.trail
  if not trail then
    trail = {}
    ngx.ctx.trail = trail
  end
  local line = ""
  for i = 1, select("#", ...) do
    line = line .. tostring((select(i, ...)))
  end
  trail[#trail + 1] = line
end

function _M.all()
  return ngx.ctx.trail or {}
end

return _M
