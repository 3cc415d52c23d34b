package transpile

import "testing"

// FuzzFront: whatever a chunk says, listing its modules and vetting it ends, and
// findings point into the text.
func FuzzFront(f *testing.F) {
	for _, row := range []string{
		"local M = {} function M.f() ngx.say(ngx.var.x) end return M",
		"local a = a or b for _, n in ipairs{'x'} do require(n) end",
		"goto a local x ::a:: ::a:: break print(x)",
		"repeat local f f = function() return f(...) end until f -- moonphase:ignore L3001",
		"x = not a == #b, {a = 1, a = 2}, ('%d'):format() for i = #t, 1 do end",
		"ngx.timer.at(0, function() setfenv(1, {}) self:x() end) pcall(require, 'm')",
	} {
		f.Add([]byte(row), "log_by_lua_block")
		f.Add([]byte(row), "")
	}
	f.Fuzz(func(t *testing.T, src []byte, directive string) {
		_, ds := Modules("t.lua", "m", src)
		in := VetInput{Source: src, Module: "m", File: "t.lua", Line: 1, Col: 1}
		if directive != "" {
			in.Module, in.Directives = "", []string{directive}
		}
		checkPlaces(t, string(src), append(ds, Vet(VetProgram{Chunks: []VetInput{in}})...))
	})
}
