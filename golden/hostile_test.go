package golden

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// hostile are programs that ask for more stack or memory than there is. Each must end with a Lua
// error, or with a result: Go itself does not survive the end of its stack or memory. want
// is what the program prints, "..." at its end for anything that follows.
var hostile = []struct{ name, lua, want string }{
	// Strings that would be too long; memory is not asked for before.
	{"rep", `print(pcall(string.rep, "ab", 2^30))`, "false\tnot enough memory"},
	{"rep_sep", `print(pcall(string.rep, "", 2^31 - 1, "abc"))`, "false\tnot enough memory"},
	{"rep_nothing", `print(pcall(string.rep, "", 2^31 - 1))`, "true\t"},
	{"concat_sep", `local t = {} for i = 1, 4097 do t[i] = "" end print(pcall(table.concat, t, ("x"):rep(2^19)))`, "false\tnot enough memory"},
	{"concat_items", `local s = ("x"):rep(2^20) local t = {} for i = 1, 2048 do t[i] = s end print(pcall(table.concat, t))`, "false\tnot enough memory"},
	{"concat_range", `print(pcall(table.concat, {}, "", 1, 2^31 - 1))`, "false\tinvalid value (nil) at index 1 in table for 'concat'"},
	{"format_width", `print(pcall(string.format, "%99999d", 1))`, "false\tinvalid option '%999' to 'format'"},
	{"operator", `local s = ("x"):rep(2^24) print(pcall(function() return s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s..s end))`, "false\tin.lua:1: string length overflow"},
	{"char", `print(pcall(string.char, unpack({}, 1, 7000)))`, "false\tbad argument #1 to '?' (number expected, got nil)"},
	{"byte", `print(pcall(string.byte, ("x"):rep(2^20), 1, -1))`, "false\tstring slice too long"},
	{"unpack", `print(pcall(unpack, {}, 1, 2^31 - 1)) print(pcall(unpack, {}, -2^31, 2^31 - 1))`, "false\ttoo many results to unpack\nfalse\ttoo many results to unpack"},
	{"table_new", `local new = require "table.new" print(pcall(new, 2^31, 0)) print(pcall(new, 2^30, 0)) print(pcall(new, 0, 2^30))`, "..."},
	{"select", `print(pcall(select, 2^31, 1)) print(pcall(select, -2^40, 1))`, "..."},

	// Tables that contain themselves or are very deep.
	{"cjson_itself", `local t = {} t[1] = t local c = require "cjson" c.encode_max_depth(2^31 - 1) print(pcall(c.encode, t))`, "false\tCannot serialise, excessive nesting (8001)"},
	{"cjson_itself_key", `local t = {} t.t = t local c = require "cjson" c.encode_max_depth(2^31 - 1) print(pcall(c.encode, t))`, "false\tCannot serialise, excessive nesting (8001)"},
	{"cjson_deep", `local t = {} for i = 1, 100000 do t = {t} end local c = require "cjson.safe".new() c.encode_max_depth(2^31 - 1) print(c.encode(t))`, "nil\tCannot serialise, excessive nesting (8001)"},
	{"cjson_decode", `local c = require "cjson" c.decode_max_depth(2^31 - 1) print(pcall(c.decode, ("["):rep(100000)))`, "false\tFound too many nested data structures (8001) at character 8001"},
	{"cjson_decode_object", `local c = require "cjson" c.decode_max_depth(2^31 - 1) print(pcall(c.decode, ('{"a":'):rep(100000)))`, "false\tFound too many nested data structures (8001)..."},
	{"buffer_itself", `local t = {} t[1] = t print(pcall(require "string.buffer".encode, t))`, "false\ttoo deep to serialize"},
	{"index_long", `local t = {} for i = 1, 100000 do t = setmetatable({}, {__index = t}) end print(pcall(function() return t.x end))`, "false\tin.lua:1: loop in gettable"},
	{"index_cycle", `local t = {} setmetatable(t, {__index = t}) print(pcall(function() return t.x end)) print(pcall(function() return t[1] end)) print(pcall(function() return t:m() end))`, "false\tin.lua:1: loop in gettable\nfalse\tin.lua:1: loop in gettable\nfalse\tin.lua:1: loop in gettable"},
	{"newindex_long", `local t = {} for i = 1, 100000 do t = setmetatable({}, {__newindex = t}) end print(pcall(function() t.x = 1 end))`, "false\tin.lua:1: loop in settable"},
	{"newindex_cycle", `local t = {} setmetatable(t, {__newindex = t}) print(pcall(function() t.x = 1 end)) print(pcall(function() t[1] = 1 end))`, "false\tin.lua:1: loop in settable\nfalse\tin.lua:1: loop in settable"},
	{"metatable_call", `local t = {} setmetatable(t, {__call = t}) print(pcall(t)) print(pcall(function() t() end))`, "false\tattempt to call a table value\n..."},

	// Recursion through everything that calls Lua.
	{"function", `local function f() return 1 + f() end print(pcall(f))`, "false\tin.lua:1: stack overflow..."},
	{"methods", `local t = {} function t:f() return 1 + self:f() end print(pcall(t.f, t))`, "false\tin.lua:1: stack overflow..."},
	{"many_results", `local function f(n) return n, f(n + 1) end print((select(2, pcall(f, 1))))`, "..."},
	{"varargs", `local function f(...) return 1 + f(1, ...) end print((pcall(f)))`, "false"},
	{"index", `local t = setmetatable({}, {__index = function(t, k) return t[k] .. "" end}) print(pcall(function() return t.x end))`, "false\tin.lua:1: stack overflow..."},
	{"newindex", `local t = setmetatable({}, {__newindex = function(t, k, v) t[k] = v end}) print(pcall(function() t.x = 1 end))`, "false\tin.lua:1: stack overflow..."},
	{"eq", `local m = {} m.__eq = function(a, b) return not (a == b) end print(pcall(function() return setmetatable({}, m) == setmetatable({}, m) end))`, "false\tin.lua:1: stack overflow..."},
	{"lt", `local m = {} m.__lt = function(a, b) return not (a < b) end local t = setmetatable({}, m) print(pcall(function() return t < t end))`, "false\tin.lua:1: stack overflow..."},
	{"concat", `local m = {} m.__concat = function(a, b) return (a .. b) .. 1 end local t = setmetatable({}, m) print(pcall(function() return t .. t end))`, "false\tin.lua:1: stack overflow..."},
	{"add", `local m = {} m.__add = function(a, b) return (a + b) + 1 end local t = setmetatable({}, m) print(pcall(function() return t + t end))`, "false\tin.lua:1: stack overflow..."},
	{"len", `local m = {} m.__len = function(a) return #a + 1 end local t = setmetatable({}, m) print(pcall(function() return #t end))`, "false\tin.lua:1: stack overflow..."},
	{"call", `local m = {} m.__call = function(a) return a() + 1 end local t = setmetatable({}, m) print(pcall(t))`, "false\tin.lua:1: stack overflow..."},
	{"tostring", `local m = {} m.__tostring = function(a) return tostring(a) .. "" end print(pcall(tostring, setmetatable({}, m)))`, "false\t..."},
	{"pairs", `local m = {} m.__pairs = function(t) for k in pairs(t) do end end print(pcall(pairs, setmetatable({}, m)))`, "false\t..."},
	{"pcall", `local function f() local ok, e = pcall(f) if not ok then error(e, 0) end return ok end print(pcall(f))`, "..."},
	{"xpcall", `local function f() return xpcall(f, function(e) return e .. f() end) end print((pcall(f)))`, "..."},
	{"handler", `print(xpcall(error, function(e) error(e) end, "x"))`, "false\t..."},
	{"handler_overflow", `local function f() return 1 + f() end print(xpcall(f, function(e) return f() end))`, "false\t..."},
	{"gsub", `local function f(s) return (s:gsub(".", f)) .. "" end print((pcall(f, "x")))`, "false"},
	{"gsub_index", `local m = setmetatable({}, {}) getmetatable(m).__index = function(t, k) return (k:gsub(".", m)) .. "" end print((pcall(string.gsub, "x", ".", m)))`, "false"},
	{"sort", `local function f() table.sort({1, 2, 3}, function(a, b) f() return a < b end) end print((pcall(f)))`, "false"},
	{"foreach", `local function f() table.foreach({1}, f) end print((pcall(f)))`, "false"},
	{"require", `for i = 1, 100 do package.preload["m" .. i] = function() return {_G["require"]("m" .. i % 100 + 1)} end end print((pcall(_G["require"], "m1")))`, "false"},
	{"iterator", `local function f() for x in f do end end print((pcall(f)))`, "false"},
	{"load_chain", `local function f(n) if n > 0 then local a = {f(n - 1)} return a end end print((pcall(f, 1e6)))`, "false"},
	{"tail_calls", `local n = 0 local function f(k) if k == 0 then return "done" end return f(k - 1) end print(f(1e6))`, "done"},
	{"mutual_tail", `local g local function f(k) if k == 0 then return "done" end return g(k - 1) end function g(k) return f(k) end print(f(1e6))`, "done"},

	// Coroutines in coroutines.
	{"coroutines", `local function f(n) local co = coroutine.create(f) local ok, e = coroutine.resume(co, n + 1) if not ok then error(e, 0) end return e end print(coroutine.resume(coroutine.create(f), 1))`, "false\tC stack overflow"},
	{"wraps", `local function f() return coroutine.wrap(f)() end print((pcall(f)))`, "false"},
	{"many", `local t = {} for i = 1, 20000 do t[i] = coroutine.create(function() coroutine.yield(i) end) coroutine.resume(t[i]) end print(coroutine.status(t[20000]))`, "suspended"},
	{"yields_in_sort", `print(coroutine.resume(coroutine.create(function() table.sort({3, 2, 1}, function(a, b) coroutine.yield(1) return a < b end) end)))`, "..."},

	// Patterns, sorting, formats.
	{"pattern_depth", `print(pcall(string.find, ("a"):rep(300000), ("a?"):rep(1000) .. "b"))`, "..."},
	{"pattern_captures", `print(pcall(string.find, "a", ("("):rep(33) .. ")"))`, "false\t..."},
	{"pattern_nested", `print(pcall(string.match, ("("):rep(100000), "%b()"))`, "true\tnil"},
	{"pattern_set", `print(pcall(string.find, "a", "[" .. ("a"):rep(100000)))`, "false\tmalformed pattern (missing ']')"},
	{"sort_order", `local t = {} for i = 1, 1000 do t[i] = i % 7 end print((pcall(table.sort, t, function() return true end)))`, "..."},
	{"sort_random", `local t, n = {}, 0 for i = 1, 1000 do t[i] = i end print((pcall(table.sort, t, function() n = n + 1 return n % 3 == 0 end)))`, "..."},
	{"sort_error", `print(pcall(table.sort, {3, 2, 1}, function() error("x", 0) end))`, "false\tx"},
	{"date", `print((pcall(os.date, ("%Y"):rep(10000)))) print((pcall(os.date, "%Ez"))) print((pcall(os.date, "*t", 1e300)))`, "..."},
	{"tonumber", `print(tonumber(("9"):rep(100000)), tonumber("0x" .. ("f"):rep(100000)))`, "inf\t..."},
	{"exit_values", `print(pcall(setmetatable, {}, {__metatable = 1})) print(pcall(newproxy, 5))`, "..."},
}

// TestHostile runs all of them in one process.
func TestHostile(t *testing.T) {
	var cases []*testCase
	for _, h := range hostile {
		cases = append(cases, &testCase{name: h.name, archive: &txtar.Archive{Files: []txtar.File{{Name: "in.lua", Data: []byte(h.lua)}}}})
	}
	got := buildAndRun(t, "hostile", cases)
	for _, h := range hostile {
		text := strings.TrimSuffix(got[h.name], "\n")
		want, open := strings.CutSuffix(h.want, "...")
		if open && !strings.HasPrefix(text, want) || !open && text != want || strings.Contains(text, "internal error") || strings.Contains(text, "PANIC") {
			t.Errorf("%s: printed\n%s\nwant\n%s", h.name, text, h.want)
		}
	}
}
