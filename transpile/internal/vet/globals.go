package vet

import (
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// collectWrites notes what u assigns that other chunks may read.
func (p *program) collectWrites(u *unit) {
	ast.Walk(u.Tree.Main.Body, func(n any) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, t := range n.Targets {
				if path := ast.GlobalPath(t); path != "" && !isLocal(t) {
					p.written[path] = true
				}
			}
		case *ast.Call:
			// rawset(_G, "x", v) and its like
			if n.Fn != nil && ast.GlobalPath(n.Fn) == "rawset" && len(n.Args) == 3 {
				if key, ok := n.Args[1].(*ast.StringExpr); ok {
					p.written[key.Value] = true
				}
			}
		}
		return true
	})
}

// isLocal: assigning to it changes a local, not what the local was read from.
func isLocal(e ast.Expr) bool {
	n, ok := e.(*ast.Name)
	return ok && n.Local != nil
}

// checkGlobals finds globals that are set where requests share them, names that
// nothing sets, and names that ngx does not have.
func (p *program) checkGlobals() {
	main := p.unit.Tree.Main
	if main.ChangesEnv {
		return // global names may mean anything here
	}
	tested := testedNames(main.Body)
	ast.Walk(main.Body, func(n any) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			p.globalWrites(n)
		case *ast.Index:
			p.undefined(n.Obj, tested)
			p.unknownAPI(n, tested)
		case *ast.Call:
			if n.Fn != nil {
				p.undefined(n.Fn, tested)
			} else {
				p.undefined(n.Obj, tested)
			}
		case *ast.Binary:
			if n.Op != "==" && n.Op != "~=" {
				p.undefined(n.L, tested)
				p.undefined(n.R, tested)
			}
		case *ast.GenForStmt:
			p.undefined(n.Exprs[0], tested)
		}
		return true
	})
}

// globalWrites reports `x = 1` without `local`. Code that runs once, in init or
// in a plain script, may do it.
func (p *program) globalWrites(s *ast.AssignStmt) {
	if p.unit.isScript() || p.onlyStarts() {
		return
	}
	for _, t := range s.Targets {
		n, ok := t.(*ast.Name)
		if !ok || n.Local != nil || globals[n.Name] {
			continue
		}
		p.warn(diag.GlobalWrite, n.Pos, len(n.Name), "make it `local`, or keep it in ngx.ctx or in a module's table",
			"assignment to global '%s', which all requests of a worker share", n.Name)
	}
}

// onlyStarts: the chunk runs only while the server starts.
func (p *program) onlyStarts() bool {
	for _, d := range p.unit.Directives {
		if contextOf(d)&(inInit|inInitWorker|inExitWorker) == 0 {
			return false
		}
	}
	return len(p.unit.Directives) > 0
}

// testedNames are the globals and ngx paths that the chunk reads without failing
// on nil: in a condition, as a value. It knows that they may not exist then.
func testedNames(b *ast.Block) map[string]bool {
	strict := map[ast.Expr]bool{}
	tested := map[string]bool{}
	ast.Walk(b, func(n any) bool {
		switch n := n.(type) {
		case *ast.Index:
			strict[n.Obj] = true
		case *ast.Call:
			strict[n.Fn], strict[n.Obj] = true, true
		case *ast.Binary:
			if n.Op != "==" && n.Op != "~=" {
				strict[n.L], strict[n.R] = true, true
			}
		case *ast.GenForStmt:
			strict[n.Exprs[0]] = true
		case *ast.AssignStmt:
			for _, t := range n.Targets {
				strict[t] = true
			}
		}
		if e, ok := n.(ast.Expr); ok && !strict[e] {
			if path := ast.GlobalPath(e); path != "" {
				tested[path] = true
			}
		}
		return true
	})
	return tested
}

// undefined reports an operation on a global that nothing sets: it raises.
func (p *program) undefined(e ast.Expr, tested map[string]bool) {
	n, ok := e.(*ast.Name)
	if !ok || n.Local != nil || globals[n.Name] || p.written[n.Name] || tested[n.Name] {
		return
	}
	p.warn(diag.UndefinedGlobal, n.Pos, len(n.Name), suggestion(n.Name, globals), "nothing sets the global '%s'", n.Name)
}

// unknownAPI reports a path below ngx that ngx_lua does not have.
func (p *program) unknownAPI(ix *ast.Index, tested map[string]bool) {
	path := ast.GlobalPath(ix)
	rest, ok := strings.CutPrefix(path, "ngx.")
	if !ok || rootedInLocal(ix) || tested[path] && !isConstantName(rest) || p.written[path] {
		return
	}
	if _, known := allowed(path); known || isPrefix(path) || p.writtenBelow(path) {
		return
	}
	key := ix.Key.ExprPos()
	name := path[strings.LastIndexByte(path, '.')+1:]
	p.warn(diag.UnknownAPI, key, len(name), suggestAPI(path), "ngx_lua has no %s", path)
}

// rootedInLocal: the path goes through a local; it is reported where the local
// gets its value.
func rootedInLocal(e ast.Expr) bool {
	for {
		switch x := e.(type) {
		case *ast.Index:
			e = x.Obj
			continue
		case *ast.Name:
			return x.Local != nil
		}
		return true
	}
}

func isConstantName(name string) bool { return name == strings.ToUpper(name) }

// isPrefix: path is the table that API functions live in, as ngx.req.
func isPrefix(path string) bool {
	for name := range api {
		if strings.HasPrefix(name, path+".") {
			return true
		}
	}
	return false
}

// writtenBelow: some chunk assigns path or a table on the way to it.
func (p *program) writtenBelow(path string) bool {
	for i := strings.LastIndexByte(path, '.'); i > 0; i = strings.LastIndexByte(path[:i], '.') {
		if p.written[path[:i]] {
			return true
		}
	}
	return false
}

func suggestAPI(path string) string {
	names := map[string]bool{}
	for name := range api {
		names[name] = true
	}
	for name := range constants {
		names["ngx."+name] = true
	}
	return suggestion(path, names)
}

// suggestion is a hint at a name that is one or two letters away.
func suggestion(name string, names map[string]bool) string {
	best, distance := "", 3
	for n := range names {
		d := editDistance(name, n, distance)
		if d < distance || d == distance && n < best {
			best, distance = n, d
		}
	}
	if best == "" || distance*3 > len(name) {
		return ""
	}
	return "did you mean `" + best + "`?"
}

// editDistance counts insertions, deletions, changes and swaps of neighbours
// between a and b; limit or more is limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return min(prev[len(b)], limit)
}
