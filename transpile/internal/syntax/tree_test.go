package syntax

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// show writes an expression with all its structure.
func show(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.NilExpr:
		return "nil"
	case *ast.TrueExpr:
		return "true"
	case *ast.FalseExpr:
		return "false"
	case *ast.VarargExpr:
		return paren("...", e.Paren)
	case *ast.NumberExpr:
		if e.Suffix == "LL" || e.Suffix == "ULL" {
			return fmt.Sprintf("%d%s", e.Bits, e.Suffix)
		}
		return fmt.Sprintf("%v%s", e.Value, e.Suffix)
	case *ast.StringExpr:
		return fmt.Sprintf("%q", e.Value)
	case *ast.Name:
		return e.Name
	case *ast.Index:
		return fmt.Sprintf("%s[%s]", show(e.Obj), show(e.Key))
	case *ast.Call:
		if e.Fn != nil {
			return paren(show(e.Fn)+"("+showAll(e.Args)+")", e.Paren)
		}
		return paren(show(e.Obj)+":"+e.Method+"("+showAll(e.Args)+")", e.Paren)
	case *ast.FuncExpr:
		return showFunc(e.Func)
	case *ast.Binary:
		return "(" + show(e.L) + e.Op + show(e.R) + ")"
	case *ast.Logical:
		return "(" + show(e.L) + " " + e.Op + " " + show(e.R) + ")"
	case *ast.Unary:
		return "(" + e.Op + " " + show(e.X) + ")"
	case *ast.Table:
		var fields []string
		for _, f := range e.Fields {
			s := show(f.Value)
			if f.Key != nil {
				s = show(f.Key) + "=" + s
			}
			fields = append(fields, s)
		}
		return "{" + strings.Join(fields, ",") + "}"
	}
	return fmt.Sprintf("%T", e)
}

func paren(s string, cut bool) string {
	if cut {
		return "one(" + s + ")"
	}
	return s
}

func showAll(es []ast.Expr) string {
	var list []string
	for _, e := range es {
		list = append(list, show(e))
	}
	return strings.Join(list, ",")
}

func showLocals(ls []*ast.Local) string {
	var list []string
	for _, l := range ls {
		list = append(list, l.Name)
	}
	return strings.Join(list, ",")
}

func showFunc(f *ast.Func) string {
	dots := ""
	if f.IsVararg {
		dots = "..."
	}
	return fmt.Sprintf("fn<%s>(%s%s){%s}", f.Name, showLocals(f.Params), dots, showBlock(f.Body))
}

func showBlock(b *ast.Block) string {
	var list []string
	for _, s := range b.Stmts {
		list = append(list, showStmt(s))
	}
	return strings.Join(list, "; ")
}

func showStmt(s ast.Stmt) string {
	switch s := s.(type) {
	case *ast.LocalStmt:
		return "local " + showLocals(s.Locals) + " = " + showAll(s.Exprs)
	case *ast.LocalFuncStmt:
		return "local rec " + s.Local.Name + " = " + showFunc(s.Func.Func)
	case *ast.AssignStmt:
		return showAll(s.Targets) + " = " + showAll(s.Exprs)
	case *ast.CallStmt:
		return show(s.Call)
	case *ast.DoStmt:
		return "do{" + showBlock(s.Body) + "}"
	case *ast.WhileStmt:
		return "while " + show(s.Cond) + "{" + showBlock(s.Body) + "}"
	case *ast.RepeatStmt:
		return "repeat{" + showBlock(s.Body) + "}" + show(s.Cond)
	case *ast.IfStmt:
		out := ""
		for _, c := range s.Clauses {
			out += "if " + show(c.Cond) + "{" + showBlock(c.Body) + "}"
		}
		if s.Else != nil {
			out += "else{" + showBlock(s.Else) + "}"
		}
		return out
	case *ast.NumForStmt:
		bounds := []ast.Expr{s.Start, s.Stop}
		if s.Step != nil {
			bounds = append(bounds, s.Step)
		}
		return "for " + s.Var.Name + "=" + showAll(bounds) + "{" + showBlock(s.Body) + "}"
	case *ast.GenForStmt:
		return "for " + showLocals(s.Vars) + " in " + showAll(s.Exprs) + "{" + showBlock(s.Body) + "}"
	case *ast.ReturnStmt:
		return "return " + showAll(s.Exprs)
	case *ast.BreakStmt:
		return "break"
	case *ast.GotoStmt:
		return "goto " + s.Label
	case *ast.LabelStmt:
		return "::" + s.Name
	}
	return fmt.Sprintf("%T", s)
}

