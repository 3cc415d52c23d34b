package golden

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var (
	randomSeed  = flag.Uint64("seed", 1, "seed of the random programs")
	randomCount = flag.Int("count", 25, "number of random programs")
)

// TestRandom compiles random programs and compares what they print, error
// messages and their lines included, with LuaJIT.
func TestRandom(t *testing.T) {
	if _, err := exec.LookPath("luajit"); err != nil {
		t.Skip("no luajit")
	}
	var cases []*testCase
	for i := range *randomCount {
		g := &generator{r: rand.New(rand.NewPCG(*randomSeed, uint64(i)))}
		src := g.program()
		cases = append(cases, &testCase{
			name:    fmt.Sprintf("r%d", i),
			archive: &txtar.Archive{Files: []txtar.File{{Name: "in.lua", Data: []byte(src)}}},
		})
	}
	got := buildAndRun(t, "random", cases)
	for _, c := range cases {
		want := string(askOracle(t, c))
		if diff := firstDiff(got[c.name], want); diff != "" {
			path := filepath.Join(".build", fmt.Sprintf("random_%d_%s.lua", *randomSeed, c.name))
			if err := os.WriteFile(path, c.section("in.lua"), 0o666); err != nil {
				t.Fatal(err)
			}
			t.Errorf("golden/%s: %s", path, diff)
		}
	}
}

// generator writes a random program that ends: loops are bounded, and recursion
// goes down with a counter.
type generator struct {
	r      *rand.Rand
	b      strings.Builder
	depth  int
	vars   []string // locals in scope
	fns    []string // local functions in scope
	loops  int
	label  int
	names  int
	vararg bool
}

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *generator) chance(percent int) bool { return g.r.IntN(100) < percent }

func (g *generator) line(format string, args ...any) {
	g.b.WriteString(strings.Repeat("  ", g.depth))
	fmt.Fprintf(&g.b, format, args...)
	g.b.WriteByte('\n')
	if g.chance(4) {
		g.b.WriteString("\n-- a comment\n")
	}
}

// helpers are what every program starts with.
const helpers = `
local function show(...)
  local t = {}
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    if type(v) == "number" then v = ("%.6g"):format(v)
    elseif type(v) == "table" or type(v) == "function" then v = type(v) end
    t[i] = tostring(v)
  end
  print(table.concat(t, " "))
end
local T = {1, 2, 3, x = 4, y = "why", f = function(a, b) return b, a end}
local O = setmetatable({n = 1}, {__index = T, __add = function(a, b) return 7 end, __concat = function(a, b) return "cat" end, __call = function(self, a) return a end})
function O:m(a) self.n = self.n + 1 return a, self.n end
G = 5
local steps = 0
local function tick() steps = steps + 1 if steps > 2000 then error("too long", 0) end end
`

func (g *generator) program() string {
	g.b.WriteString(helpers)
	for range 6 {
		g.line("show(pcall(function(...)")
		g.vararg = true
		g.body(func() { g.block(5) })
		g.line("end, 1, nil, \"three\"))")
	}
	g.line("show(T.x, O.n, G)")
	return g.b.String()
}

// body writes an inner scope.
func (g *generator) body(f func()) {
	vars, fns := g.vars, g.fns
	g.depth++
	f()
	g.depth--
	g.vars, g.fns = vars[:len(vars):len(vars)], fns[:len(fns):len(fns)]
}

func (g *generator) block(n int) {
	for range 1 + g.r.IntN(n) {
		g.stmt()
	}
}

func (g *generator) fresh() string {
	if g.chance(15) && len(g.vars) > 0 {
		return g.vars[g.r.IntN(len(g.vars))] // hide one
	}
	g.names++
	return g.pick("a", "b", "n", "v", "type", "len", "i", "x") + fmt.Sprint(g.names%7)
}

