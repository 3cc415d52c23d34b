-- An object program in the manner of an operating system kernel: tasks with
-- classes and inheritance pass packets through queues.
local Task = {}
Task.__index = Task

function Task.new(class, name, priority)
  return setmetatable({ name = name, priority = priority, queue = nil, count = 0, state = "ready", handled = 0 }, class)
end

function Task:enqueue(packet)
  packet.link = nil
  if not self.queue then
    self.queue = packet
  else
    local p = self.queue
    while p.link do p = p.link end
    p.link = packet
  end
  self.count = self.count + 1
end

function Task:dequeue()
  local p = self.queue
  if p then
    self.queue = p.link
    self.count = self.count - 1
  end
  return p
end

function Task:runnable() return self.state == "ready" end
function Task:handle(packet) error("abstract: " .. self.name) end

local function class(parent)
  local c = setmetatable({}, { __index = parent })
  c.__index = c
  return c
end

local Worker, Device, Idle = class(Task), class(Task), class(Task)

function Worker:handle(packet)
  packet.value = (packet.value * 17 + 11) % 1021
  packet.hops = packet.hops + 1
  self.handled = self.handled + 1
  return packet.value % 3 == 0 and "device" or "worker"
end

function Device:handle(packet)
  self.handled = self.handled + packet.value
  packet.hops = packet.hops + 1
  if packet.hops % 5 == 0 then return "idle" end
  return "worker"
end

function Idle:runnable() return self.count > 0 and self.handled >= 0 end
function Idle:handle(packet)
  self.handled = self.handled + 1
  return packet.hops % 2 == 0 and "device" or "worker"
end

local Kernel = {}
Kernel.__index = Kernel

function Kernel:add(kind, task)
  self.tasks[#self.tasks + 1] = task
  self.kinds[kind] = self.kinds[kind] or {}
  table.insert(self.kinds[kind], task)
end

function Kernel:pick(kind, packet)
  local list = self.kinds[kind]
  return list[packet.value % #list + 1]
end

function Kernel:run(steps)
  local done = 0
  while done < steps do
    for _, task in ipairs(self.tasks) do
      if task:runnable() then
        local packet = task:dequeue()
        if packet then
          local kind = task:handle(packet)
          self:pick(kind, packet):enqueue(packet)
          done = done + 1
        end
      end
    end
  end
end

local kernel = setmetatable({ tasks = {}, kinds = {} }, Kernel)
kernel:add("worker", Task.new(Worker, "w1", 10))
kernel:add("worker", Task.new(Worker, "w2", 10))
kernel:add("device", Task.new(Device, "d1", 20))
kernel:add("device", Task.new(Device, "d2", 20))
kernel:add("idle", Task.new(Idle, "idle", 0))
for i = 1, 12 do kernel.tasks[1]:enqueue({ value = i * 37, hops = 0 }) end
kernel:run(tonumber(arg and arg[1]) or 3000000)
for _, task in ipairs(kernel.tasks) do print(task.name, task.count, task.handled) end
