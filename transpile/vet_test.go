package transpile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// findings writes them as "file:line:col code" with the places of their notes.
func findings(ds []Diagnostic) []string {
	var list []string
	for _, d := range ds {
		s := fmt.Sprintf("%s:%d:%d %s", d.File, d.Line, d.Col, d.Code)
		for _, n := range d.Notes {
			s += fmt.Sprintf(" < %s:%d:%d", n.File, n.Line, n.Col)
		}
		list = append(list, s)
	}
	return list
}

// TestVet: the chunk is content_by_lua code unless the row says otherwise.
func TestVet(t *testing.T) {
	for _, tt := range []struct {
		name, directive, src string
		want                 []string
	}{
		{"global write", "", "local a\na = 1 b = 2 function c() d = 3 end", []string{"t:2:7 L3001", "t:2:22 L3001", "t:2:26 L3001"}},
		{"global write in init", "init_by_lua_block", "b = 2", nil},
		{"global write with setfenv", "", "setfenv(1, {}) b = 2", nil},
		{"undefined global", "", "x.y = foo() + 1\nfor k in q do end", []string{"t:1:1 L3002", "t:1:7 L3002", "t:2:10 L3002"}},
		{"tested global", "", "if foo then foo() end local b = bar and bar.x", nil},
		{"global set elsewhere", "", "if x then y = 1 end y() -- moonphase:ignore L3001", nil},
		{"global set through _G", "", "_G.foo = 1 rawset(_G, 'bar', 1) foo() bar()", nil},
		{"context", "header_filter_by_lua_block", "ngx.say(1)\nngx.header.x = ngx.var.y", []string{"t:1:1 L3003"}},
		{"context by alias", "log_by_lua_block", "local say = ngx.say\nsay(1)", []string{"t:2:1 L3003"}},
		{"context through functions", "log_by_lua_block", "local function f() ngx.sleep(1) end\nlocal function g() f() end\ng()",
			[]string{"t:1:20 L3003 < t:2:20 < t:3:1"}},
		{"function not called", "log_by_lua_block", "local function f() ngx.sleep(1) end x(f)", []string{"t:1:37 L3002"}},
		{"phase asked", "log_by_lua_block", "if ngx.get_phase() ~= 'log' then ngx.say(1) end", nil},
		{"failure caught", "log_by_lua_block", "pcall(ngx.say, 1) pcall(function() ngx.say(1) end)", nil},
		{"timer", "", "ngx.timer.at(0, function() ngx.sleep(1)\n ngx.say(ngx.var.x) end)", []string{"t:2:2 L3003 < t:1:1", "t:2:10 L3003 < t:1:1"}},
		{"timer that renews itself", "", "local function f() ngx.timer.at(1, f) ngx.say(1) end ngx.timer.at(1, f)",
			[]string{"t:1:39 L3003 < t:1:54"}},
		{"timer from log", "log_by_lua_block", "local function f() ngx.sleep(1) end ngx.timer.at(0, f)", nil},
		{"light thread", "", "ngx.thread.spawn(function() ngx.say(1) end)", nil},
		{"arg", "", "local x = ngx.arg[1]", []string{"t:1:11 L3003"}},
		{"ctx in init", "init_by_lua_block", "ngx.ctx.x = 1", []string{"t:1:1 L3003"}},
		{"unknown API", "", "ngx.sayy(1) ngx.exit(ngx.HTTP_NOTFOUND) ngx.log(ngx.ERR, ngx.shared.dogs:get('x'))",
			[]string{"t:1:5 L3005", "t:1:26 L3005"}},
		{"added API", "", "ngx.mine = {} ngx.mine.f()", nil},
		{"double key", "", "local t = {a = 1, ['a'] = 2, 1, [1] = 2, [f] = 1, [f] = 2}", []string{"t:1:20 L3006 < t:1:12"}},
		{"downwards", "", "for i = #t, 1 do end for i = #t, 1, -1 do end for i = #t, 10 do end -- moonphase:ignore L3002", []string{"t:1:9 L3007"}},
		{"negated operand", "", "local a, b = not x == 1, not x == not y, (not x) == 1, not (x == 1)", []string{"t:1:14 L3008"}},
		{"format", "", "local a, b, c, d = ('%s%%%d'):format(1), ('%5.1f'):format(1), string.format('%s', f()), ('%s'):format(...)",
			[]string{"t:1:21 L3009", "t:1:83 L3002"}},
		{"extra values", "", "local a, b = 1, 2, 3 a, b = 1, 2, b, b() a = 1, nil", []string{"t:1:20 L3010", "t:1:49 L3010"}},
		{"always true", "", "local t = {} while #t do end local x = #t and 1 or not #t, #t > 0", []string{
			"t:1:20 L3011", "t:1:40 L3011", "t:1:56 L3011"}},
		{"shared dict", "", "local d, e = ngx.shared.dogs, ngx.shared.cats\nlocal s = ngx.shared s.dgos:get(1) s['mice']:get(s[x])",
			[]string{"t:1:42 L3012", "t:2:24 L3012", "t:2:38 L3012"}},
		{"shared dict tested", "", "local d = ngx.shared.cats if d then d:get(1) end local e = ngx.shared.mice or assert(ngx.shared.rats)", nil},
		{"regex", "", "local re = ngx.re.match re('x', '(') re('x', 'a', 'jz') re('x', '(a)', 'jo') ngx.re.gsub('x', '(', '', nil)",
			[]string{"t:1:33 L3013", "t:1:46 L3013", "t:1:95 L3013"}},
		{"silenced", "", "a = 1 -- moonphase:ignore\n-- moonphase:ignore L3001, L3002\nb = c()\nd = 1 -- luacheck: ignore 111\ne = 1 -- moonphase:ignore L3002", []string{"t:5:1 L3001"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.directive == "" {
				tt.directive = "content_by_lua_block"
			}
			ds := Vet(VetProgram{
				Chunks:      []VetInput{{Source: []byte(tt.src), Directives: []string{tt.directive}, File: "t", Line: 1, Col: 1}},
				SharedDicts: []string{"dogs"}, CheckRegex: onlyClosed,
			})
			if got := findings(ds); !slices.Equal(got, tt.want) {
				t.Errorf("got %q\nwant %q\n%v", got, tt.want, ds)
			}
		})
	}
}

