package modules

import (
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/pm"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// evalCall is the value of a call of a string function with constant arguments:
// modules cut names of their neighbours out of their own, as in
// (...):match("(.-)[^%.]+$") and (...):gsub("%.init$", "").
func (f *finder) evalCall(c *ast.Call, in *ast.Func) (constant, bool) {
	function, exprs := c.Method, c.Args
	if c.Fn == nil {
		exprs = append([]ast.Expr{c.Obj}, c.Args...)
	} else {
		path := ast.GlobalPath(c.Fn)
		switch name, ok := strings.CutPrefix(path, "string."); {
		case ok:
			function = name
		case path == "tostring":
			function = path
		case path == "select" && len(exprs) == 2: // select(1, ...)
			if n, ok := f.eval(exprs[0], in); ok && n.text == "1" {
				return f.eval(exprs[1], in)
			}
			return constant{}, false
		default:
			return constant{}, false
		}
	}
	args := make([]string, len(exprs))
	for i, e := range exprs {
		v, ok := f.eval(e, in)
		if !ok || v.falsy {
			return constant{}, false
		}
		args[i] = v.text
	}
	fold := stringFunctions[function]
	if fold == nil || len(args) == 0 {
		return constant{}, false
	}
	v, ok := fold(args)
	return v, ok && len(v.text) <= maxName
}

var stringFunctions = map[string]func(args []string) (constant, bool){
	"tostring": func(args []string) (constant, bool) { return constant{text: args[0]}, true },
	"lower":    func(args []string) (constant, bool) { return constant{text: asciiCase(args[0], 'A', 'Z')}, true },
	"upper":    func(args []string) (constant, bool) { return constant{text: asciiCase(args[0], 'a', 'z')}, true },
	"sub":      foldSub,
	"match":    foldMatch,
	"gsub":     foldGsub,
	"format":   foldFormat,
}

// asciiCase turns the letters from low to high into those of the other case.
func asciiCase(s string, low, high byte) string {
	b := []byte(s)
	for i, c := range b {
		if low <= c && c <= high {
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}

// foldSub is string.sub.
func foldSub(args []string) (constant, bool) {
	s := args[0]
	bounds := [2]int{1, -1}
	for i, a := range args[1:min(len(args), 3)] {
		n, err := strconv.Atoi(a)
		if err != nil {
			return constant{}, false
		}
		bounds[i] = n
	}
	for i, n := range bounds {
		if n < 0 {
			bounds[i] = max(len(s)+n+1, 0)
		}
	}
	from, to := max(bounds[0], 1), min(bounds[1], len(s))
	if from > to {
		return constant{}, true
	}
	return constant{text: s[from-1 : to]}, true
}

// foldFormat is string.format with nothing but %s and %%.
func foldFormat(args []string) (constant, bool) {
	var b strings.Builder
	rest := args[1:]
	for s := args[0]; ; {
		before, after, found := strings.Cut(s, "%")
		b.WriteString(before)
		switch {
		case !found:
			return constant{text: b.String()}, true
		case strings.HasPrefix(after, "%"):
			b.WriteByte('%')
		case strings.HasPrefix(after, "s") && len(rest) > 0:
			b.WriteString(rest[0])
			rest = rest[1:]
		default:
			return constant{}, false
		}
		s = after[1:]
	}
}

// find runs a Lua pattern over s, at most limit times. Patterns that could take long
// count as unknown.
func find(s, pattern string, limit int) ([]*pm.MatchData, bool) {
	if len(pattern) > 100 || strings.Count(pattern, "*")+strings.Count(pattern, "+")+strings.Count(pattern, "-") > 4 {
		return nil, false
	}
	matches, err := pm.Find(pattern, []byte(s), 0, limit)
	return matches, err == nil
}

// capture is the i-th capture of a match, the whole for 0.
func capture(s string, m *pm.MatchData, i int) (string, bool) {
	if 2*i+1 >= m.CaptureLength() || m.IsPosCapture(2*i) {
		return "", false
	}
	return s[m.Capture(2*i):m.Capture(2*i+1)], true
}

// foldMatch is the first result of string.match.
func foldMatch(args []string) (constant, bool) {
	if len(args) != 2 {
		return constant{}, false
	}
	matches, ok := find(args[0], args[1], 1)
	if !ok {
		return constant{}, false
	}
	if len(matches) == 0 {
		return constant{falsy: true}, true
	}
	i := 0
	if matches[0].CaptureLength() > 2 {
		i = 1
	}
	text, ok := capture(args[0], matches[0], i)
	return constant{text: text}, ok
}

// foldGsub is the first result of string.gsub with a text to put in.
func foldGsub(args []string) (constant, bool) {
	limit := -1
	if len(args) == 4 {
		n, err := strconv.Atoi(args[3])
		if err != nil || n < 0 {
			return constant{}, false
		}
		limit = n
	}
	if len(args) < 3 || limit == 0 {
		return constant{}, false
	}
	s := args[0]
	matches, ok := find(s, args[1], limit)
	if !ok {
		return constant{}, false
	}
	var b strings.Builder
	end := 0
	for _, m := range matches {
		b.WriteString(s[end:m.Capture(0)])
		if !expand(&b, args[2], s, m) {
			return constant{}, false
		}
		end = m.Capture(1)
	}
	b.WriteString(s[end:])
	return constant{text: b.String()}, true
}

// expand writes the replacement of one match; %1 is its first capture.
func expand(b *strings.Builder, with, s string, m *pm.MatchData) bool {
	for i := 0; i < len(with); i++ {
		if with[i] != '%' {
			b.WriteByte(with[i])
			continue
		}
		i++
		if i == len(with) {
			return false
		}
		if with[i] < '0' || with[i] > '9' {
			b.WriteByte(with[i])
			continue
		}
		n := int(with[i] - '0')
		if n == 1 && m.CaptureLength() == 2 {
			n = 0
		}
		text, ok := capture(s, m, n)
		if !ok {
			return false
		}
		b.WriteString(text)
	}
	return true
}
