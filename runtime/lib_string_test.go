package runtime

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

// FuzzPattern runs every function that takes a pattern: none may panic, and what
// they find must lie in the subject.
func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{
		{"THE (quick) fox", "%((%a+)%)"}, {"hello", "l*"}, {"key = val", "^(%w+)%s*=%s*(%w+)$"}, {"x", "[]"},
		{"f(a(b)c)", "%b()"}, {"abab", "(ab)%1"}, {"a-b", "[a-c-e]+"}, {"ab cd", "%f[%w]%w"}, {"", "()"}, {"b", "(()b"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, subject, pattern string) {
		if len(subject) > 30 || strings.Count(pattern, "*")+strings.Count(pattern, "-")+strings.Count(pattern, "?")+strings.Count(pattern, "+") > 5 {
			return // backtracking takes its time, as in Lua
		}
		th := NewState(Options{}).Main()
		lib := th.State.Globals.GetStr("string").Table()
		call := func(name string, args ...Value) []Value {
			results, err := th.PCall(lib.GetStr(name), args...)
			if err != nil && err.Defect != nil {
				t.Fatalf("%s(%q, %q): %v\n%s", name, subject, pattern, err, err.Defect)
			}
			return results
		}
		s, p := String(subject), String(pattern)
		if r := call("find", s, p); len(r) > 1 {
			start, end := r[0].Num(), r[1].Num()
			if start < 1 || end < start-1 || end > float64(len(subject)) {
				t.Fatalf("find(%q, %q) = %v, %v", subject, pattern, start, end)
			}
		}
		call("match", s, p)
		call("gsub", s, p, String("<%0>"))
		call("gsub", s, p, String("%1"))
		if r := call("gmatch", s, p); r != nil {
			for range len(subject) + 2 {
				v, err := th.PCall(r[0])
				if err != nil || len(v) == 0 {
					return
				}
			}
			t.Fatalf("gmatch(%q, %q) does not end", subject, pattern)
		}
	})
}

// FuzzFormat checks that string.format never panics, that widths hold, and that a
// number printed with 17 digits reads back as itself.
func FuzzFormat(f *testing.F) {
	f.Add("%5.2f|%-10s|%x", 3.14159, "text")
	f.Add("%q %c %e", math.Inf(1), "a\x00b")
	f.Add("%+#012.5g", -0.5, "")
	f.Add("%a %.3a", 5e-324, "")
	f.Fuzz(func(t *testing.T, format string, x float64, s string) {
		th := NewState(Options{}).Main()
		fn := th.State.Globals.GetStr("string").Table().GetStr("format")
		_, err := th.PCall(fn, String(format), canonicalNumber(x), String(s), canonicalNumber(x))
		if err != nil && err.Defect != nil {
			t.Fatalf("format(%q): %v\n%s", format, err, err.Defect)
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		if back, err := strconv.ParseFloat(string(appendNumberG(nil, x, 17)), 64); back != x && !errors.Is(err, strconv.ErrRange) {
			t.Fatalf("%%.17g of %v reads as %v", x, back)
		}
		even := string(formatSpec{prec: 10, conv: 'e', even: true}.appendFloat(nil, x))
		if want := fmt.Sprintf("%.10e", x); even != want {
			t.Fatalf("%%.10e of %v: got %s, want %s", x, even, want)
		}
		hex := string(formatSpec{prec: -1, conv: 'a'}.appendFloat(nil, x))
		if back, err := strconv.ParseFloat(hex, 64); err != nil || back != x {
			t.Fatalf("%%a of %v: %s reads as %v", x, hex, back)
		}
	})
}

func BenchmarkString(b *testing.B) {
	th := NewState(Options{}).Main()
	lib := th.State.Globals.GetStr("string").Table()
	subject := String("GET /path/to/resource?key=value&other=1 HTTP/1.1")
	for _, bb := range []struct {
		name string
		args []Value
	}{
		{"sub", []Value{subject, Int(5), Int(-10)}},
		{"byte", []Value{subject, Int(3)}},
		{"find", []Value{subject, String("HTTP")}},
		{"match", []Value{subject, String("^(%u+) (%S+) HTTP/(%d)%.(%d)$")}},
		{"gsub", []Value{subject, String("%w+"), String("<%0>")}},
		{"format", []Value{String("%s: %d (%5.2f)"), String("key"), Int(42), Number(1.5)}},
		{"rep", []Value{String("ab"), Int(50)}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			f := lib.GetStr(bb.name)
			for b.Loop() {
				CallList(th, f, "", bb.args)
			}
		})
	}
}
