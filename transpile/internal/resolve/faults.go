package resolve

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// LuaJIT's limits for one function. OpenResty's branch doubles the upvalues.
const (
	maxLocals   = 200
	maxUpvalues = 120
)

// fault is a mistake that is found here.
type fault struct {
	code    diag.Code
	pos     ast.Pos // what is wrong
	at      ast.Pos // where LuaJIT's parser stands when it notices
	line    int     // the line LuaJIT gives
	msg     string
	note    string
	notePos ast.Pos
}

func (r *resolver) fault(f fault) { r.faults = append(r.faults, f) }

// report turns the faults into diagnostics. LuaJIT stops at the first one it
// notices, so only that one carries its text.
func (r *resolver) report() []diag.Diagnostic {
	slices.SortStableFunc(r.faults, func(a, b fault) int {
		return cmp.Or(before(a.at, b.at), before(a.pos, b.pos))
	})
	var ds []diag.Diagnostic
	for i, f := range r.faults {
		d := diag.Diagnostic{Code: f.code, File: r.file, Line: f.pos.Line, Col: f.pos.Col, Msg: f.msg}
		if i == 0 {
			d.Lua = fmt.Sprintf("%d: %s", f.line, f.msg)
		}
		if f.note != "" {
			d.Notes = []diag.Related{{File: r.file, Line: f.notePos.Line, Col: f.notePos.Col, Msg: f.note}}
		}
		ds = append(ds, d)
	}
	diag.Sort(ds)
	return ds
}

// Bits of funcState.limits.
const (
	overLocals = 1 << iota
	overUpvalues
)

// checkLocals complains about the first local of a function that is one too many.
func (r *resolver) checkLocals(l *ast.Local) {
	fs := r.fn
	if len(fs.active)+fs.hidden <= maxLocals || fs.limits&overLocals != 0 {
		return
	}
	fs.limits |= overLocals
	r.fault(fault{
		code: diag.Limit, pos: l.Pos, at: l.Pos, line: l.NextLine,
		msg: limitText(fs.Func, maxLocals, "local variables"),
	})
}

func (r *resolver) checkUpvalues(fs *funcState, n *ast.Name) {
	if len(fs.Upvalues) <= maxUpvalues || fs.limits&overUpvalues != 0 {
		return
	}
	fs.limits |= overUpvalues
	r.fault(fault{
		code: diag.Limit, pos: n.Pos, at: n.Pos, line: n.Pos.Line,
		msg: limitText(fs.Func, maxUpvalues, "upvalues"),
	})
}

func limitText(f *ast.Func, limit int, what string) string {
	if f.Line == 0 {
		return fmt.Sprintf("main function has more than %d %s", limit, what)
	}
	return fmt.Sprintf("function at line %d has more than %d %s", f.Line, limit, what)
}

// before compares two places.
func before(a, b ast.Pos) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
}
