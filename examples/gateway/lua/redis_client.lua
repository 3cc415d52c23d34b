-- The few lines of the Redis protocol that a token lookup needs, over a
-- cosocket whose connection goes back to a pool.
local tcp = ngx.socket.tcp

local _M = {}
local mt = { __index = _M }

function _M.connect(host, port)
  local sock = tcp()
  sock:settimeout(1000)
  local ok, err = sock:connect(host, port)
  if not ok then
    return nil, err
  end
  return setmetatable({ sock = sock }, mt)
end

local function read_reply(sock)
  local line, err = sock:receive()
  if not line then
    return nil, err
  end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "$" then
    local size = tonumber(rest)
    if size < 0 then
      return ngx.null
    end
    local data, data_err = sock:receive(size + 2)
    if not data then
      return nil, data_err
    end
    return data:sub(1, size)
  elseif kind == ":" then
    return tonumber(rest)
  elseif kind == "+" then
    return rest
  elseif kind == "-" then
    return false, rest
  end
  return nil, "unexpected reply: " .. line
end

-- Sends one command and returns its reply; nil and a message when the
-- connection failed, false and a message when Redis refused.
function _M:command(...)
  local req = { "*", select("#", ...), "\r\n" }
  for i = 1, select("#", ...) do
    local arg = tostring((select(i, ...)))
    req[#req + 1] = "$" .. #arg .. "\r\n" .. arg .. "\r\n"
  end
  local ok, err = self.sock:send(req)
  if not ok then
    return nil, err
  end
  return read_reply(self.sock)
end

function _M:reused()
  return self.sock:getreusedtimes()
end

function _M:release()
  return self.sock:setkeepalive(10000, 16)
end

return _M
