package infer

import (
	"math"
	"math/bits"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// maxRounds is after how many rounds growing integers become plain numbers, so
// that the fixed point comes soon.
const maxRounds = 6

// Facts is what is known about a chunk.
type Facts struct {
	locals  map[*ast.Local]Kind
	statics map[*ast.Func]*Static
	exprs   map[ast.Expr]Kind // memo, valid once done
	done    bool
	order   []*Static // statics in source order
	round   int
	changed bool
	cur     *ast.Func // while walking
}

// Run analyses a bound chunk.
func Run(c *ast.Chunk) *Facts {
	f := &Facts{
		locals:  map[*ast.Local]Kind{},
		statics: map[*ast.Func]*Static{},
	}
	f.findStatics(c.Main)
	for f.changed = true; f.changed; f.round++ {
		f.changed = false
		f.function(c.Main)
	}
	f.exprs = map[ast.Expr]Kind{}
	f.done = true
	return f
}

// Local reports the kind of a local over its whole life.
func (f *Facts) Local(l *ast.Local) Kind { return f.locals[l] }

// Static returns what is known of a function that is only called directly, or nil.
func (f *Facts) Static(fn *ast.Func) *Static {
	if fn == nil {
		return nil
	}
	return f.statics[fn]
}

// Callee returns the static function that a call goes to, or nil.
func (f *Facts) Callee(c *ast.Call) *Static {
	if n, ok := c.Fn.(*ast.Name); ok && n.Local != nil {
		return f.Static(n.Local.FuncValue)
	}
	return nil
}

// join adds k to what l can hold.
func (f *Facts) join(l *ast.Local, k Kind) {
	old := f.locals[l]
	k = f.widen(old, old.Join(k))
	if k != old {
		f.locals[l] = k
		f.changed = true
	}
}

func (f *Facts) widen(old, k Kind) Kind {
	if f.round >= maxRounds && k.Bits > old.Bits && old.Set&Int != 0 {
		k.Set = k.Set&^Int | Num
		k.Bits = 0
	}
	if k.Set&Num != 0 { // an int among other numbers has no use of its own
		k.Set &^= Int
		k.Bits = 0
	}
	return k
}

func (f *Facts) function(fn *ast.Func) {
	outer := f.cur
	f.cur = fn
	if f.statics[fn] == nil {
		for _, p := range fn.Params {
			f.join(p, Any)
		}
	}
	f.block(fn.Body)
	f.cur = outer
}

func (f *Facts) block(b *ast.Block) {
	for _, s := range b.Stmts {
		f.stmt(s)
	}
}

func (f *Facts) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.LocalStmt:
		f.visitAll(s.Exprs)
		for i, l := range s.Locals {
			f.join(l, f.nth(s.Exprs, i))
		}
	case *ast.LocalFuncStmt:
		f.join(s.Local, Kind{Set: Fun})
		f.function(s.Func.Func)
	case *ast.AssignStmt:
		f.visitAll(s.Targets)
		f.visitAll(s.Exprs)
		for i, t := range s.Targets {
			if n, ok := t.(*ast.Name); ok && n.Local != nil {
				f.join(n.Local, f.assigned(n.Local, s.Exprs, i))
			}
		}
	case *ast.CallStmt:
		f.visit(s.Call)
	case *ast.DoStmt:
		f.block(s.Body)
	case *ast.WhileStmt:
		f.visit(s.Cond)
		f.block(s.Body)
	case *ast.RepeatStmt:
		f.block(s.Body)
		f.visit(s.Cond)
	case *ast.IfStmt:
		for _, c := range s.Clauses {
			f.visit(c.Cond)
			f.block(c.Body)
		}
		if s.Else != nil {
			f.block(s.Else)
		}
	case *ast.NumForStmt:
		f.visitAll([]ast.Expr{s.Start, s.Stop})
		if s.Step != nil {
			f.visit(s.Step)
		}
		f.join(s.Var, f.LoopVar(s))
		f.block(s.Body)
	case *ast.GenForStmt:
		f.visitAll(s.Exprs)
		for _, v := range s.Vars {
			f.join(v, Any)
		}
		f.block(s.Body)
	case *ast.ReturnStmt:
		f.visitAll(s.Exprs)
		if st := f.statics[f.cur]; st != nil && st.Arity >= 0 {
			for i := range st.Results {
				f.joinResult(st, i, f.nth(s.Exprs, i))
			}
		}
	case *ast.BreakStmt, *ast.GotoStmt, *ast.LabelStmt:
	default:
		ast.Unknown("infer", s)
	}
}

