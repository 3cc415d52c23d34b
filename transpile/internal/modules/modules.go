// Package modules finds what a chunk requires, so that the build can carry
// every module a program may ask for. Of a name that is computed at run time the
// constant parts are known at best ("plugins." .. name .. ".handler"); a comment
// can add the rest:
//
//	-- moonphase:require my.plugin.a my.plugin.b
package modules

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// Facts is what a chunk has to do with modules.
type Facts struct {
	// Requires are in program order, then those that comments add.
	Requires []Require
	// Provides names modules that the chunk itself puts where require looks
	// before it looks for files: package.preload, package.loaded, module(name).
	Provides []string
	// ProvidesAny is set when it does so under names that are not known, or
	// adds a searcher of its own.
	ProvidesAny bool
}

// Require is one module that a chunk asks for.
type Require struct {
	// Module is the name. With a * in it, it is a pattern: the module is one of
	// those that match, * standing for any part of a name. Patterns are Optional.
	// "" is a name that is computed at run time.
	Module    string
	Line, Col int // of the name
	// Optional is set when the chunk catches the failure, as in pcall(require, "x").
	Optional bool
	// Conditional is set when the chunk may load without it: the require stands in
	// a function, in a branch, or behind one that returns.
	Conditional bool
	// Comment is set when a comment says so.
	Comment bool
}

