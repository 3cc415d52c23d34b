package golden

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestRandomFields runs random sequences of reads, stores and method calls, each made by
// one of a few places in the program, on objects of many shapes: so every inline cache
// meets objects that it did not learn from. What must be printed is worked out by a
// model (fieldModel) that has no caches; where there is a luajit, it checks the model.
func TestRandomFields(t *testing.T) {
	var cases []*testCase
	want := map[string]string{}
	for i := range *randomCount {
		g := newFieldsGenerator(*randomSeed, uint64(i))
		name := fmt.Sprintf("f%d", i)
		src := g.program()
		want[name] = g.model.out.String()
		cases = append(cases, &testCase{
			name:    name,
			archive: &txtar.Archive{Files: []txtar.File{{Name: "in.lua", Data: []byte(src)}}},
		})
	}
	got := buildAndRun(t, "fields", cases)
	_, err := exec.LookPath("luajit")
	for _, c := range cases {
		diff := firstDiff(got[c.name], want[c.name])
		if err == nil {
			if wrong := firstDiff(want[c.name], string(askOracle(t, c))); wrong != "" {
				diff = "the model is not LuaJIT: " + wrong
			}
		}
		if diff != "" {
			path := filepath.Join(".build", fmt.Sprintf("fields_%d_%s.lua", *randomSeed, c.name))
			if err := os.WriteFile(path, c.section("in.lua"), 0o666); err != nil {
				t.Fatal(err)
			}
			t.Errorf("golden/%s: %s", path, diff)
		}
	}
}

// fieldKeys are the names that places know. The first ones are read most.
var fieldKeys = []string{"a", "b", "c", "d", "e", "__index", "__newindex", "__add", "__call"}

const (
	fieldObjects = 9 // O[1] to O[9]
	fieldFuncs   = 7
	fieldSteps   = 400
)

// fieldsPrelude is what every program starts with: F are functions that serve as
// methods and as metamethods, val decodes an operand.
const fieldsPrelude = `
local O, F, P, ID, ids = {}, {}, {}, {}, 0
local KEYS = {"a", "b", "c", "d", "e", "__index", "__newindex", "__add", "__call"}
require "table.clear"
local function born(t) ids = ids + 1 ID[t] = ids return t end
F[1] = function(t, k) return "f1" end
F[2] = function(t, k, v) return "f2" .. tostring(k ~= nil and ID[k] or k) end
F[3] = function(t, k, v) if v ~= nil then rawset(t, k, v) end return "f3" end
F[4] = function(t, k) return rawget(O[2], k) end
F[5] = function(t, k, v) if v ~= nil then rawset(O[3], k, v) end return 5 end
F[6] = function(t, k, v) if type(k) == "string" then if v == nil then v = "lazy" end rawset(t, k, v) end return v end
F[7] = function(t, k) if type(k) == "string" then return O[4][k] end return "f7" end
for i = 1, #F do ID[F[i]] = i end
local function show(v)
  if type(v) == "table" then return "t" .. ID[v] end
  if type(v) == "function" then return "F" .. ID[v] end
  return tostring(v)
end
local function val(c)
  if c <= 0 then return nil end
  if c > 300 then return c == 301 end
  if c > 200 then return F[c - 200] end
  if c > 100 then return O[c - 100] end
  if c > 50 then return "s" .. c end
  return c
end
`

// fieldsDriver runs the steps: place, object, two operands.
const fieldsDriver = `
for i = 1, #S, 4 do
  local o = S[i + 1]
  local ok, r = pcall(P[S[i]], O[o], val(S[i + 2]), val(S[i + 3]), o)
  print(ok and show(r) or "error")
end
for i = 1, #O do
  local line = {"t" .. ID[O[i]]}
  for j = 1, #KEYS do line[#line + 1] = show(rawget(O[i], KEYS[j])) end
  local n, sum = 0, 0
  for k, v in next, O[i] do n = n + 1 if type(v) == "number" then sum = sum + v end end
  print(table.concat(line, " "), #O[i], n, sum)
end
`

// fieldsGenerator writes a program and runs its steps on the model.
type fieldsGenerator struct {
	r      *rand.Rand
	b      strings.Builder
	model  *fieldModel
	places []fieldPlace
}

// fieldPlace is a function P[i] of the program: a kind and the keys it names.
type fieldPlace struct {
	kind string
	k, l string
}

