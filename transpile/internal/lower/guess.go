package lower

import (
	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

const (
	// minGuess is from how many operations on a formula is computed as plain
	// floats behind one test of its operands. Smaller ones are not worth the text.
	minGuess = 2
	// maxGuess bounds the operands that are tested.
	maxGuess = 6
)

// guess is a formula inside a loop of which the operands are probably numbers:
// if they are, fast computes it without calls, else slow.
type guess struct {
	test, fast, slow ir.Expr
}

// guess prepares the formula e, nil when it is not worth it or cannot be done:
// then nothing was emitted. Operands that can fail must all be evaluated before
// the first operation, so that the order of errors stays the script's.
func (f *fn) guess(e ast.Expr) *guess {
	b, ok := e.(*ast.Binary)
	if !ok || len(f.loops) == 0 || rep(f.c.facts.Expr(e)) != ir.Value {
		return nil
	}
	s := survey{f: f}
	if !s.formula(b) || s.dynamic < minGuess || s.values == 0 || s.values > maxGuess {
		return nil
	}
	leaves := f.operands(s.leaves, f.expr)
	f.keepAll(leaves, func(x ir.Expr) bool {
		r, ok := x.(*ir.Ref)
		return x.Type() == ir.Value && (!ok || r.Var.Unstable)
	})
	values := map[*ir.Var]bool{}
	var tested []ir.Expr
	for _, x := range leaves {
		if r, ok := x.(*ir.Ref); ok && x.Type() == ir.Value && !values[r.Var] {
			values[r.Var] = true
			tested = append(tested, r)
		}
	}
	g := &guess{test: f.numbers(tested)}
	build := builder{f: f, leaves: leaves}
	g.fast = f.to(build.expr(b, true), ir.Value)
	build.next = 0
	g.slow = f.to(build.expr(b, false), ir.Value)
	return g
}

// guessInto stores a guess's value.
func (f *fn) guessInto(v *ir.Var, g *guess, define bool) {
	if define {
		f.emit(&ir.Declare{Vars: []*ir.Var{v}})
	}
	set := func(x ir.Expr) []ir.Stmt {
		return []ir.Stmt{&ir.Assign{Vars: []*ir.Var{v}, X: []ir.Expr{x}}}
	}
	f.emit(&ir.If{Cond: g.test, Then: set(g.fast), Else: set(g.slow)})
}

// numbers tests that all values are numbers, two at a time.
func (f *fn) numbers(xs []ir.Expr) ir.Expr {
	var test ir.Expr
	for len(xs) > 0 {
		var t ir.Expr
		if len(xs) > 1 {
			t, xs = f.op(ir.BothNumbers, nil, xs[0], xs[1]), xs[2:]
		} else {
			t, xs = f.op(ir.IsNumber, nil, xs[0]), nil
		}
		if test != nil {
			t = &ir.Logic{And: true, L: test, R: t}
		}
		test = t
	}
	return test
}

// survey looks at a formula before anything is lowered.
type survey struct {
	f       *fn
	leaves  []ast.Expr
	dynamic int  // operations on unknown operands
	values  int  // unknown operands
	begun   bool // an operation comes before what follows
}

// formula collects the operands of + - * / in order of evaluation.
func (s *survey) formula(e ast.Expr) bool {
	b, ok := e.(*ast.Binary)
	if !ok || b.Op != "+" && b.Op != "-" && b.Op != "*" && b.Op != "/" || rep(s.f.c.facts.Expr(e)) != ir.Value {
		return s.leaf(e)
	}
	if !s.formula(b.L) || !s.formula(b.R) {
		return false
	}
	s.dynamic++
	s.begun = true
	return true
}

func (s *survey) leaf(e ast.Expr) bool {
	s.leaves = append(s.leaves, e)
	value := rep(s.f.c.facts.Expr(e)) == ir.Value
	if value {
		s.values++
	}
	switch e := e.(type) {
	case *ast.NumberExpr:
		return e.Suffix == ""
	case *ast.Name:
		return e.Local != nil && (!s.begun || !s.f.changes(e.Local))
	case *ast.Index:
		n, ok := e.Obj.(*ast.Name)
		return ok && n.Local != nil && !s.begun
	}
	return !value && !s.begun
}

// builder makes an expression of a formula from its lowered operands.
type builder struct {
	f      *fn
	leaves []ir.Expr
	next   int
}

func (b *builder) expr(e ast.Expr, fast bool) ir.Expr {
	bin, ok := e.(*ast.Binary)
	if !ok || arith[bin.Op].dyn > ir.Div || rep(b.f.c.facts.Expr(e)) != ir.Value {
		x := b.leaves[b.next]
		b.next++
		if fast {
			return b.f.to(x, ir.Float)
		}
		return x
	}
	l, r := b.expr(bin.L, fast), b.expr(bin.R, fast)
	if fast {
		return b.f.typed(arith[bin.Op].float, l, r)
	}
	return b.f.raising(arith[bin.Op].dyn, whereOf2(bin.L, bin.R), bin.Line, b.f.to(l, ir.Value), b.f.to(r, ir.Value))
}
