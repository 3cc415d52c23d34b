package syntax

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// failing has one operation on the undefined global `bad` a row. The test puts
// every word on a line of its own; line is the one in LuaJIT's error message.
var failing = []struct {
	tokens string
	line   int
}{
	{"local x = bad . y", 6},
	{"local x = bad . y . z", 6},
	{"local x = bad [ 1 ]", 7},
	{"local x = bad [ 1 ] + 2", 8},
	{"local x = 1 + bad . y", 8},
	{"local x = bad . y + 1", 7},
	{"local x = ( bad . y )", 8},
	{"local x = ( bad . y ) . z", 8},
	{"local x = - bad . y", 7},
	{"local x = not bad . y", 7},
	{"local x = type( bad . y )", 8},
	{"local x = type( bad . y , 1 )", 8},
	{"local x = bad . y , 1", 7},
	{"local x = { bad . y }", 7},
	{"local x = { a = bad . y , 1 }", 9},
	{"local x = { [ bad . y ] = 1 }", 8},
	{"local x = true and bad . y", 8},
	{"local x = true and bad . y , 1", 8},
	{"local x = string and bad . y , 1", 8},
	{"local x = bad . y or 1", 7},
	{"local x = bad . y and 1", 7},
	{"local x = bad . y .. 1", 7},
	{"local x = bad . y == 1", 7},
	{"local x = string [ bad . y ]", 8},
	{"return bad . y", 4},
	{"return bad . y , 1", 5},
	{"if bad . y then end", 4},
	{"while bad . y do end", 4},
	{"repeat until bad . y", 5},
	{"bad . y = 1", 5},
	{"bad [ 1 ] = 1", 6},
	{"bad . y , x = 1 , 2", 9},
	{"x , bad . y = 1 , 2", 9},
	{"bad . y = function ( ) end", 8},
	{"function bad . y ( ) end", 1},
	{"function bad . y . z ( ) end", 4},
	{"function bad . y : z ( ) end", 4},
	{"bad . y( )", 3},
	{"bad . y : z( )", 5},
	{"bad( )", 1},
	{"bad( 1 , 2 )", 1},
	{"bad 's'", 2},
	{"bad { 1 }", 2},
	{"bad : m( )", 3},
	{"local x = bad + 1", 6},
	{"local x = 1 + bad", 6},
	{"local x = 1 + ( bad )", 8},
	{"local x = bad + ( 1 )", 8},
	{"local x = bad + 1 + 2", 6},
	{"local x = - bad", 5},
	{"local x = # bad", 5},
	{"local x = bad .. 'a'", 6},
	{"local x = bad .. 'a' .. 'b'", 8},
	{"local x = 'a' .. bad .. 'b'", 8},
	{"local x = bad < 1", 6},
	{"local x = bad < ( 1 )", 8},
	{"for i = bad , 2 do end", 7},
	{"for i = 1 , bad , 3 do end", 9},
	{"for k in bad do end", 4},
	{"for k in bad , 1 , 2 do end", 4},
	{"local x = { [ bad ] = 1 }", 9},
}

func TestErrorLines(t *testing.T) {
	for _, tt := range failing {
		chunk, ds := Parse("t.lua", oneTokenALine(tt.tokens))
		if len(ds) > 0 {
			t.Fatalf("%s: %v", tt.tokens, ds)
		}
		got := 0
		ast.Walk(chunk.Main.Body, func(n any) bool {
			if l := lineOfFailure(n); l != 0 {
				got = l
			}
			return true
		})
		if got != tt.line {
			t.Errorf("%s: got line %d, want %d", tt.tokens, got, tt.line)
		}
	}
}

// TestErrorLinesOracle runs the rows in luajit, when it is there.
func TestErrorLinesOracle(t *testing.T) {
	bin, err := exec.LookPath("luajit")
	if err != nil {
		t.Skip("no luajit")
	}
	for _, tt := range failing {
		cmd := exec.Command(bin, "-e", "local f = assert(loadstring(io.read('*a'), '=c')) print((select(2, pcall(f))))")
		cmd.Stdin = strings.NewReader(string(oneTokenALine(tt.tokens)))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %s", tt.tokens, out)
		}
		parts := strings.SplitN(string(out), ":", 3)
		if len(parts) < 3 || parts[1] != strconv.Itoa(tt.line) {
			t.Errorf("%s: want line %d, luajit says %s", tt.tokens, tt.line, out)
		}
	}
}

func oneTokenALine(tokens string) []byte { return []byte(strings.ReplaceAll(tokens, " ", "\n")) }

// lineOfFailure is the line of n's error when it works on `bad`.
func lineOfFailure(n any) int {
	switch n := n.(type) {
	case *ast.Index:
		if isBad(n.Obj) {
			return n.Line
		}
	case *ast.Binary:
		if isBad(n.L) || isBad(n.R) {
			return n.Line
		}
		// Concatenations in a row are one operation to LuaJIT.
		if r, ok := n.R.(*ast.Binary); ok && n.Op == ".." && r.Op == ".." && isBad(r.L) {
			return n.Line
		}
	case *ast.Unary:
		if isBad(n.X) {
			return n.Line
		}
	case *ast.Call:
		switch {
		case n.Fn != nil && isBad(n.Fn):
			return n.OpPos.Line
		case n.Obj != nil && isBad(n.Obj):
			return n.MPos.Line
		}
	case *ast.NumForStmt:
		if isBad(n.Start) || isBad(n.Stop) {
			return n.Line
		}
	case *ast.GenForStmt:
		if isBad(n.Exprs[0]) {
			return n.Line
		}
	case *ast.Table:
		if len(n.Fields) > 0 && isBad(n.Fields[0].Key) {
			return n.Fields[0].Line
		}
	}
	return 0
}

func isBad(e ast.Expr) bool {
	n, ok := e.(*ast.Name)
	return ok && n.Name == "bad"
}