// LoopVar is the kind of a numeric for's variable as the loop sets it.
func (f *Facts) LoopVar(s *ast.NumForStmt) Kind {
	start := f.Expr(s.Start)
	step := IntKind(1)
	if s.Step != nil {
		n, ok := Const(s.Step)
		if !ok || n == 0 || n != math.Trunc(n) || math.Abs(n) > 1<<stepBits {
			return Kind{Set: Num}
		}
	}
	if start.Is(Int) && step.Is(Int) {
		return IntKind(max(int(start.Bits), counterBits))
	}
	return Kind{Set: Num}
}

// Const returns the value of a numeric constant, negated ones included.
func Const(e ast.Expr) (float64, bool) {
	switch e := e.(type) {
	case *ast.NumberExpr:
		return e.Value, e.Suffix == ""
	case *ast.Unary:
		if n, ok := e.X.(*ast.NumberExpr); ok && e.Op == "-" && n.Suffix == "" {
			return -n.Value, true
		}
	}
	return 0, false
}

// assigned is the kind of what an assignment gives to l; a counter's own
// increments do not make it grow.
func (f *Facts) assigned(l *ast.Local, exprs []ast.Expr, i int) Kind {
	if i < len(exprs) && f.steps(l, exprs[i]) {
		return IntKind(counterBits)
	}
	return f.nth(exprs, i)
}

// steps reports whether e is l plus or minus a small constant and l is an int so far.
func (f *Facts) steps(l *ast.Local, e ast.Expr) bool {
	b, ok := e.(*ast.Binary)
	if !ok || b.Op != "+" && b.Op != "-" || !f.locals[l].Is(Int) || f.locals[l].Bits > counterBits {
		return false
	}
	small := func(e ast.Expr) bool {
		n, ok := Const(e)
		return ok && n == math.Trunc(n) && math.Abs(n) <= 1<<stepBits
	}
	self := func(e ast.Expr) bool {
		n, ok := e.(*ast.Name)
		return ok && n.Local == l
	}
	return self(b.L) && small(b.R) || b.Op == "+" && small(b.L) && self(b.R)
}

// nth is the kind of the i-th value of an expression list.
func (f *Facts) nth(exprs []ast.Expr, i int) Kind {
	if i < len(exprs)-1 || i == len(exprs)-1 && !ast.IsOpen(exprs[i]) {
		return f.Expr(exprs[i])
	}
	if len(exprs) == 0 || !ast.IsOpen(exprs[len(exprs)-1]) {
		return Kind{Set: Nil}
	}
	last := exprs[len(exprs)-1]
	return f.result(last, i-len(exprs)+1)
}

// result is the kind of the i-th result of an open expression.
func (f *Facts) result(e ast.Expr, i int) Kind {
	c, ok := e.(*ast.Call)
	if !ok {
		return Any
	}
	st := f.Callee(c)
	switch {
	case st == nil || st.Arity < 0:
		return Any
	case i < st.Arity:
		return st.Results[i]
	}
	return Kind{Set: Nil}
}

func (f *Facts) joinResult(st *Static, i int, k Kind) {
	old := st.Results[i]
	k = f.widen(old, old.Join(k))
	if k != old {
		st.Results[i] = k
		f.changed = true
	}
}

// visitAll and visit walk into expressions for the calls and functions inside.
func (f *Facts) visitAll(es []ast.Expr) {
	for _, e := range es {
		f.visit(e)
	}
}

func (f *Facts) visit(e ast.Expr) {
	switch e := e.(type) {
	case *ast.Index:
		f.visit(e.Obj)
		f.visit(e.Key)
	case *ast.Call:
		if e.Fn != nil {
			f.visit(e.Fn)
		} else {
			f.visit(e.Obj)
		}
		f.visitAll(e.Args)
		if st := f.Callee(e); st != nil {
			for i, p := range st.Func.Params {
				k := f.nth(e.Args, i)
				if i < len(e.Args) && f.steps(p, e.Args[i]) {
					k = IntKind(counterBits)
				}
				f.join(p, k)
			}
		}
	case *ast.FuncExpr:
		f.function(e.Func)
	case *ast.Binary:
		f.visit(e.L)
		f.visit(e.R)
	case *ast.Logical:
		f.visit(e.L)
		f.visit(e.R)
	case *ast.Unary:
		f.visit(e.X)
	case *ast.Table:
		for _, fl := range e.Fields {
			if fl.Key != nil {
				f.visit(fl.Key)
			}
			f.visit(fl.Value)
		}
	case *ast.NilExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.VarargExpr, *ast.NumberExpr, *ast.StringExpr, *ast.Name:
	default:
		ast.Unknown("infer", e)
	}
}