func TestTree(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"x = 1 + 2 * 3 - 4", "x = ((1+(2*3))-4)"},
		{"x = 2 ^ 3 ^ 4", "x = (2^(3^4))"},
		{"x = a .. b .. c", "x = (a..(b..c))"},
		{"x = -a ^ 2", "x = (- (a^2))"},
		{"x = -a * b", "x = ((- a)*b)"},
		{"x = 2 ^ -a", "x = (2^(- a))"},
		{"x = not a == b", "x = ((not a)==b)"},
		{"x = not not #a", "x = (not (not (# a)))"},
		{"x = a < b == c", "x = ((a<b)==c)"},
		{"x = a or b and c or d", "x = ((a or (b and c)) or d)"},
		{"x = a .. b + c == d and e", "x = (((a..(b+c))==d) and e)"},
		{"x = a % b / c", "x = ((a%b)/c)"},
		{"x = a >= b, c <= d, e ~= f, g > h", "x = (a>=b),(c<=d),(e~=f),(g>h)"},
		{"x = (a + b) * c", "x = ((a+b)*c)"},
		{"x = ((a))", "x = a"},
		{"x = (f())", "x = one(f())"},
		{"x = ((a:b()))", "x = one(a:b())"},
		{"x = (...)", "x = one(...)"},
		{"x = (f()) + g(), (f().x), -(f())", "x = (one(f())+g()),f()[\"x\"],(- one(f()))"},
		{"x = (f())()", "x = one(f())()"},
		{"x = ((f)()).y", "x = one(f())[\"y\"]"},
		{"x = (a.b).c, ((a)[1])[2], (a + b).c", "x = a[\"b\"][\"c\"],a[1][2],(a+b)[\"c\"]"},
		{"x = ((a + b) * (c)).d", "x = ((a+b)*c)[\"d\"]"},
		{"f()", "f()"},
		{"f 'a' {1} [[b]]", "f(\"a\")({1})(\"b\")"},
		{"a.b:c(1, 2):d 'e'", "a[\"b\"]:c(1,2):d(\"e\")"},
		{"(f or g)(1)", "(f or g)(1)"},
		{"f\n(g)\n(h)", "f(g)(h)"},
		{"a.b[c].d = 1", "a[\"b\"][c][\"d\"] = 1"},
		{"a, b.c, d[1] = f()", "a,b[\"c\"],d[1] = f()"},
		{"x = {1, a = 2, [b] = 3; f(), (f()), ...}", "x = {1,\"a\"=2,b=3,f(),one(f()),...}"},
		{"x = {}; y = {{},}", "x = {}; y = {{}}"},
		{"x = {a = function() end}", "x = {\"a\"=fn<a>(){}}"},
		{"function f() end", "f = fn<f>(){}"},
		{"function a.b.c(x, ...) end", "a[\"b\"][\"c\"] = fn<a.b.c>(x...){}"},
		{"function a.b:c(x) end", "a[\"b\"][\"c\"] = fn<a.b:c>(self,x){}"},
		{"local function f(...) end", "local rec f = fn<f>(...){}"},
		{"local f = function(a, b) end", "local f = fn<f>(a,b){}"},
		{"a.b = function() end", "a[\"b\"] = fn<a.b>(){}"},
		{"f(function() return end)", "f(fn<>(){return })"},
		{"local a, b, c = 1, f()", "local a,b,c = 1,f()"},
		{"local a", "local a = "},
		{"do local x end", "do{local x = }"},
		{"while a do b() end", "while a{b()}"},
		{"repeat a() until b", "repeat{a()}b"},
		{"if a then b() end", "if a{b()}"},
		{"if a then elseif b then else end", "if a{}if b{}else{}"},
		{"if a then else if b then c() end end", "if a{}else{if b{c()}}"},
		{"if a then elseif b then elseif c then x() end", "if a{}if b{}if c{x()}"},
		{"for i = 1, 2 do end for i = 1, 2, 3 do break end", "for i=1,2{}; for i=1,2,3{break}"},
		{"for k, v in pairs(t), 1 do end", "for k,v in pairs(t),1{}"},
		{"while 1 do break; f() end", "while 1{break; f()}"},
		{"do do break end end", "do{do{break}}"},
		{"::a:: goto a ;;; ::b::", "::a; goto a; ::b"},
		{";;; return 1, ... ;", "return 1,..."},
		{"return", "return "},
		{"", ""},
	} {
		chunk, ds := Parse("t.lua", []byte(tt.src))
		if len(ds) > 0 {
			t.Errorf("%s: %v", tt.src, ds[0].Msg)
			continue
		}
		if got := showBlock(chunk.Main.Body); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
		}
		checkPositions(t, []byte(tt.src), chunk)
	}
}

