package syntax

import (
	"fmt"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// Parse reads a chunk. name is the file name for diagnostics. The tree is nil
// when there is an error; names are not bound yet (package resolve does that).
func Parse(name string, src []byte) (*ast.Chunk, []diag.Diagnostic) {
	f := lex(name, src)
	if f.err != nil || nestsTooDeep(f.tokens) {
		return nil, []diag.Diagnostic{explain(f, len(f.tokens)-1)}
	}
	stmts, at := parseSkeleton(f)
	if at >= 0 {
		return nil, []diag.Diagnostic{explain(f, at)}
	}
	chunk, b := align(f, stmts)
	switch {
	case b == nil:
		return chunk, nil
	case b.chain:
		t := &f.tokens[b.at]
		return nil, []diag.Diagnostic{{
			Code: diag.LongChain, File: name, Line: t.pos.Line, Col: t.pos.Col,
			Msg:  fmt.Sprintf("more than %d operators or calls in a row", maxChain),
			Help: "build the value in several statements",
		}}
	}
	return nil, []diag.Diagnostic{explain(f, b.at)}
}