// Expr reports the kind of an expression's (first) value.
func (f *Facts) Expr(e ast.Expr) Kind {
	if f.done {
		if k, ok := f.exprs[e]; ok {
			return k
		}
	}
	k := f.expr(e)
	if f.done {
		f.exprs[e] = k
	}
	return k
}

func (f *Facts) expr(e ast.Expr) Kind {
	switch e := e.(type) {
	case *ast.NilExpr:
		return Kind{Set: Nil}
	case *ast.TrueExpr:
		return Kind{Set: True}
	case *ast.FalseExpr:
		return Kind{Set: False}
	case *ast.NumberExpr:
		return constKind(e)
	case *ast.StringExpr:
		return Kind{Set: Str}
	case *ast.FuncExpr:
		return Kind{Set: Fun}
	case *ast.Table:
		return Kind{Set: Tab}
	case *ast.Name:
		if e.Local == nil {
			return Any
		}
		return f.locals[e.Local]
	case *ast.Call:
		return f.result(e, 0)
	case *ast.Binary:
		return f.binary(e)
	case *ast.Logical:
		l, r := f.Expr(e.L), f.Expr(e.R)
		if e.Op == "and" {
			return l.Falsy().Join(r)
		}
		return l.Truthy().Join(r)
	case *ast.Unary:
		return f.unary(e)
	case *ast.VarargExpr, *ast.Index:
	default:
		ast.Unknown("infer", e)
	}
	return Any
}

func constKind(e *ast.NumberExpr) Kind {
	if e.Suffix != "" {
		return Kind{Set: Other}
	}
	return NumberKind(e.Value)
}

// NumberKind is the kind of a constant. Negative zero has no integer.
func NumberKind(v float64) Kind {
	if v == math.Trunc(v) && math.Abs(v) < 1<<maxBits && !(v == 0 && math.Signbit(v)) {
		return IntKind(bits.Len64(uint64(math.Abs(v))))
	}
	return Kind{Set: Num}
}

func (f *Facts) unary(e *ast.Unary) Kind {
	x := f.Expr(e.X)
	switch e.Op {
	case "not":
		switch {
		case x.AlwaysTrue():
			return Kind{Set: False}
		case x.AlwaysFalse():
			return Kind{Set: True}
		}
		return Kind{Set: Boolean}
	case "#":
		if x.Is(Str) {
			return IntKind(counterBits)
		}
		return Any
	}
	switch {
	case x.Set == 0:
		return Never
	case x.Is(Number):
		// -0 is not an integer of Go: only a constant is sure not to be 0.
		if n, ok := Const(e); ok {
			return NumberKind(n)
		}
		return Kind{Set: Num}
	}
	return Any
}

func (f *Facts) binary(e *ast.Binary) Kind {
	switch e.Op {
	case "==", "~=", "<", "<=", ">", ">=":
		return Kind{Set: Boolean}
	}
	l, r := f.Expr(e.L), f.Expr(e.R)
	if l.Set == 0 || r.Set == 0 {
		return Never
	}
	if e.Op == ".." {
		if l.Is(Number|Str) && r.Is(Number|Str) {
			return Kind{Set: Str}
		}
		return Any
	}
	if !l.Is(Number) || !r.Is(Number) {
		return Any
	}
	if !l.Is(Int) || !r.Is(Int) {
		return Kind{Set: Num}
	}
	lb, rb := int(l.Bits), int(r.Bits)
	switch e.Op {
	case "+", "-":
		return IntKind(max(lb, rb) + 1)
	case "%":
		// A remainder of a positive constant; x % 0 is not a number.
		if n, ok := Const(e.R); ok && n > 0 {
			return IntKind(rb)
		}
	}
	// A product can be -0, which is no integer of Go, unless one side is a
	// positive constant.
	if e.Op == "*" {
		n, ok := Const(e.R)
		m, ok2 := Const(e.L)
		if ok && n > 0 || ok2 && m > 0 {
			return IntKind(lb + rb)
		}
	}
	return Kind{Set: Num}
}
