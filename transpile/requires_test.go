package transpile

import (
	"cmp"
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
		{"returned", "return require 'a'", []string{"1:16 a"}},
		{"alias", "local require = require\nlocal r = require\nr'a'", []string{"3:2 a"}},
		{"alias that changes", "local r = require r = nil r'a'", nil},
		{"another require", "local function require() end require'a'", nil},
		{"_G", "local pcall = _G.pcall pcall(_G.require, 'a')", []string{"1:42 a optional"}},
		{"comment", "x = 1 -- moonphase:require a, b\n-- moonphase:requires c\n", []string{"1:7 a", "1:7 b"}},
		{"worker thread", "ngx.run_worker_thread('pool', 'a', 'f')", []string{"1:31 a conditional"}},

		// Guards.
		{"pcall", "pcall(require, 'a')", []string{"1:16 a optional"}},
		{"xpcall", "xpcall(require, debug.traceback, 'a')", []string{"1:34 a optional"}},
		{"pcall of a function", "pcall(function() return require 'a' end)", []string{"1:33 a optional conditional"}},
		{"pcall of a local function", "local function f() return require'a' end\nlocal pcall = pcall\npcall(f)", []string{"1:34 a optional conditional"}},
		{"helper", "local function try(f, ...) return pcall(f, ...) end try(require, 'a')", []string{"1:66 a optional"}},
		{"helper by name", "local function try(n) return pcall(require, n) end try('a') try 'b'", []string{"1:56 a optional conditional", "1:65 b optional conditional"}},
		{"helper with varargs", "local function try(...) return pcall(require, ...) end try('a')", []string{"1:60 a optional conditional"}},
		{"name handed to pcall", "local function load(n) return require(n) end pcall(load, 'a')", []string{"1:58 a optional conditional"}},
		{"helper that escapes", "local function load(n) return require(n) end load 'a' M.load = load", []string{"1:51 a conditional", "1:39 ? conditional"}},
		{"argument of pcall", "pcall(require 'a')", []string{"1:15 a"}},

		// Places that may not run.
		{"inside functions", "function M.f() return function() require'a' end end", []string{"1:41 a conditional"}},
		{"branch", "if x then require 'a' else require 'b' end", []string{"1:19 a conditional", "1:36 b conditional"}},
		{"condition", "if require 'a' then elseif require 'b' then end", []string{"1:12 a", "1:36 b conditional"}},
		{"operand", "local a = x and require 'a' local b = require 'b' or require 'c'", []string{"1:25 a conditional", "1:47 b", "1:62 c conditional"}},
		{"loop", "while x do require 'a' end for i = 1, n do require 'b' end repeat require 'c' until x", []string{"1:20 a conditional", "1:52 b conditional", "1:75 c"}},
		{"behind a return", "require 'a' if x then return end require 'b'", []string{"1:9 a", "1:42 b conditional"}},
		{"behind ngx.exit", "if x then ngx.exit(403) end require 'b'", []string{"1:37 b conditional"}},
		{"behind a function that returns", "local function f() return 1 end require 'b'", []string{"1:41 b"}},
		{"block", "do local x = require 'a' end", []string{"1:22 a"}},

		// Names.
		{"constant local", "local n = 'a' require(n .. '.b')", []string{"1:23 a.b"}},
		{"number", "require('v' .. 2)", []string{"1:9 v2"}},
		{"reassigned name", "local n = 'a' n = x require(n)", []string{"1:29 ?"}},
		{"either", "require(x and 'a' or 'b')", []string{"1:15 a conditional", "1:22 b conditional"}},
		{"default", "require(x or 'b')", []string{"1:14 b conditional", "1:9 ?"}},
		{"known default", "require(nil or 'b') require(false and x or 'c')", []string{"1:9 b", "1:29 c"}},
		{"list", "for _, n in ipairs{'a', x, 'b'} do require(n) end", []string{"1:44 a", "1:44 b"}},
		{"keys", "for n in pairs{a = 1, ['b.c'] = 2} do require(n) end", []string{"1:47 a", "1:47 b.c"}},
		{"list in a local", "local l = {'a'} for _, n in ipairs(l) do pcall(require, n) end", []string{"1:57 a optional"}},
		{"element", "local l = {'a', x = 'b'} for i = 1, #l do require(l[i]) end", []string{"1:51 a conditional", "1:51 b conditional"}},
		{"own name", "local N = ... require(N .. '.x') require((...) .. '.y')", []string{"1:23 lib.mod.x", "1:42 lib.mod.y"}},
		{"own name in a function", "local N = (...) return function() require(N .. '.x') end", []string{"1:43 lib.mod.x conditional"}},
		{"another function's arguments", "function f(...) local N = ... require(N) require(...) end", []string{"1:39 ? conditional", "1:50 ? conditional"}},
		{"dynamic", "require(x) require(x .. '.y') require('x' .. y)", []string{"1:9 ?", "1:20 ?", "1:39 ?"}},
		{"partly dynamic", "local p = 'plugins.' require(p .. x .. '.handler')", []string{"1:30 plugins.*.handler optional"}},
		{"own parent", "local P = (...):match('(.-)[^%.]+$') require(P .. 'x') require((string.match(..., '.*%.') or '') .. 'y')",
			[]string{"1:46 lib.x", "1:64 lib.y"}},
		{"own parent without the dot", "local P = ((...):gsub('%.[^%.]+$', '')) require(P .. '.x')", []string{"1:49 lib.x"}},
		{"own parent, used later", "local P = (...):match('(.-)[^%.]+$') function M.f() return require(P .. 'x') end", []string{"1:68 lib.x conditional"}},
		{"init", "local P = (...):gsub('%.init$', '') require(P .. '.x')", []string{"1:45 lib.mod.x"}},
		{"replacement", "require(((...):gsub('^(%w+)%.', '%1.sub.')))", []string{"1:10 lib.sub.mod"}},
		{"slashes", "local P = string.gsub(..., '%.', '/') require(P .. '/x')", []string{"1:47 lib/mod/x"}},
		{"format", "require(string.format('%s.%s', ..., ('X'):lower()))", []string{"1:9 lib.mod.x"}},
		{"sub", "require((...):sub(1, -4) .. 'x') require(select(1, ...))", []string{"1:9 lib.x", "1:42 lib.mod"}},
		{"no match", "require(((...):match('^x') or 'y') .. '.z')", []string{"1:9 y.z"}},
		{"slow pattern", "require((...):match('.-.-.-.-.-x'))", []string{"1:9 ?"}},
		{"endless", "local a = '' " + strings.Repeat("local a = a .. a ", 100) + "require(a)", []string{"1:1722 ?"}},
		{"endless and long", "local a = 'x' " + strings.Repeat("local a = a .. a ", 100) + "require(a)", []string{"1:1723 ?"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			facts, ds := Modules("t.lua", "lib.mod", []byte(tt.src))
			if len(ds) > 0 {
				t.Fatalf("diagnostics: %v", ds)
			}
			var list []string
			for _, r := range facts.Requires {
				s := fmt.Sprintf("%d:%d %s", r.Line, r.Col, cmp.Or(r.Module, "?"))
				if r.Optional {
					s += " optional"
				}
				if r.Conditional {
					s += " conditional"
				}
				list = append(list, s)
			}
			if !slices.Equal(list, tt.want) {
				t.Errorf("got %q, want %q", list, tt.want)
			}
		})
	}
}

