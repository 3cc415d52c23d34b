package vet

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// checkContexts follows the calls from every directive's chunk and reports API
// functions that are refused there, with the calls that lead to them.
func (p *program) checkContexts() {
	for _, directive := range p.unit.Directives {
		if in := contextOf(directive); in != 0 {
			t := &trace{program: p, in: in, visited: map[*ast.Func]bool{}}
			t.function(p.unit, p.unit.Tree.Main)
		}
	}
}

// checkLoadTime reports what a module does with a request while it is loaded: it
// is loaded once, in whatever request comes first.
func (p *program) checkLoadTime() {
	if p.unit.isModule() {
		t := &trace{program: p, loading: true, visited: map[*ast.Func]bool{}}
		t.function(p.unit, p.unit.Tree.Main)
	}
}

// trace follows calls within one context.
type trace struct {
	*program
	in      contexts // one of them; not used when loading
	loading bool
	visited map[*ast.Func]bool
	chain   []frame
}

// frame is a call on the way to what is looked at.
type frame struct {
	unit *unit
	pos  ast.Pos
}

// function looks through fn's own body; functions inside run when they are
// called, if they are.
func (t *trace) function(u *unit, fn *ast.Func) {
	if t.visited[fn] || asksPhase(fn) {
		return
	}
	t.visited[fn] = true
	ast.Walk(fn.Body, func(n any) bool {
		switch n := n.(type) {
		case *ast.FuncExpr:
			return false
		case *ast.Index:
			if path := property(n); path != "" {
				t.use(u, n.Pos, path)
			}
		case *ast.Call:
			return t.call(u, n)
		}
		return true
	})
}

// asksPhase: the function looks where it runs, so it may know what it does.
func asksPhase(fn *ast.Func) bool {
	found := false
	ast.Walk(fn.Body, func(n any) bool {
		if c, ok := n.(*ast.Call); ok && c.Fn != nil && ast.GlobalPath(c.Fn) == "ngx.get_phase" {
			found = true
		}
		return !found
	})
	return found
}

// call looks at one call; false keeps the walk out of its arguments.
func (t *trace) call(u *unit, c *ast.Call) bool {
	if c.Fn == nil {
		if to, fn := t.method(u, c); fn != nil {
			t.enter(u, c, to, fn)
		}
		return true
	}
	path := ast.GlobalPath(c.Fn)
	switch path {
	case "pcall", "xpcall":
		return false // what fails is caught
	case "ngx.timer.at", "ngx.timer.every":
		t.timer(u, c)
	case "ngx.thread.spawn":
		if len(c.Args) > 0 {
			if fn := functionOf(c.Args[0]); fn != nil {
				t.enter(u, c, u, fn)
			}
		}
	}
	if strings.HasPrefix(path, "ngx.") || strings.HasPrefix(path, "ndk.") {
		t.use(u, c.Pos, path)
		return true
	}
	if to, fn := t.callee(u, c.Fn); fn != nil {
		t.enter(u, c, to, fn)
	}
	return true
}

func (t *trace) enter(u *unit, c *ast.Call, to *unit, fn *ast.Func) {
	t.chain = append(t.chain, frame{u, c.Pos})
	t.function(to, fn)
	t.chain = t.chain[:len(t.chain)-1]
}

// timer looks through a timer's handler, which has a context of its own. Once is
// enough, wherever it is set up; many handlers set up themselves again.
func (t *trace) timer(u *unit, c *ast.Call) {
	if len(c.Args) < 2 || t.loading {
		return
	}
	if fn := functionOf(c.Args[1]); fn != nil && !t.handlers[fn] {
		t.handlers[fn] = true
		in := &trace{program: t.program, in: inTimer, visited: map[*ast.Func]bool{}, chain: append(slices.Clone(t.chain), frame{u, c.Pos})}
		in.function(u, fn)
	}
}

// functionOf is the function that e surely is, or nil.
func functionOf(e ast.Expr) *ast.Func {
	switch e := e.(type) {
	case *ast.FuncExpr:
		return e.Func
	case *ast.Name:
		if e.Local != nil {
			return e.Local.FuncValue
		}
	}
	return nil
}

// callee finds the function that a call goes to: a local one, or one that a
// known module exports.
func (t *trace) callee(u *unit, e ast.Expr) (*unit, *ast.Func) {
	if fn := functionOf(e); fn != nil {
		return u, fn
	}
	switch e := e.(type) {
	case *ast.Name: // local check = require("auth").check
		if e.Local != nil && e.Local.Assigned == 0 && e.Local.Init != nil {
			if ix, ok := e.Local.Init.(*ast.Index); ok {
				return t.callee(u, ix)
			}
		}
	case *ast.Index:
		key, ok := e.Key.(*ast.StringExpr)
		if m := t.moduleOf(u, e.Obj); ok && m != nil {
			return m, m.exports[key.Value]
		}
	}
	return nil, nil
}

