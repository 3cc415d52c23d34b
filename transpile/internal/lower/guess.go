package lower

import (
	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

const (
	// minGuess is from how many operations on a formula is computed as plain
	// floats first. Smaller ones are not worth the text.
	minGuess = 2
	// maxGuess bounds the operands, which the text has twice.
	maxGuess = 8
)

// guess is a formula inside a loop of which the operands are probably numbers.
// fast computes it on the bits of the operands. Those of any other value are
// not a number (NaN) as a float64, and + - * / keep that: a result that is a
// number proves that all operands were. Otherwise slow computes it again.
type guess struct {
	fast, slow ir.Expr
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
	if !s.formula(b) || s.dynamic < minGuess || s.values == 0 || len(s.leaves) > maxGuess {
		return nil
	}
	leaves := f.operands(s.leaves, f.expr)
	f.keepAll(leaves, func(x ir.Expr) bool {
		r, ok := x.(*ir.Ref)
		return x.Type() == ir.Value && (!ok || r.Var.Unstable)
	})
	build := builder{f: f, leaves: leaves}
	g := &guess{fast: build.expr(b, true)}
	build.next = 0
	g.slow = f.to(build.expr(b, false), ir.Value)
	return g
}

// guessInto stores a guess's value.
func (f *fn) guessInto(v *ir.Var, g *guess, define bool) {
	x := f.keep("x", g.fast, 0)
	if define {
		f.emit(&ir.Declare{Vars: []*ir.Var{v}})
	}
	set := func(x ir.Expr) []ir.Stmt {
		return []ir.Stmt{&ir.Assign{Vars: []*ir.Var{v}, X: []ir.Expr{x}}}
	}
	number := &ir.Op{Code: ir.EqF, Args: []ir.Expr{x, x}}
	f.emit(&ir.If{Cond: number, Then: set(f.to(x, ir.Value)), Else: set(g.slow)})
}

// guessCompare tests two values that are probably numbers without a call: the
// test and its opposite are both false unless they are.
func (f *fn) guessCompare(code ir.Code, dyn *ir.Op) ir.Expr {
	l, r := dyn.Args[0], dyn.Args[1]
	if len(f.loops) == 0 || !cheap(l) || !cheap(r) {
		return dyn
	}
	l, r = f.unboxed(l), f.unboxed(r)
	opposite := map[ir.Code]ir.Code{ir.LtF: ir.GeF, ir.LeF: ir.GtF, ir.GtF: ir.LeF, ir.GeF: ir.LtF}[code]
	yes := &ir.Op{Code: code, Args: []ir.Expr{l, r}}
	no := &ir.Op{Code: opposite, Args: []ir.Expr{l, r}}
	return &ir.Logic{L: yes, R: &ir.Logic{And: true, L: not(no), R: dyn}}
}

// cheap reports whether x is a variable or a constant number.
func cheap(x ir.Expr) bool {
	if o, ok := x.(*ir.Op); ok && (o.Code == ir.BoxI || o.Code == ir.BoxF) {
		x = o.Args[0]
	}
	switch x := x.(type) {
	case *ir.Const:
		return x.Type() == ir.Int || x.Type() == ir.Float
	case *ir.Ref:
		return !x.Var.Unstable
	}
	return false
}

// unboxed reads a value as a float64, whatever it is.
func (f *fn) unboxed(x ir.Expr) ir.Expr {
	if o, ok := x.(*ir.Op); ok && (o.Code == ir.BoxI || o.Code == ir.BoxF) {
		return f.to(o.Args[0], ir.Float)
	}
	return f.to(x, ir.Float)
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
