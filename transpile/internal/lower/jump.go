package lower

import (
	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// stmts lowers statements lo to hi of a block. Go refuses a goto over a
// declaration; Lua does too, except that it counts a label at the end of a
// block as outside of it. So the statements from the first forward goto to its
// label become a Go block of their own, which no later statement looks into.
func (f *fn) stmts(b *ast.Block, lo, hi int) {
	for at := hi - 1; at > lo; at-- {
		l, ok := b.Stmts[at].(*ast.LabelStmt)
		if !ok || f.continues(l) {
			continue
		}
		from := f.firstGoto(b, l, lo, at)
		if from < 0 {
			continue
		}
		// Blocks must nest: take in what jumps to a label inside.
		for in := at - 1; in > from; in-- {
			if k, ok := b.Stmts[in].(*ast.LabelStmt); ok && !f.continues(k) {
				if g := f.firstGoto(b, k, lo, in); g >= 0 {
					from = min(from, g)
				}
			}
		}
		f.run(b, lo, from)
		if f.entered(b, from, at) {
			f.emit(hoist(f.aside(func() { f.stmts(b, from, at) }))...)
		} else if declares(b.Stmts[from:at]) {
			dead := f.dead
			inner := f.into(func() { f.stmts(b, from, at) })
			f.emit(&ir.Block{Body: inner})
			f.dead = dead || f.dead
		} else {
			f.stmts(b, from, at)
		}
		f.run(b, at, at+1)
		f.stmts(b, at+1, hi)
		return
	}
	f.run(b, lo, hi)
}

// entered reports whether a later statement jumps back to a label between from
// and at, which therefore cannot be inside a Go block.
func (f *fn) entered(b *ast.Block, from, at int) bool {
	for _, s := range b.Stmts[from:at] {
		if l, ok := s.(*ast.LabelStmt); ok && f.firstGoto(b, l, at, len(b.Stmts)) >= 0 {
			return true
		}
	}
	return false
}

// hoist moves the declarations among statements in front of them, so that a goto
// can jump over these.
func hoist(list []ir.Stmt) []ir.Stmt {
	var front, rest []ir.Stmt
	for _, s := range list {
		switch s := s.(type) {
		case *ir.Define:
			front = append(front, &ir.Declare{Vars: named(s.Vars)})
			rest = append(rest, &ir.Assign{Vars: s.Vars, X: s.X, Line: s.Line})
		case *ir.Declare:
			front = append(front, s)
			for _, v := range s.Vars {
				rest = append(rest, &ir.Assign{Vars: []*ir.Var{v}, X: []ir.Expr{zero(v.Type)}})
			}
		case *ir.DefineFunc:
			if s.Mode == ir.Whole {
				front = append(front, &ir.DefineFunc{Func: s.Func, Mode: ir.DeclareOnly})
				s.Mode = ir.AssignOnly
			}
			rest = append(rest, s)
		case *ir.ForIn:
			rest = append(rest, &ir.Block{Body: []ir.Stmt{s}})
		default:
			rest = append(rest, s)
		}
	}
	return append(front, rest...)
}

func named(vars []*ir.Var) []*ir.Var {
	var list []*ir.Var
	for _, v := range vars {
		if v != nil {
			list = append(list, v)
		}
	}
	return list
}

// continues reports whether a jump to l is Go's continue: l ends the body of a
// loop other than repeat, whose condition comes after it.
func (f *fn) continues(l *ast.LabelStmt) bool {
	if !l.Last || l.Loop == nil {
		return false
	}
	_, repeat := l.Loop.(*ast.RepeatStmt)
	return !repeat
}

// firstGoto is the first statement of b in [lo, hi) that jumps to l, or -1.
func (f *fn) firstGoto(b *ast.Block, l *ast.LabelStmt, lo, hi int) int {
	if len(l.Gotos) == 0 {
		return -1
	}
	for i := lo; i < hi; i++ {
		if jumpsTo(b.Stmts[i], l) {
			return i
		}
	}
	return -1
}

// jumpsTo reports whether s contains a goto to l.
func jumpsTo(s ast.Stmt, l *ast.LabelStmt) bool {
	within := func(b *ast.Block) bool {
		if b == nil {
			return false
		}
		for _, s := range b.Stmts {
			if jumpsTo(s, l) {
				return true
			}
		}
		return false
	}
	switch s := s.(type) {
	case *ast.GotoStmt:
		return s.Target == l
	case *ast.DoStmt:
		return within(s.Body)
	case *ast.WhileStmt:
		return within(s.Body)
	case *ast.RepeatStmt:
		return within(s.Body)
	case *ast.NumForStmt:
		return within(s.Body)
	case *ast.GenForStmt:
		return within(s.Body)
	case *ast.IfStmt:
		for _, c := range s.Clauses {
			if within(c.Body) {
				return true
			}
		}
		return within(s.Else)
	case *ast.LocalStmt, *ast.LocalFuncStmt, *ast.AssignStmt, *ast.CallStmt, *ast.ReturnStmt, *ast.BreakStmt, *ast.LabelStmt:
	default:
		ast.Unknown("lower", s)
	}
	return false
}

func declares(list []ast.Stmt) bool {
	for _, s := range list {
		switch s.(type) {
		case *ast.LocalStmt, *ast.LocalFuncStmt, *ast.AssignStmt, *ast.CallStmt, *ast.ReturnStmt, *ast.IfStmt, *ast.NumForStmt, *ast.GenForStmt:
			// All of these can declare variables of the compiler's own.
			return true
		case *ast.DoStmt, *ast.WhileStmt, *ast.RepeatStmt, *ast.BreakStmt, *ast.GotoStmt, *ast.LabelStmt:
		default:
			ast.Unknown("lower", s)
		}
	}
	return false
}

// jump lowers a goto.
func (f *fn) jump(s *ast.GotoStmt) {
	l := s.Target
	if !f.continues(l) {
		f.emit(&ir.Goto{Label: f.labelName(l)})
		return
	}
	next := &ir.Continue{}
	if in := f.loops[len(f.loops)-1]; in.stmt != l.Loop {
		next.Label = f.labelName(l)
		for _, o := range f.loops {
			if o.stmt == l.Loop {
				*o.label = next.Label
			}
		}
	}
	f.emit(next)
}

func (f *fn) labelName(l *ast.LabelStmt) string {
	if f.labels[l] == "" {
		f.labels[l] = f.label.Declare(l.Name, false)
	}
	return f.labels[l]
}

// place lowers a label.
func (f *fn) place(l *ast.LabelStmt) {
	if len(l.Gotos) == 0 || f.continues(l) {
		if f.continues(l) && len(l.Gotos) > 0 {
			f.dead = false
		}
		return
	}
	// A goto in code that cannot be reached was left out; the label is then
	// unused, which Go refuses. A forward label is placed after its gotos.
	back := false
	for _, g := range l.Gotos {
		back = back || before(l.Pos, g.Pos)
	}
	if !back && f.labels[l] == "" {
		return
	}
	f.emit(&ir.Label{Name: f.labelName(l)})
	if back {
		f.emit(&ir.Poll{})
	}
	f.dead = false
}