func (g *generator) stmt() {
	if g.depth > 5 {
		g.line("show(%s)", g.expr(1))
		return
	}
	switch g.r.IntN(24) {
	case 0, 1, 2:
		v, e := g.fresh(), g.expr(3)
		g.line("local %s = %s", v, e)
		g.vars = append(g.vars, v)
	case 3:
		v, w, e := g.fresh(), g.fresh(), g.list()
		g.line("local %s, %s = %s", v, w, e)
		g.vars = append(g.vars, v, w)
	case 4, 5:
		g.line("%s = %s", g.target(), g.expr(3))
	case 6:
		g.line("%s, %s = %s", g.target(), g.target(), g.list())
	case 7, 8:
		g.ifs()
	case 9:
		g.line("for i = %s, %s%s do", g.pick("1", "0", "3", g.expr(1)), g.pick("3", "4.5", "T[2]", "0"), g.pick("", "", ", 1", ", -1", ", 0.5", ", T[1]"))
		g.loop("i")
		g.line("end")
	case 10:
		g.line("for k, v in %s do", g.pick("ipairs(T)", "ipairs({5, 6})", "pairs({9})", "next, {8}"))
		g.loop("k", "v")
		g.line("end")
	case 11:
		v := g.fresh()
		g.line("local %s = 0", v)
		g.line("while %s < 3 and %s do", v, g.pick("true", g.cond()))
		g.line("  %s = %s + 1", v, v)
		g.vars = append(g.vars, v)
		g.loop()
		g.line("end")
	case 12:
		g.line("repeat")
		g.loop()
		g.line("until true or %s", g.cond())
	case 13, 14:
		g.function()
	case 15:
		g.line("do")
		g.body(func() { g.block(3) })
		g.line("end")
	case 16:
		if g.loops > 0 && g.chance(50) {
			g.line("if %s then break end", g.cond())
			return
		}
		g.line("if %s then return %s end", g.cond(), g.list())
	case 17:
		g.jump()
	case 18:
		g.coroutine()
	case 19:
		g.caught()
	case 20:
		g.closure()
	default:
		g.line("show(%s)", g.list())
	}
}

func (g *generator) ifs() {
	g.line("if %s then", g.cond())
	g.body(func() { g.block(3) })
	for range g.r.IntN(3) {
		g.line("elseif %s then", g.cond())
		g.body(func() { g.block(2) })
	}
	if g.chance(50) {
		g.line("else")
		g.body(func() { g.block(2) })
	}
	g.line("end")
}

// loop writes a loop's body, sometimes with a continue.
func (g *generator) loop(vars ...string) {
	g.body(func() {
		g.loops++
		g.vars = append(g.vars, vars...)
		g.line("tick()")
		if g.chance(30) {
			g.label++
			l := fmt.Sprintf("continue%d", g.label)
			g.line("do")
			g.body(func() {
				g.line("if %s then goto %s end", g.cond(), l)
				g.block(2)
			})
			g.line("end")
			g.line("::%s::", l)
		} else {
			g.block(3)
		}
		g.loops--
	})
}

func (g *generator) jump() {
	g.label++
	l := fmt.Sprintf("l%d", g.label)
	g.line("do")
	g.body(func() {
		if g.chance(50) {
			g.line("if %s then goto %s end", g.cond(), l)
			g.block(2)
			g.line("::%s::", l)
			return
		}
		g.line("local again = 0")
		g.line("::%s::", l)
		g.body(func() { g.block(1) })
		g.line("again = again + 1")
		g.line("if again < 3 then goto %s end", l)
	})
	g.line("end")
}

func (g *generator) function() {
	g.names++
	name := fmt.Sprintf("f%d", g.names)
	params := g.pick("p", "p, q", "p, q, r, s", "")
	loops, vararg := g.loops, g.vararg
	g.loops, g.vararg = 0, g.chance(25)
	if g.vararg {
		params = strings.TrimPrefix(params+", ...", ", ")
	}
	g.line("local function %s(%s)", name, params)
	g.body(func() {
		g.line("tick()")
		for _, p := range strings.Split(params, ", ") {
			if p != "" && p != "..." {
				g.vars = append(g.vars, p)
			}
		}
		if g.chance(20) {
			g.line("if steps %% 5 == 0 then return %s(%s) end", name, g.expr(1))
		}
		g.block(3)
		if g.chance(70) {
			g.line("do return %s end", g.list())
		}
	})
	g.line("end")
	g.loops, g.vararg = loops, vararg
	g.fns = append(g.fns, name)
	g.line("show(%s(%s))", name, g.list())
}

// coroutine writes a loop over what a coroutine yields.
func (g *generator) coroutine() {
	g.line("for k, v in coroutine.wrap(function(%s)", g.pick("", "p"))
	loops, vararg := g.loops, g.vararg
	g.loops, g.vararg = 0, false
	g.body(func() {
		g.line("coroutine.yield(%s, %s)", g.pick("1", `"k"`, "G"), g.expr(2))
		g.block(2)
		g.line("local back = coroutine.yield(true, pcall(coroutine.yield, 2, %s))", g.expr(1))
	})
	g.loops, g.vararg = loops, vararg
	g.line("end) do")
	g.loop("k", "v")
	g.line("end")
}

// caught writes statements whose errors are caught and shown.
func (g *generator) caught() {
	g.line("show(%s", g.pick("pcall(function()", "xpcall(function()"))
	call := strings.HasSuffix(strings.TrimSpace(g.b.String()), "xpcall(function()")
	loops, vararg := g.loops, g.vararg
	g.loops, g.vararg = 0, false
	g.body(func() {
		g.block(2)
		g.line("if %s then error(%s, %s) end", g.cond(), g.atom(), g.pick("0", "1", "2"))
		g.line("return %s", g.list())
	})
	g.loops, g.vararg = loops, vararg
	if call {
		g.line("end, function(m) return \"handled\", m end))")
	} else {
		g.line("end))")
	}
}

