package syntax

import (
	"fmt"
	"slices"

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

// Prefix is the tree of what stands before the mistake in a chunk that Parse
// refuses: its whole statements and whole functions, with everything that is
// open closed. It is nil when that makes no chunk.
func Prefix(name string, src []byte) *ast.Chunk {
	f := lex(name, src)
	x := &explainer{f: f, vararg: true}
	if x.run() == nil {
		return nil
	}
	tokens := slices.Clone(f.tokens[:x.whole.at])
	at := f.tokens[x.i]
	add := func(kinds ...kind) {
		for _, k := range kinds {
			at.kind = k
			tokens = append(tokens, at)
		}
	}
	for _, b := range x.whole.bodies {
		add(tkDo, tkLocal, tkFunction, tkName)
		tokens = append(tokens, f.tokens[b[0]:b[1]]...)
		add(tkEnd)
	}
	for _, k := range slices.Backward(x.whole.closers) {
		add(k)
		if k == tkUntil {
			add(tkNil)
		}
	}
	add(tkEOF)
	f.tokens = tokens
	stmts, refused := parseSkeleton(f)
	if refused >= 0 {
		return nil
	}
	chunk, _ := align(f, stmts)
	return chunk
}
