// Package modules finds what a chunk requires, so that the build can carry
// every module a program may ask for. Of a name that is computed at run time the
// constant parts are known at best ("plugins." .. name .. ".handler"); a comment
// can add the rest:
//
//	-- moonphase:require my.plugin.a my.plugin.b
package modules

import (
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// Require is one module that a chunk asks for.
type Require struct {
	// Module is the name. With a * in it, it is a pattern: the module is one of
	// those that match, * standing for any part of a name. Patterns are Optional.
	Module    string
	Line, Col int // of the name
	// Optional is set when the chunk catches the failure, as in pcall(require, "x").
	Optional bool
	// Conditional is set when the require stands in a function or a branch: the
	// chunk may load without it.
	Conditional bool
}

// Find lists what a bound chunk requires, in program order, then what its
// comments add. module is the name the chunk itself is required by, or "":
// `require(... .. ".part")` builds on it.
func Find(chunk *ast.Chunk, module string) []Require {
	f := &finder{module: module, items: map[*ast.Local][]string{}, caught: map[*ast.Func]bool{}}
	// A function may be handed to pcall further down than its requires stand.
	ast.Walk(chunk.Main.Body, f.markCaught)
	f.body(chunk.Main.Body, false)
	f.comments(chunk.Comments)
	return f.found
}

type finder struct {
	module string
	items  map[*ast.Local][]string // loop variables that run over constant strings
	caught map[*ast.Func]bool      // functions that run under pcall
	depth  int                     // functions around the place that is looked at
	branch int                     // branches of if around it
	found  []Require
	steps  int // left for the name that is looked at
}

// maxSteps bounds the work on one name: locals that are built from one another
// can make it as long as they like.
const maxSteps = 1000

// markCaught notes functions whose errors are caught: pcall(f), pcall(function() ... end).
func (f *finder) markCaught(n any) bool {
	c, ok := n.(*ast.Call)
	if !ok || !catches(c) {
		return true
	}
	switch fn := c.Args[0].(type) {
	case *ast.FuncExpr:
		f.caught[fn.Func] = true
	case *ast.Name:
		if fn.Local != nil && fn.Local.FuncValue != nil {
			f.caught[fn.Local.FuncValue] = true
		}
	}
	return true
}

// catches reports whether c is pcall(x, ...) or xpcall(x, ...).
func catches(c *ast.Call) bool {
	if c.Fn == nil || len(c.Args) == 0 {
		return false
	}
	name := ast.GlobalPath(c.Fn)
	return name == "pcall" || name == "xpcall"
}

// body looks through n; caught is set when its errors are caught.
func (f *finder) body(n any, caught bool) {
	ast.Walk(n, func(n any) bool {
		switch n := n.(type) {
		case *ast.FuncExpr:
			f.depth++
			f.body(n.Func.Body, caught || f.caught[n.Func])
			f.depth--
			return false
		case *ast.IfStmt:
			for _, c := range n.Clauses {
				f.body(c.Cond, caught)
				f.inBranch(c.Body, caught)
			}
			f.inBranch(n.Else, caught)
			return false
		case *ast.GenForStmt:
			f.loop(n)
		case *ast.Call:
			f.call(n, caught)
		}
		return true
	})
}

// inBranch looks through a branch of an if, which may be nil.
func (f *finder) inBranch(b *ast.Block, caught bool) {
	if b == nil {
		return
	}
	f.branch++
	f.body(b, caught)
	f.branch--
}

// loop notes `for _, name in ipairs { "a", "b" } do`, a common way to load plugins.
func (f *finder) loop(s *ast.GenForStmt) {
	if len(s.Vars) != 2 || len(s.Exprs) != 1 {
		return
	}
	c, ok := s.Exprs[0].(*ast.Call)
	if !ok || c.Fn == nil || len(c.Args) != 1 {
		return
	}
	if name := ast.GlobalPath(c.Fn); name != "ipairs" && name != "pairs" {
		return
	}
	t, ok := value(c.Args[0]).(*ast.Table)
	if !ok {
		return
	}
	for _, field := range t.Fields {
		f.steps = maxSteps
		if name, ok := f.text(field.Value); ok {
			f.items[s.Vars[1]] = append(f.items[s.Vars[1]], name)
		}
	}
}

// call notes require(name), and pcall(require, name) with its relatives.
func (f *finder) call(c *ast.Call, caught bool) {
	if c.Fn == nil {
		return
	}
	fn, args := c.Fn, c.Args
	if catches(c) {
		caught = true
		handler := 0
		if ast.GlobalPath(c.Fn) == "xpcall" {
			handler = 1
		}
		if len(args) < handler+2 {
			return
		}
		fn, args = args[0], args[handler+1:]
	}
	if len(args) == 0 || ast.GlobalPath(fn) != "require" {
		return
	}
	f.steps = maxSteps
	for _, name := range f.names(args[0]) {
		pos := args[0].ExprPos()
		f.found = append(f.found, Require{
			Module: name, Line: pos.Line, Col: pos.Col, Optional: caught || strings.Contains(name, "*"),
			Conditional: f.depth > 0 || f.branch > 0,
		})
	}
}

// names is what a module name can be, as far as it is constant.
func (f *finder) names(e ast.Expr) []string {
	if n, ok := e.(*ast.Name); ok && n.Local != nil && n.Local.Assigned == 0 {
		if items := f.items[n.Local]; items != nil {
			return items
		}
	}
	if l, ok := e.(*ast.Logical); ok { // require(fast and "a" or "b")
		return append(f.names(l.L), f.names(l.R)...)
	}
	if name, ok := f.text(e); ok {
		return []string{name}
	}
	if pattern := f.pattern(e); usable(pattern) {
		return []string{pattern}
	}
	return nil
}

// pattern is e's text with a * for each part that is not constant.
func (f *finder) pattern(e ast.Expr) string {
	if f.steps--; f.steps < 0 {
		return "*"
	}
	if s, ok := f.text(e); ok {
		return s
	}
	if b, ok := value(e).(*ast.Binary); ok && b.Op == ".." {
		return strings.ReplaceAll(f.pattern(b.L)+f.pattern(b.R), "**", "*")
	}
	return "*"
}

// usable: a pattern names the folder its modules are in. Anything less would
// take in every module there is.
func usable(pattern string) bool {
	folder, _, ok := strings.Cut(pattern, "*")
	return ok && strings.Contains(folder, ".")
}

// text is the value of a constant string expression.
func (f *finder) text(e ast.Expr) (string, bool) {
	if f.steps--; f.steps < 0 {
		return "", false
	}
	switch e := e.(type) {
	case *ast.StringExpr:
		return e.Value, true
	case *ast.VarargExpr:
		// The first argument of a module's chunk is the module's name.
		return f.module, f.module != "" && f.depth == 0
	case *ast.Name:
		init := value(e)
		if _, ok := init.(*ast.VarargExpr); ok { // local NAME = ...
			return f.module, f.module != "" && e.Local.Func.Parent == nil
		}
		if init != ast.Expr(e) {
			return f.text(init)
		}
	case *ast.Call:
		return f.parent(e)
	case *ast.Logical: // string.match(..., ".*%.") or ""
		if s, ok := f.text(e.L); ok && e.Op == "or" {
			return s, true
		}
	case *ast.Binary:
		if e.Op != ".." {
			return "", false
		}
		l, ok := f.text(e.L)
		if !ok {
			return "", false
		}
		r, ok := f.text(e.R)
		return l + r, ok
	}
	return "", false
}

// parents are the ways in which modules cut the last part off their own name:
// the function, its pattern, and whether the dot before that part stays.
var parents = []struct {
	function, pattern string
	dot               bool
}{
	{"match", ".*%.", true}, {"match", "(.*%.)", true}, {"match", "^(.*%.)", true}, {"match", "(.-)[^%.]+$", true},
	{"match", "^(.-)[^%.]+$", true}, {"match", "(.+)%.[^%.]+$", false}, {"match", "^(.+)%.[^%.]+$", false},
	{"match", "(.*)%.", false}, {"match", "^(.*)%.", false},
	{"gsub", "[^%.]+$", true}, {"gsub", "[^%.]*$", true}, {"gsub", "%.[^%.]+$", false}, {"gsub", "%.[^%.]*$", false},
}

// parent is the value of (...):match("(.-)[^%.]+$") and its like.
func (f *finder) parent(c *ast.Call) (string, bool) {
	var args []ast.Expr
	function := c.Method
	if c.Fn != nil {
		var ok bool
		if function, ok = strings.CutPrefix(ast.GlobalPath(c.Fn), "string."); !ok {
			return "", false
		}
		args = c.Args
	} else {
		args = append([]ast.Expr{c.Obj}, c.Args...)
	}
	if len(args) < 2 {
		return "", false
	}
	pattern, ok := args[1].(*ast.StringExpr)
	if !ok {
		return "", false
	}
	name, ok := f.text(args[0])
	i := strings.LastIndexByte(name, '.')
	if !ok || i < 0 {
		return "", false
	}
	for _, p := range parents {
		if p.function == function && p.pattern == pattern.Value {
			if p.dot {
				i++
			}
			return name[:i], true
		}
	}
	return "", false
}

// value looks through the name of a local that keeps its first value.
func value(e ast.Expr) ast.Expr {
	n, ok := e.(*ast.Name)
	if !ok || n.Local == nil || n.Local.Assigned > 0 || n.Local.Init == nil {
		return e
	}
	return n.Local.Init
}

// directive is the comment that adds modules.
const directive = "moonphase:require"

func (f *finder) comments(cs []ast.Comment) {
	for _, c := range cs {
		rest, ok := strings.CutPrefix(strings.TrimSpace(c.Text), directive)
		if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		for _, name := range strings.Fields(strings.ReplaceAll(rest, ",", " ")) {
			f.found = append(f.found, Require{Module: name, Line: c.Pos.Line, Col: c.Pos.Col})
		}
	}
}