// closure writes a function that changes a local from outside it.
func (g *generator) closure() {
	v := g.fresh()
	g.line("local %s = %s", v, g.expr(1))
	g.vars = append(g.vars, v)
	g.names++
	name := fmt.Sprintf("f%d", g.names)
	g.line("local %s = function(d)", name)
	g.body(func() {
		g.vars = append(g.vars, "d")
		g.line("tick()")
		g.line("%s = %s", v, g.expr(2))
		g.line("return %s, d", v)
	})
	g.line("end")
	g.fns = append(g.fns, name)
	g.line("show(%s, %s(%s), %s)", v, name, g.atom(), v)
}

func (g *generator) target() string {
	if len(g.vars) > 0 && g.chance(70) {
		return g.vars[g.r.IntN(len(g.vars))]
	}
	return g.pick("G", "T.x", "T.w", "O.n", "T.z")
}

func (g *generator) list() string {
	s := g.expr(2)
	for range g.r.IntN(3) {
		s += ", " + g.expr(2)
	}
	return s
}

func (g *generator) cond() string {
	switch g.r.IntN(6) {
	case 0:
		return "not " + g.cond()
	case 1:
		return g.atom() + " == " + g.atom()
	case 2:
		return g.num(1) + g.pick(" < ", " <= ", " > ", " >= ") + g.num(1)
	case 3:
		return g.cond() + g.pick(" and ", " or ") + g.cond()
	}
	return g.atom()
}

// num is an expression that mostly is a number.
func (g *generator) num(depth int) string {
	if depth == 0 || g.chance(30) {
		return g.pick("1", "2", "0.5", "10", "-3", "G", "T[1]", "#T", g.local("7"))
	}
	return "(" + g.num(depth-1) + g.pick(" + ", " - ", " * ", " / ", " % ") + g.num(depth-1) + ")"
}

func (g *generator) local(def string) string {
	if len(g.vars) == 0 {
		return def
	}
	return g.vars[g.r.IntN(len(g.vars))]
}

func (g *generator) atom() string {
	return g.pick("nil", "true", "false", "1", "2.5", `"s"`, `"10"`, "G", "T.x", "T.y", "T[1]", "O.n", "O.missing",
		g.local("T"), g.local("O"), g.local("3"))
}

func (g *generator) expr(depth int) string {
	if depth == 0 {
		return g.atom()
	}
	switch g.r.IntN(23) {
	case 0, 1, 2:
		return g.num(depth)
	case 3:
		return g.expr(depth-1) + g.pick(" and ", " or ") + g.expr(depth-1)
	case 4:
		return "(" + g.cond() + ") and " + g.expr(depth-1) + " or " + g.expr(depth-1)
	case 5:
		return g.pick("not ", "#", "-") + g.atom()
	case 6:
		return g.num(1) + " .. " + g.pick(`"x"`, g.num(1), g.atom())
	case 7:
		return "{" + g.list() + g.pick("", ", k = "+g.expr(depth-1)) + "}"
	case 8:
		return "(function(z) " + g.pick("z = z or 1 ", "") + "return " + g.expr(depth-1) + " end)(" + g.atom() + ")"
	case 9:
		return g.pick("T.f", "O", "tostring", "type", "select") + "(" + g.pick("1, ", "") + g.expr(depth-1) + ")"
	case 10:
		return "O:m(" + g.expr(depth-1) + ")"
	case 11:
		if len(g.fns) > 0 {
			return g.fns[g.r.IntN(len(g.fns))] + "(" + g.list() + ")"
		}
	case 12:
		if g.vararg {
			return g.pick("...", "(...)", `select("#", ...)`, "select(2, ...)", "{...}")
		}
	case 13:
		return "(" + g.expr(depth-1) + ")"
	case 14:
		return "T[" + g.num(1) + "]"
	case 15:
		return g.num(1) + "\n    + " + g.atom()
	case 16:
		return g.atom() + g.pick(" + ", " == ", " ~= ", " .. ", " < ") + g.atom()
	case 17:
		return "(" + g.pick(`"text"`, `"12"`, "T.y") + "):" + g.pick("upper()", "len()", "rep(2)", "byte(1, -1)", "find('t')") + ""
	case 18:
		return "(" + g.pick(`"text"`, `"12"`, "T.y") + "):sub(" + g.num(1) + ")"
	case 19:
		return g.pick("tonumber", "math.floor", "-", "string.len", "math.max") + "(" + g.expr(depth-1) + ")"
	case 20:
		return g.pick("bit.band", "bit.bxor", "math.min", "math.fmod", "string.rep", "rawequal") + "(" + g.num(1) + ", " + g.num(1) + ")"
	case 21:
		return `("%s %5.1f"):format(type(` + g.atom() + "), " + g.num(1) + ")"
	}
	return g.atom()
}
