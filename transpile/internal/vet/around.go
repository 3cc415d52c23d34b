package vet

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// checkSurroundings compares the chunk with what is known outside of it: shared
// dictionaries and what ngx.re takes.
func (p *program) checkSurroundings() {
	doubted := doubtedDicts(p.unit.Tree.Main.Body)
	ast.Walk(p.unit.Tree.Main.Body, func(n any) bool {
		switch n := n.(type) {
		case *ast.Index:
			if !doubted[n] {
				p.sharedDict(n)
			}
		case *ast.Call:
			p.regex(n)
		}
		return true
	})
}

// sharedDict reports ngx.shared.x without a lua_shared_dict x: it is nil.
func (p *program) sharedDict(ix *ast.Index) {
	if p.around.SharedDicts == nil || ast.GlobalPath(ix.Obj) != "ngx.shared" {
		return
	}
	key, ok := ix.Key.(*ast.StringExpr)
	if !ok || slices.Contains(p.around.SharedDicts, key.Value) || p.written["ngx.shared."+key.Value] {
		return
	}
	names := map[string]bool{}
	for _, name := range p.around.SharedDicts {
		names[name] = true
	}
	p.warn(diag.SharedDict, key.Pos, len(key.Value), suggestion(key.Value, names),
		"no lua_shared_dict is named '%s'", key.Value)
}

// doubtedDicts are the reads of ngx.shared whose chunk looks whether the
// dictionary is there: in the expression itself, or later in a test of the local
// it was given to.
func doubtedDicts(b *ast.Block) map[*ast.Index]bool {
	doubted := map[*ast.Index]bool{}
	doubt := func(e ast.Expr) {
		if n, ok := e.(*ast.Name); ok && n.Local != nil && n.Local.Init != nil {
			e = n.Local.Init
		}
		if ix, ok := e.(*ast.Index); ok {
			doubted[ix] = true
		}
	}
	ast.Walk(b, func(n any) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			for _, c := range n.Clauses {
				doubt(c.Cond)
			}
		case *ast.Unary:
			doubt(n.X)
		case *ast.Logical:
			doubt(n.L)
			doubt(n.R)
		case *ast.Binary:
			doubt(n.L)
			doubt(n.R)
		case *ast.Call:
			for _, a := range n.Args { // assert(d), type(d), ...
				doubt(a)
			}
		}
		return true
	})
	return doubted
}

// regexFunctions of ngx.re and where their options stand among the arguments.
var regexFunctions = map[string]int{"match": 2, "find": 2, "gmatch": 2, "sub": 3, "gsub": 3}

// regex reports a constant pattern that ngx.re refuses.
func (p *program) regex(c *ast.Call) {
	if p.around.CheckRegex == nil || c.Fn == nil {
		return
	}
	name, ok := strings.CutPrefix(ast.GlobalPath(c.Fn), "ngx.re.")
	opt, known := regexFunctions[name]
	if !ok || !known || len(c.Args) < 2 {
		return
	}
	pattern, ok := c.Args[1].(*ast.StringExpr)
	if !ok {
		return
	}
	options := ""
	if len(c.Args) > opt {
		switch e := c.Args[opt].(type) {
		case *ast.StringExpr:
			options = e.Value
		case *ast.NilExpr:
		default:
			return
		}
	}
	if err := p.around.CheckRegex(pattern.Value, options); err != nil {
		p.warn(diag.BadRegex, pattern.Pos, 0, "", "%s", err)
	}
}
