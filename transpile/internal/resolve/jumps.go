package resolve

import (
	"fmt"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// label is a label of an open scope.
type label struct {
	stmt *ast.LabelStmt
	// locals is how many locals of the function are active where it stands. A
	// label that ends its block counts as outside the scope of the block's
	// locals, so a `goto continue` may jump over them.
	locals int
}

// jump is a goto that has not met its label. locals shrinks as the jump is
// handed to outer scopes.
type jump struct {
	stmt   *ast.GotoStmt
	locals int
}

func (r *resolver) breakStmt(s *ast.BreakStmt) {
	for sc := r.fn.scope; sc != nil; sc = sc.outer {
		if sc.loop != nil {
			s.Target = sc.loop
			return
		}
	}
	r.fault(fault{code: diag.BreakOutside, pos: s.Pos, at: r.fn.End, line: s.Pos.Line, msg: "no loop to break"})
}

// gotoStmt notes the jump; a label that already stands in this block takes it
// at once, like any other when the block closes.
func (r *resolver) gotoStmt(s *ast.GotoStmt) {
	r.fn.gotos = true
	sc := r.fn.scope
	sc.gotos = append(sc.gotos, &jump{stmt: s, locals: len(r.fn.active)})
}

func (r *resolver) labelStmt(s *ast.LabelStmt, b *ast.Block, i int) {
	sc := r.fn.scope
	for _, l := range sc.labels {
		if l.stmt.Name == s.Name {
			r.fault(fault{
				code: diag.DoubleLabel, pos: s.NamePos, at: s.NamePos, line: s.EndLine,
				msg:  fmt.Sprintf("duplicate label '%s'", s.Name),
				note: "the first one is here", notePos: l.stmt.NamePos,
			})
			return
		}
	}
	s.Block, s.Loop = b, sc.loop
	s.Last = onlyLabels(b.Stmts[i+1:])
	l := &label{stmt: s, locals: len(r.fn.active)}
	if _, repeat := sc.loop.(*ast.RepeatStmt); s.Last && !repeat {
		l.locals = sc.base
	}
	sc.labels = append(sc.labels, l)
	rest := sc.gotos[:0]
	for _, j := range sc.gotos {
		if j.stmt.Label != s.Name {
			rest = append(rest, j)
			continue
		}
		if j.locals < l.locals {
			r.jumpIntoScope(j, l)
		}
		join(j, l)
	}
	sc.gotos = rest
}

func onlyLabels(stmts []ast.Stmt) bool {
	for _, s := range stmts {
		if _, ok := s.(*ast.LabelStmt); !ok {
			return false
		}
	}
	return true
}

func join(j *jump, l *label) {
	j.stmt.Target = l.stmt
	l.stmt.Gotos = append(l.stmt.Gotos, j.stmt)
}

func (r *resolver) jumpIntoScope(j *jump, l *label) {
	into := r.fn.active[j.locals]
	r.fault(fault{
		code: diag.GotoScope, pos: j.stmt.Pos, at: l.stmt.NamePos, line: j.stmt.LabelPos.Line,
		msg:  fmt.Sprintf("<goto %s> jumps into the scope of local '%s'", j.stmt.Label, into.Name),
		note: "the local is declared here", notePos: into.Pos,
	})
}

// leaveJumps joins the backward jumps of a scope that ends and hands the rest to
// the scope around it.
func (r *resolver) leaveJumps(sc *scope) {
	for _, j := range sc.gotos {
		if l := sc.find(j.stmt.Label); l != nil {
			join(j, l)
			r.fn.HasBackGoto = true
			continue
		}
		if sc.outer == nil {
			r.fault(fault{
				code: diag.NoLabel, pos: j.stmt.Pos, at: r.fn.End, line: j.stmt.LabelPos.Line,
				msg: fmt.Sprintf("undefined label '%s'", j.stmt.Label),
			})
			continue
		}
		j.locals = sc.base
		sc.outer.gotos = append(sc.outer.gotos, j)
	}
}

func (sc *scope) find(name string) *label {
	for _, l := range sc.labels {
		if l.stmt.Name == name {
			return l
		}
	}
	return nil
}
