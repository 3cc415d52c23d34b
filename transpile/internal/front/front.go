// Package front reads a chunk: syntax, then names. It is the way every user of
// a tree gets one.
package front

import (
	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
	"github.com/moonphase/moonphase/transpile/internal/resolve"
	"github.com/moonphase/moonphase/transpile/internal/syntax"
)

// Load gives the bound tree of a chunk, nil when it has an error. name is the
// file name for diagnostics.
//
// LuaJIT checks syntax and scopes in one pass and stops at the first mistake. So
// in a chunk whose syntax is wrong, a bad jump or one local too many further up
// is what it reports; diag.LuaError gives that one, and the diagnostics are both.
func Load(name string, src []byte) (*ast.Chunk, []diag.Diagnostic) {
	chunk, ds := syntax.Parse(name, src)
	if chunk != nil {
		ds = append(ds, resolve.Resolve(name, chunk)...)
		if diag.HasErrors(ds) {
			return nil, ds
		}
		return chunk, ds
	}
	prefix := syntax.Prefix(name, src)
	if prefix == nil {
		return nil, ds
	}
	earlier := resolve.Before(name, prefix, ast.Pos{Line: ds[0].Line, Col: ds[0].Col})
	if len(earlier) > 0 {
		ds[0].Lua = ""
	}
	return nil, append(earlier, ds...)
}