// fieldKinds are the bodies of places; K and L stand for names. Their meaning is in
// fieldModel.run. Kinds that stand twice are written with two places a program at least.
var fieldKinds = []struct{ name, body string }{
	{"get", `function(o) return o.K end`},
	{"get", `function(o) return o.K end`},
	{"get", `function(o) return o.K end`},
	{"two", `function(o) local x, y = o.K, o.L return show(x) .. show(y) end`},
	{"set", `function(o, v) o.K = v end`},
	{"set", `function(o, v) o.K = v end`},
	{"inc", `function(o) local n = o.K o.K = (type(n) == "number" and n or 0) + 1 return o.K end`},
	{"move", `function(o) o.K = o.L end`},
	{"call", `function(o, v) if type(o.K) == "function" then return o:K(v) end return "none" end`},
	{"record", `function(o, v, w, i) O[i] = born {K = v, L = w} end`},
	{"object", `function(o, v, w, i) O[i] = setmetatable(born {K = v}, type(w) == "table" and w or nil) end`},
	{"grown", `function(o, v, w, i) local t = born {} t.K = v t.L = w t.K = w O[i] = t end`},
	{"global", `function(o) return setfenv(function() return K end, o)() end`},
	{"setglobal", `function(o, v) setfenv(function() K = v end, o)() end`},
	{"rawget", `function(o) return rawget(o, "K") end`},
	{"rawset", `function(o, v) rawset(o, "K", v) end`},
	{"index", `function(o) local k = ("K"):sub(1) return o[k] end`},
	{"setindex", `function(o, v) local k = ("K"):sub(1) o[k] = v end`},
}

// fieldCommon are the places that do not name a key.
var fieldCommon = []struct{ name, body string }{
	{"meta", `function(o, v) setmetatable(o, type(v) == "table" and v or nil) end`},
	{"meta", `function(o, v) setmetatable(o, type(v) == "table" and v or nil) end`},
	{"add", `function(o) return o + 1 end`},
	{"apply", `function(o, v) return o(v) end`},
	{"sweep", `function(o) for k, v in pairs(o) do if type(k) == "string" and type(v) == "number" and v % 2 == 0 then o[k] = nil end end end`},
	{"bump", `function(o) for k, v in next, o do if type(v) == "number" then o[k] = v + 1 end end end`},
	{"empty", `function(o) for k in pairs(o) do o[k] = nil end end`},
	{"clear", `function(o) table.clear(o) end`},
	{"insert", `function(o, v) if v ~= nil then table.insert(o, v) end end`},
	{"remove", `function(o) return table.remove(o) end`},
	{"fill", `function(o) for i = 1, 12 do rawset(o, "x" .. i, i) end end`},
	{"unfill", `function(o) for i = 1, 12 do rawset(o, "x" .. i, nil) end end`},
	{"copy", `function(o, v, w, i) local t = born {} for k, x in pairs(o) do t[k] = x end O[i] = t end`},
	{"class", `function(o) o.__index = o end`},
}

func newFieldsGenerator(seed, n uint64) *fieldsGenerator {
	return &fieldsGenerator{r: rand.New(rand.NewPCG(seed, n)), model: newFieldModel()}
}

func (g *fieldsGenerator) program() string {
	g.b.WriteString(fieldsPrelude)
	place := func(kind, body, k, l string) {
		g.places = append(g.places, fieldPlace{kind, k, l})
		fmt.Fprintf(&g.b, "P[%d] = %s\n", len(g.places), strings.NewReplacer("K", k, "L", l).Replace(body))
	}
	keys := 3 + g.r.IntN(3) // few names, so that places share them
	for _, k := range fieldKinds {
		for range 1 + g.r.IntN(3) {
			key := fieldKeys[g.r.IntN(keys)]
			if (k.name == "set" || k.name == "rawset" || k.name == "record") && g.r.IntN(3) == 0 {
				key = fieldKeys[5+g.r.IntN(len(fieldKeys)-5)]
			}
			l := key
			for l == key {
				l = fieldKeys[g.r.IntN(keys)]
			}
			place(k.name, k.body, key, l)
		}
	}
	for _, k := range fieldCommon {
		place(k.name, k.body, "", "")
	}
	fmt.Fprintf(&g.b, "for i = 1, %d do O[i] = born {} end\nlocal S = {\n", fieldObjects)
	for i := range fieldObjects {
		g.model.objects[i] = g.model.born()
	}
	for range fieldSteps {
		p := g.r.IntN(len(g.places))
		if g.places[p].kind == "clear" || g.places[p].kind == "empty" {
			p = g.r.IntN(len(g.places)) // rarer
		}
		o, v, w := g.r.IntN(fieldObjects), g.operand(g.places[p]), g.operand(g.places[p])
		fmt.Fprintf(&g.b, "%d,%d,%d,%d,\n", p+1, o+1, v, w)
		g.model.step(g.places[p], o, v, w)
	}
	g.b.WriteString("}\n" + fieldsDriver)
	g.model.dump()
	return g.b.String()
}

// operand picks the code of a value (see val) that suits a place.
func (g *fieldsGenerator) operand(p fieldPlace) int {
	object, function := 101+g.r.IntN(fieldObjects), 201+g.r.IntN(fieldFuncs)
	if p.kind == "meta" || p.kind == "object" && g.r.IntN(2) == 0 {
		return object * min(1, g.r.IntN(6))
	}
	if strings.HasPrefix(p.k, "__") && g.r.IntN(8) > 0 {
		return []int{0, object, object, function}[g.r.IntN(4)]
	}
	switch g.r.IntN(10) {
	case 0, 1, 2:
		return 0
	case 3:
		return object
	case 4:
		return function
	case 5:
		return 51 + g.r.IntN(9)
	case 6:
		return 301 + g.r.IntN(2)
	}
	return 1 + g.r.IntN(20)
}
