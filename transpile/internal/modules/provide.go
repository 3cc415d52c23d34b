package modules

import "github.com/moonphase/moonphase/transpile/internal/ast"

// searchers are the lists of functions in which require looks for a loader.
var searchers = map[string]bool{"package.loaders": true, "package.searchers": true}

// assigns notes modules that an assignment puts where require finds them:
// package.preload["app.settings"] = function ... end.
func (f *finder) assigns(s *ast.AssignStmt) {
	for i, target := range s.Targets {
		if i >= len(s.Exprs) {
			break
		}
		if t, ok := target.(*ast.Index); ok {
			f.put(t.Obj, t.Key, s.Exprs[i])
		}
	}
}

// put notes t[key] = v.
func (f *finder) put(t, key, v ast.Expr) {
	if _, removed := v.(*ast.NilExpr); removed {
		return
	}
	switch path := ast.GlobalPath(t); {
	case path == "package.preload" || path == "package.loaded":
		f.provide(key)
	case searchers[path]:
		f.facts.ProvidesAny = true
	case path == "package":
		if s, ok := key.(*ast.StringExpr); ok && (s.Value == "preload" || searchers["package."+s.Value]) {
			f.facts.ProvidesAny = true
		}
	}
}

// provide notes a module that the chunk makes under the name e.
func (f *finder) provide(e ast.Expr) {
	f.steps = maxSteps
	names, complete := f.names(e, f.in)
	for _, n := range names {
		f.facts.Provides = append(f.facts.Provides, n.text)
	}
	if _, own := e.(*ast.VarargExpr); !complete && !own {
		f.facts.ProvidesAny = true
	}
}
