package modules

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// name is one module name that an expression can have as its value.
type name struct {
	text   string // with * in it a pattern
	pos    ast.Pos
	choice bool // it is one of several
}

// maxSteps bounds the work on one name: locals that are built from one another
// can make it as long as they like.
const maxSteps = 1000

// maxName is the length up to which texts are followed.
const maxName = 1000

// names lists what e can be, as far as it is constant; complete is set when it can
// be nothing else. in is the function that e stands in, nil when that is not known.
func (f *finder) names(e ast.Expr, in *ast.Func) (list []name, complete bool) {
	if f.steps--; f.steps < 0 {
		return nil, false
	}
	at := e.ExprPos()
	if v, ok := f.eval(e, in); ok {
		if v.falsy {
			return nil, true
		}
		return []name{{text: v.text, pos: at}}, true
	}
	switch e := e.(type) {
	case *ast.Name:
		if e.Local == nil || e.Local.Assigned > 0 {
			break
		}
		if items, ok := f.items[e.Local]; ok {
			return f.all(items, at, in, false), true
		}
		if e.Local.Kind == ast.Param {
			return f.arguments(e.Local.Func, slices.Index(e.Local.Func.Params, e.Local))
		}
		if e.Local.Init != nil {
			list, complete = f.names(e.Local.Init, e.Local.Func)
			for i := range list {
				list[i].pos = at
			}
			return list, complete
		}
	case *ast.VarargExpr:
		if in != nil && in.Parent != nil {
			return f.arguments(in, len(in.Params))
		}
	case *ast.Logical: // fast and "a" or "b"
		l, lok := f.names(e.L, in)
		r, rok := f.names(e.R, in)
		if e.Op == "and" {
			return r, rok // the left one is a condition
		}
		list, complete = append(l, r...), lok && rok
		for i := range list {
			list[i].choice = len(list) > 1 || !complete
		}
		return list, complete
	case *ast.Index: // plugins[i], of a table that is written down
		if t, ok := value(e.Obj).(*ast.Table); ok {
			return f.all(fieldValues(t), at, in, true), true
		}
	}
	if pattern := f.pattern(e, in); usable(pattern) {
		return []name{{text: pattern, pos: at}}, true
	}
	return nil, false
}

// all lists the constant texts among es, as seen from one place.
func (f *finder) all(es []ast.Expr, at ast.Pos, in *ast.Func, choice bool) []name {
	var list []name
	for _, e := range es {
		if v, ok := f.eval(e, in); ok && !v.falsy {
			list = append(list, name{v.text, at, choice})
		}
	}
	return list
}

// arguments lists what a local function is called with in one place:
// `local function prequire(name) ... pcall(require, name)`.
func (f *finder) arguments(fn *ast.Func, at int) (list []name, complete bool) {
	if fn.Binding == nil {
		return nil, false
	}
	var calls [][]ast.Expr
	for _, c := range fn.Binding.Calls {
		calls = append(calls, c.Args)
	}
	calls = append(calls, f.handed[fn.Binding]...)
	complete = len(calls) == fn.Binding.Uses
	for _, args := range calls {
		if at < 0 || at >= len(args) {
			continue
		}
		l, ok := f.names(args[at], nil)
		list = append(list, l...)
		complete = complete && ok
	}
	return list, complete
}

// pattern is e's text with a * for each part that is not constant.
func (f *finder) pattern(e ast.Expr, in *ast.Func) string {
	if f.steps--; f.steps < 0 {
		return "*"
	}
	if v, ok := f.eval(e, in); ok && !v.falsy {
		return v.text
	}
	e, in = f.value(e, in)
	if b, ok := e.(*ast.Binary); ok && b.Op == ".." {
		return strings.ReplaceAll(f.pattern(b.L, in)+f.pattern(b.R, in), "**", "*")
	}
	return "*"
}

// usable: a pattern names the folder its modules are in. Anything less would
// take in every module there is.
func usable(pattern string) bool {
	folder, _, ok := strings.Cut(pattern, "*")
	return ok && strings.ContainsAny(folder, "./")
}

// isMain: fn is the main function, whose ... is the module's name.
func isMain(fn *ast.Func) bool { return fn != nil && fn.Parent == nil }

// constant is a value known at compile time: a text, or nil or false.
type constant struct {
	text  string
	falsy bool
}

// eval is the value of a constant expression.
func (f *finder) eval(e ast.Expr, in *ast.Func) (constant, bool) {
	if f.steps--; f.steps < 0 {
		return constant{}, false
	}
	switch e := e.(type) {
	case *ast.StringExpr:
		return constant{text: e.Value}, true
	case *ast.NumberExpr:
		if e.Suffix == "" && e.Value == math.Trunc(e.Value) && math.Abs(e.Value) < 1e14 {
			return constant{text: strconv.FormatFloat(e.Value, 'f', -1, 64)}, true
		}
	case *ast.Unary: // s:sub(1, -2)
		if _, number := e.X.(*ast.NumberExpr); number && e.Op == "-" {
			v, ok := f.eval(e.X, in)
			return constant{text: "-" + v.text}, ok
		}
	case *ast.NilExpr, *ast.FalseExpr:
		return constant{falsy: true}, true
	case *ast.VarargExpr:
		// The first argument of a module's chunk is the module's name.
		return constant{text: f.module}, f.module != "" && isMain(in)
	case *ast.Name:
		if init, fn := f.value(e, in); init != ast.Expr(e) {
			return f.eval(init, fn)
		}
	case *ast.Call:
		return f.evalCall(e, in)
	case *ast.Logical: // string.match(..., ".*%.") or ""
		l, ok := f.eval(e.L, in)
		switch {
		case !ok:
		case l.falsy == (e.Op == "or"):
			return f.eval(e.R, in)
		default:
			return l, true
		}
	case *ast.Binary:
		if e.Op != ".." {
			break
		}
		l, ok := f.eval(e.L, in)
		if !ok || l.falsy {
			break
		}
		r, ok := f.eval(e.R, in)
		if !ok || r.falsy || len(l.text)+len(r.text) > maxName {
			break
		}
		return constant{text: l.text + r.text}, true
	}
	return constant{}, false
}

// value looks through the name of a local that keeps its first value, and says in
// which function that stands.
func (f *finder) value(e ast.Expr, in *ast.Func) (ast.Expr, *ast.Func) {
	init := value(e)
	if n, ok := e.(*ast.Name); ok && init != e {
		return init, n.Local.Func
	}
	return e, in
}

// value looks through the name of a local that keeps its first value.
func value(e ast.Expr) ast.Expr {
	n, ok := e.(*ast.Name)
	if !ok || n.Local == nil || n.Local.Assigned > 0 || n.Local.Init == nil {
		return e
	}
	return n.Local.Init
}