func TestLiterals(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{`1`, "1"}, {`0123`, "123"}, {`1.5e3`, "1500"}, {`.5`, "0.5"}, {`5.`, "5"}, {`1e400`, "+Inf"}, {`1e-400`, "0"},
		{`0x10`, "16"}, {`0X.8`, "0.5"}, {`0x1p4`, "16"}, {`0x1.8p-1`, "0.75"}, {`0xffffffffffffffff`, "1.8446744073709552e+19"},
		{`0b1011`, "11"}, {`0B0`, "0"},
		{`1LL`, "1LL"}, {`18446744073709551615ull`, "18446744073709551615ULL"}, {`0xFFllu`, "255ULL"}, {`0b11LL`, "3LL"},
		{`9223372036854775808LL`, "9223372036854775808LL"},
		{`2i`, "2i"}, {`0x1p1i`, "2i"}, {`1.5I`, "1.5i"},
		{`9007199254740993`, "9.007199254740992e+15"}, {`0x20000000000001`, "9.007199254740992e+15"},
		{`"a\065\10\0b"`, `"aA\n\x00b"`}, {`'\x41\xfF'`, `"A\xff"`}, {`"\u{e9}\u{20AC}\u{1F600}"`, `"é€😀"`},
		{`"\a\b\f\n\r\t\v\\\"\'"`, `"\a\b\f\n\r\t\v\\\"'"`}, {"'a\\\nb\\\r\nc'", `"a\nb\nc"`}, {"'a\\z \n\t b'", `"ab"`},
		{"[[\na]\n\rb\r\nc]]", `"a]\nb\nc"`}, {"[==[a]]b]=]c]==]", `"a]]b]=]c"`}, {"[[\r\n\n]]", `"\n"`}, {`""`, `""`},
	} {
		chunk, ds := Parse("t.lua", []byte("return "+tt.src))
		if len(ds) > 0 {
			t.Errorf("%s: %v", tt.src, ds[0].Msg)
			continue
		}
		if got := show(chunk.Main.Body.Stmts[0].(*ast.ReturnStmt).Exprs[0]); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.src, got, tt.want)
		}
	}
}

// TestDenormals: the smallest numbers are rounded once, not twice.
func TestDenormals(t *testing.T) {
	n, ok := parseNumber("2.4703282292062328e-324")
	if !ok || n.Value != math.SmallestNonzeroFloat64 {
		t.Errorf("got %v, %v", n.Value, ok)
	}
}

func TestComments(t *testing.T) {
	chunk, ds := Parse("t.lua", []byte("#!/usr/bin/lua\n-- one\nx = 1 -- two\n--[[ three\n]] y = 2 --[=[4]=] --\n"))
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	var got []string
	for _, c := range chunk.Comments {
		got = append(got, fmt.Sprintf("%d:%d-%d:%d %q %v", c.Pos.Line, c.Pos.Col, c.End.Line, c.End.Col, c.Text, c.Own))
	}
	want := []string{
		`2:1-2:7 " one" true`, `3:7-3:13 " two" false`, `4:1-5:3 "[[ three\n]]" true`, `5:10-5:19 "[=[4]=]" false`, `5:20-5:22 "" false`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestDepth: whatever is nested or chained however deep is refused or read, in
// bounded stack.
func TestDepth(t *testing.T) {
	rep := strings.Repeat
	for _, tt := range []struct {
		name, src string
		ok        bool
	}{
		{"parentheses", "x = " + rep("(", 100000) + "1" + rep(")", 100000), false},
		{"tables", "x = " + rep("{", 100000), false},
		{"unary", "x = " + rep("- ", 100000) + "1", false},
		{"concat", "x = " + rep("a..", 100000) + "a", false},
		{"blocks", rep("do ", 100000), false},
		{"functions", rep("return function() ", 100000), false},
		{"else if", rep("if a then else ", 100000), false},
		{"calls", "f" + rep("()", 5000), true},
		{"sum", "x = a" + rep("+a", 5000), true},
		{"sum too long", "x = a" + rep("+a", 100000), false},
		{"fields", "x = a" + rep(".a", 5000), true},
		{"elseif", "if a then " + rep("elseif a then ", 5000) + "end", true},
		{"statements", rep("f() ", 100000), true},
	} {
		if _, ds := Parse("t.lua", []byte(tt.src)); (len(ds) == 0) != tt.ok {
			t.Errorf("%s: %v", tt.name, ds)
		}
	}
}
