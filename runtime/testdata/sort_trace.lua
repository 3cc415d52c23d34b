-- Records the comparisons that table.sort makes: luajit sort_trace.lua > sort_trace.txt
local function trace(t,f) local log={} local ok,e=pcall(table.sort,t,function(a,b) log[#log+1]=a..":"..b return f(a,b) end) print(ok,e,table.concat(t,","),table.concat(log," ")) end
local seed=7 local function rnd(n) seed=(seed*1103515245+12345)%2147483648 return math.floor(seed/65536)%n end
for n=1,16 do local t={} for i=1,n do t[i]=rnd(100) end trace(t,function(a,b) return a<b end) end
for n=2,12 do local t={} for i=1,n do t[i]=rnd(100) end trace(t,function(a,b) return true end) end
for n=2,12 do local t={} for i=1,n do t[i]=rnd(100) end trace(t,function(a,b) return false end) end
for n=2,12 do local t={} for i=1,n do t[i]=rnd(100) end trace(t,function(a,b) return a<=b end) end
local t={} for i=1,9 do t[i]=5 end trace(t,function(a,b) return a<=b end)