func TestProvides(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string
		any       bool
	}{
		{"preload", "package.preload['a.b'] = function() end package.preload.c = f", []string{"a.b", "c"}, false},
		{"loaded", "package.loaded['a'] = {} package.loaded[...] = M", []string{"a", "lib.mod"}, false},
		{"alias", "local preload = package.preload local function add() preload.a = f end", []string{"a"}, false},
		{"rawset", "rawset(package.loaded, 'a', 1)", []string{"a"}, false},
		{"removed", "package.loaded['a'] = nil package.loaded[x] = nil", nil, false},
		{"list", "for _, n in ipairs{'a', 'b'} do package.preload[n] = f end", []string{"a", "b"}, false},
		{"computed", "for n, f in pairs(all) do package.preload[n] = f end", nil, true},
		{"module", "module('a.b', package.seeall) module(...)", []string{"a.b", "lib.mod"}, false},
		{"searcher", "table.insert(package.loaders, 1, f)", nil, true},
		{"searcher appended", "package.loaders[#package.loaders + 1] = f", nil, true},
		{"new list", "package.preload = {}", nil, true},
		{"something else", "package.path = 'x' t.preload = 1 loaded.a = 2", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			facts, ds := Modules("t.lua", "lib.mod", []byte(tt.src))
			if len(ds) > 0 {
				t.Fatalf("diagnostics: %v", ds)
			}
			if !slices.Equal(facts.Provides, tt.want) || facts.ProvidesAny != tt.any {
				t.Errorf("got %q, any %v; want %q, any %v", facts.Provides, facts.ProvidesAny, tt.want, tt.any)
			}
		})
	}
}