// TestVetProgram: calls are followed into modules, and findings stand in the
// files that the chunks stand in.
func TestVetProgram(t *testing.T) {
	ds := Vet(VetProgram{Chunks: []VetInput{
		{File: "nginx.conf", Line: 50, Col: 9, Directives: []string{"body_filter_by_lua_block"}, Source: []byte(
			"local auth = require 'auth' auth.check()\nauth:stop() auth.late() auth.twice()")},
		{File: "auth.lua", Line: 1, Col: 1, Module: "auth", Source: []byte(strings.Join([]string{
			"local _M = {}",
			"local redis = require 'redis'",
			"function _M.check() return redis.get() end",
			"function _M:stop() self.helper(self) return self:helper() end",
			"_M.helper = function(self) ngx.exit(403) end",
			"function _M.late() ngx.timer.at(0, function() ngx.sleep(1) ngx.say(1) end) end",
			"function _M.twice() ngx.say() end if x then _M.twice = nil end",
			"return _M",
		}, "\n"))},
		{File: "redis.lua", Line: 1, Col: 1, Module: "redis", Source: []byte(
			"local host = ngx.var.host\nlocal function get() return ngx.socket.tcp() end\nlocal shared = get()\nreturn setmetatable({get = get}, {})")},
	}})
	want := []string{
		"auth.lua:5:28 L3003 < auth.lua:4:45 < nginx.conf:51:1",
		"auth.lua:6:60 L3003 < auth.lua:6:20 < nginx.conf:51:13",
		"redis.lua:1:14 L3004",
		"redis.lua:2:29 L3003 < auth.lua:3:28 < nginx.conf:50:37",
		"redis.lua:2:29 L3004 < redis.lua:3:16",
	}
	if got := findings(ds); !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// TestVetLong: long chains of names and calls take no longer than they are.
func TestVetLong(t *testing.T) {
	for _, src := range []string{
		"x = ngx" + strings.Repeat(".a", 9000),
		"local x = ngx " + strings.Repeat("local x = x.a ", 190) + "x()",
		"local x = f " + strings.Repeat("local function g() x() end local x = g ", 90) + "x()",
	} {
		Vet(VetProgram{Chunks: []VetInput{{Source: []byte(src), Module: "m", File: "t", Line: 1, Col: 1}}})
	}
}