// Names lists the modules and patterns that are required, sorted.
func (f *Facts) Names() []string {
	var names []string
	for _, r := range f.Requires {
		if r.Module != "" {
			names = append(names, r.Module)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Find looks through a bound chunk. module is the name the chunk itself is required
// by, or "": `require(... .. ".part")` builds on it.
func Find(chunk *ast.Chunk, module string) *Facts {
	f := &finder{
		module: module, in: chunk.Main, items: map[*ast.Local][]ast.Expr{},
		caught: map[*ast.Func]bool{}, handed: map[*ast.Local][][]ast.Expr{},
	}
	// A function may be handed to pcall further down than its requires stand.
	ast.Walk(chunk.Main.Body, f.markCaught)
	f.body(chunk.Main.Body, false)
	f.comments(chunk.Comments)
	return &f.facts
}

type finder struct {
	module string
	items  map[*ast.Local][]ast.Expr   // what loop variables run over
	caught map[*ast.Func]bool          // functions that run under pcall
	handed map[*ast.Local][][]ast.Expr // arguments of pcall(f, ...), by f
	in     *ast.Func                   // the function that is looked at
	branch int                         // branches around it
	left   bool                        // the main function may have returned before it
	facts  Facts
	steps  int // left for the name that is looked at
}

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
			f.handed[fn.Local] = append(f.handed[fn.Local], c.Args[min(handler(c)+1, len(c.Args)):])
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

// handler is the number of arguments between the function and its own arguments.
func handler(c *ast.Call) int {
	if ast.GlobalPath(c.Fn) == "xpcall" {
		return 1
	}
	return 0
}

// body looks through n; caught is set when its errors are caught.
func (f *finder) body(n any, caught bool) {
	ast.Walk(n, func(n any) bool {
		switch n := n.(type) {
		case *ast.FuncExpr:
			outer := f.in
			f.in = n.Func
			f.body(n.Func.Body, caught || f.caught[n.Func])
			f.in = outer
			return false
		case *ast.IfStmt:
			f.ifStmt(n, caught)
			return false
		case *ast.WhileStmt:
			f.body(n.Cond, caught)
			f.inBranch(n.Body, caught)
			return false
		case *ast.NumForStmt:
			f.inBranch(n.Body, caught)
			return false
		case *ast.GenForStmt:
			f.loop(n, caught)
			return false
		case *ast.Logical:
			f.body(n.L, caught)
			f.branch++
			f.body(n.R, caught)
			f.branch--
			return false
		case *ast.ReturnStmt:
			for _, e := range n.Exprs {
				f.body(e, caught)
			}
			f.leaves()
			return false
		case *ast.BreakStmt, *ast.GotoStmt:
			f.leaves()
		case *ast.AssignStmt:
			f.assigns(n)
		case *ast.Call:
			f.call(n, caught)
		}
		return true
	})
}

func (f *finder) ifStmt(s *ast.IfStmt, caught bool) {
	for i, c := range s.Clauses {
		if i > 0 {
			f.branch++
		}
		f.body(c.Cond, caught)
		if i > 0 {
			f.branch--
		}
		f.inBranch(c.Body, caught)
	}
	f.inBranch(s.Else, caught)
}

// inBranch looks through a block that may not run; it may be nil.
func (f *finder) inBranch(b *ast.Block, caught bool) {
	if b == nil {
		return
	}
	f.branch++
	f.body(b, caught)
	f.branch--
}

// leaves notes a way around the rest of the main function.
func (f *finder) leaves() {
	if isMain(f.in) {
		f.left = true
	}
}

// conditional reports whether the chunk may run without the place that is looked at.
func (f *finder) conditional() bool { return !isMain(f.in) || f.branch > 0 || f.left }

// loop looks through a loop, and notes what `for _, name in ipairs { "a", "b" } do`
// runs over, a common way to load plugins: its body surely runs.
func (f *finder) loop(s *ast.GenForStmt, caught bool) {
	for _, e := range s.Exprs {
		f.body(e, caught)
	}
	if t := iterated(s); t != nil && len(t.Fields) > 0 {
		if len(s.Vars) > 1 {
			f.items[s.Vars[1]] = fieldValues(t)
		}
		f.items[s.Vars[0]] = fieldKeys(t)
		f.body(s.Body, caught)
		return
	}
	f.inBranch(s.Body, caught)
}

// iterated is the table constructor that a loop over pairs or ipairs runs over, or nil.
func iterated(s *ast.GenForStmt) *ast.Table {
	if len(s.Vars) == 0 || len(s.Exprs) != 1 {
		return nil
	}
	c, ok := s.Exprs[0].(*ast.Call)
	if !ok || c.Fn == nil || len(c.Args) != 1 {
		return nil
	}
	if name := ast.GlobalPath(c.Fn); name != "ipairs" && name != "pairs" {
		return nil
	}
	t, _ := value(c.Args[0]).(*ast.Table)
	return t
}

func fieldValues(t *ast.Table) []ast.Expr {
	list := make([]ast.Expr, len(t.Fields))
	for i, field := range t.Fields {
		list[i] = field.Value
	}
	return list
}

func fieldKeys(t *ast.Table) []ast.Expr {
	var list []ast.Expr
	for _, field := range t.Fields {
		if field.Key != nil {
			list = append(list, field.Key)
		}
	}
	return list
}

// leavers unwind the handler that calls them.
var leavers = map[string]bool{"ngx.exit": true, "ngx.exec": true, "ngx.redirect": true, "os.exit": true}

// call notes require(name), pcall(require, name) with its relatives, and what
// else takes the name of a module.
func (f *finder) call(c *ast.Call, caught bool) {
	if c.Fn == nil {
		return
	}
	switch path := ast.GlobalPath(c.Fn); {
	case path == "require":
		if len(c.Args) > 0 {
			f.require(c.Args[0], caught)
		}
		return
	case path == "ngx.run_worker_thread": // answers false when there is no such module
		if len(c.Args) > 1 {
			f.branch++
			f.require(c.Args[1], caught)
			f.branch--
		}
		return
	case path == "module":
		if len(c.Args) > 0 {
			f.provide(c.Args[0])
		}
		return
	case path == "rawset" && len(c.Args) == 3:
		f.put(c.Args[0], c.Args[1], c.Args[2])
		return
	case path == "table.insert" && len(c.Args) > 0 && searchers[ast.GlobalPath(c.Args[0])]:
		f.facts.ProvidesAny = true
		return
	case leavers[path]:
		f.leaves()
		return
	}
	// pcall(require, name), and helpers of the same kind.
	for i, arg := range c.Args {
		if ast.GlobalPath(arg) != "require" {
			continue
		}
		if name := i + 1; catches(c) && i == 0 {
			if name += handler(c); name < len(c.Args) {
				f.require(c.Args[name], true)
			}
		} else if name < len(c.Args) {
			f.require(c.Args[name], true)
		}
		return
	}
}

// require notes the module that a require of e asks for.
func (f *finder) require(e ast.Expr, caught bool) {
	f.steps = maxSteps
	names, complete := f.names(e, f.in)
	if !complete {
		names = append(names, name{pos: e.ExprPos()})
	}
	for _, n := range names {
		glob := strings.Contains(n.text, "*")
		f.facts.Requires = append(f.facts.Requires, Require{
			Module: n.text, Line: n.pos.Line, Col: n.pos.Col, Optional: caught || glob,
			Conditional: f.conditional() || n.choice,
		})
	}
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
			f.facts.Requires = append(f.facts.Requires, Require{Module: name, Line: c.Pos.Line, Col: c.Pos.Col, Comment: true})
		}
	}
}