// method finds the function of obj:name(), for modules and for self.
func (t *trace) method(u *unit, c *ast.Call) (*unit, *ast.Func) {
	if n, ok := c.Obj.(*ast.Name); ok && n.Local != nil && n.Local.Kind == ast.SelfParam {
		return u, u.exports[c.Method]
	}
	if m := t.moduleOf(u, c.Obj); m != nil {
		return m, m.exports[c.Method]
	}
	return nil, nil
}

// moduleOf is the module whose table e is, or nil.
func (t *trace) moduleOf(u *unit, e ast.Expr) *unit {
	switch e := e.(type) {
	case *ast.Name:
		if e.Local == nil || e.Local.Assigned > 0 {
			return nil
		}
		if e.Local == u.table {
			return u
		}
		if e.Local.Init != nil {
			if c, ok := e.Local.Init.(*ast.Call); ok {
				return t.moduleOf(u, c)
			}
		}
	case *ast.Call:
		if e.Fn != nil && ast.GlobalPath(e.Fn) == "require" && len(e.Args) == 1 {
			if name, ok := e.Args[0].(*ast.StringExpr); ok {
				return t.modules[name.Value]
			}
		}
	}
	return nil
}

// tables are the names whose entries are refused, not they themselves.
var tables = []string{"ngx.var", "ngx.header", "ngx.arg"}

// values are properties that are refused when they are read or set.
var values = []string{"ngx.status", "ngx.ctx", "ngx.headers_sent", "ngx.is_subrequest"}

// property is the name of the API property that ix reads or sets, or "".
func property(ix *ast.Index) string {
	if obj := ast.GlobalPath(ix.Obj); slices.Contains(tables, obj) {
		return obj
	}
	if path := ast.GlobalPath(ix); slices.Contains(values, path) {
		return path
	}
	return ""
}

// use checks the use of an API name.
func (t *trace) use(u *unit, pos ast.Pos, path string) {
	in, known := allowed(path)
	if !known {
		return
	}
	code := diag.Context
	if t.loading {
		code = diag.LoadTime
	}
	if u.seen[report{pos, code}] {
		return
	}
	here := t.unit
	t.unit = u
	defer func() { t.unit = here }()
	var d *diag.Diagnostic
	switch {
	case t.loading && in&(inInit|inInitWorker) == 0:
		d = t.warn(code, pos, len(path), "do it in a function that the request's code calls",
			"%s while the module is loaded: that happens once a worker, in whatever request comes first", path)
	case !t.loading && in&t.in == 0:
		d = t.warn(code, pos, len(path), "", "%s is refused in %s", path, contextName(t.in))
	default:
		return
	}
	u.seen[report{pos, code}] = true
	for i := len(t.chain) - 1; i >= 0; i-- {
		t.chain[i].unit.note(d, t.chain[i].pos, "called from here")
	}
}

// findExports collects the functions of the table that a module returns.
func (u *unit) findExports() {
	u.exports = map[string]*ast.Func{}
	stmts := u.Tree.Main.Body.Stmts
	if len(stmts) == 0 {
		return
	}
	ret, ok := stmts[len(stmts)-1].(*ast.ReturnStmt)
	if !ok || len(ret.Exprs) != 1 {
		return
	}
	result := ret.Exprs[0]
	if c, ok := result.(*ast.Call); ok && c.Fn != nil && ast.GlobalPath(c.Fn) == "setmetatable" && len(c.Args) > 0 {
		result = c.Args[0]
	}
	twice := map[string]bool{}
	add := func(key ast.Expr, value ast.Expr) {
		s, ok := key.(*ast.StringExpr)
		if !ok {
			return
		}
		if _, again := u.exports[s.Value]; again {
			twice[s.Value] = true
		}
		u.exports[s.Value] = functionOf(value)
	}
	if n, ok := result.(*ast.Name); ok && n.Local != nil && n.Local.Assigned == 0 {
		u.table = n.Local
		result = n.Local.Init
	}
	if t, ok := result.(*ast.Table); ok {
		for _, f := range t.Fields {
			add(f.Key, f.Value)
		}
	}
	if u.table != nil {
		ast.Walk(u.Tree.Main.Body, func(n any) bool {
			if s, ok := n.(*ast.AssignStmt); ok && len(s.Targets) == 1 && len(s.Exprs) == 1 {
				if ix, ok := s.Targets[0].(*ast.Index); ok && u.isTable(ix.Obj) {
					add(ix.Key, s.Exprs[0])
				}
			}
			return true
		})
	}
	for name := range twice {
		u.exports[name] = nil // which one it is depends on the run
	}
}

func (u *unit) isTable(e ast.Expr) bool {
	n, ok := e.(*ast.Name)
	return ok && n.Local != nil && n.Local == u.table
}
