package transpile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestRequires(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"call", "local x = require(\"a.b\")", []string{"1:19 a.b"}},
		{"string call", "require 'a'", []string{"1:9 a"}},
		{"alias", "local require = require\nlocal r = require\nr'a'", []string{"3:2 a"}},
		{"alias that changes", "local r = require r = nil r'a'", nil},
		{"another require", "local function require() end require'a'", nil},
		{"pcall", "pcall(require, 'a')", []string{"1:16 a optional"}},
		{"xpcall", "xpcall(require, debug.traceback, 'a')", []string{"1:34 a optional"}},
		{"pcall of a function", "pcall(function() return require 'a' end)", []string{"1:33 a optional"}},
		{"pcall of a local function", "local function f() return require'a' end\nlocal pcall = pcall\npcall(f)", []string{"1:34 a optional"}},
		{"inside functions", "function M.f() return function() require'a' end end", []string{"1:41 a"}},
		{"constant local", "local n = 'a' require(n .. '.b')", []string{"1:23 a.b"}},
		{"reassigned name", "local n = 'a' n = x require(n)", nil},
		{"either", "require(x and 'a' or 'b')", []string{"1:9 a", "1:9 b"}},
		{"list", "for _, n in ipairs{'a', x, 'b'} do require(n) end", []string{"1:44 a", "1:44 b"}},
		{"list in a local", "local l = {'a'} for _, n in ipairs(l) do pcall(require, n) end", []string{"1:57 a optional"}},
		{"own name", "local N = ... require(N .. '.x') require((...) .. '.y')", []string{"1:23 lib.mod.x", "1:42 lib.mod.y"}},
		{"another function's arguments", "function f(...) local N = ... require(N) require(...) end", nil},
		{"dynamic", "require(x) require(x .. '.y') require('x' .. y)", nil},
		{"partly dynamic", "local p = 'plugins.' require(p .. x .. '.handler')", []string{"1:30 plugins.*.handler optional"}},
		{"own parent", "local P = (...):match('(.-)[^%.]+$') require(P .. 'x') require((string.match(..., '.*%.') or '') .. 'y')",
			[]string{"1:46 lib.x", "1:64 lib.y"}},
		{"own parent without the dot", "local P = ((...):gsub('%.[^%.]+$', '')) require(P .. '.x')", []string{"1:49 lib.x"}},
		{"endless", "local a = '' " + strings.Repeat("local a = a .. a ", 100) + "require(a)", nil},
		{"_G", "local pcall = _G.pcall pcall(_G.require, 'a')", []string{"1:42 a optional"}},
		{"comment", "x = 1 -- moonphase:require a, b\n-- moonphase:requires c\n", []string{"1:7 a", "1:7 b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ds := RequiresOf("t.lua", "lib.mod", []byte(tt.src))
			if len(ds) > 0 {
				t.Fatalf("diagnostics: %v", ds)
			}
			var list []string
			for _, r := range got {
				s := fmt.Sprintf("%d:%d %s", r.Line, r.Col, r.Module)
				if r.Optional {
					s += " optional"
				}
				list = append(list, s)
			}
			if !slices.Equal(list, tt.want) {
				t.Errorf("got %q, want %q", list, tt.want)
			}
		})
	}
}
