package lower

import (
	"math"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/infer"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// op makes an operation.
func (f *fn) op(code ir.Code, site *ir.Site, args ...ir.Expr) *ir.Op {
	return &ir.Op{Code: code, Args: args, Site: site}
}

// raising makes an operation that can raise an error at a line.
func (f *fn) raising(code ir.Code, where string, line int, args ...ir.Expr) *ir.Op {
	o := f.op(code, nil, args...)
	o.Where, o.Line = where, line
	return o
}

// typed makes an operation on typed operands; constants are folded.
func (f *fn) typed(code ir.Code, args ...ir.Expr) ir.Expr {
	o := f.op(code, nil, args...)
	if x := fold(o); x != nil {
		return x
	}
	return o
}

// value lowers e to a value.
func (f *fn) value(e ast.Expr) ir.Expr { return f.to(f.expr(e), ir.Value) }

// to converts x to another representation, which infer has found to hold it.
func (f *fn) to(x ir.Expr, t ir.Type) ir.Expr {
	from := x.Type()
	if from == t {
		return x
	}
	k, _ := x.(*ir.Const)
	switch {
	case t == ir.Value && from == ir.Float:
		return f.op(ir.BoxF, nil, x)
	case t == ir.Value && from == ir.Int:
		return f.op(ir.BoxI, nil, x)
	case t == ir.Value && from == ir.Bool:
		return f.op(ir.BoxB, nil, x)
	case t == ir.Float && from == ir.Int:
		if k != nil {
			return &ir.Const{V: float64(k.V.(int))}
		}
		return f.op(ir.IntToFloat, nil, x)
	case t == ir.Float && from == ir.Value:
		return f.op(ir.Num, nil, x)
	case t == ir.Int && from == ir.Float:
		if k != nil {
			return &ir.Const{V: int(k.V.(float64))}
		}
		return f.op(ir.FloatToInt, nil, x)
	case t == ir.Int && from == ir.Value:
		return f.op(ir.FloatToInt, nil, f.op(ir.Num, nil, x))
	case t == ir.Bool && from == ir.Value:
		return f.op(ir.Truthy, nil, x)
	}
	// Only code that cannot run asks for more: a value of no kind at all.
	return zero(t)
}

// expr lowers e; its representation follows from what infer knows.
func (f *fn) expr(e ast.Expr) ir.Expr {
	switch e := e.(type) {
	case *ast.NilExpr:
		return &ir.Const{}
	case *ast.TrueExpr:
		return &ir.Const{V: true}
	case *ast.FalseExpr:
		return &ir.Const{V: false}
	case *ast.NumberExpr:
		return number(e)
	case *ast.StringExpr:
		return &ir.Const{V: e.Value}
	case *ast.VarargExpr:
		return f.op(ir.ArgAt, nil, &ir.Ref{Var: f.out.Args}, &ir.Const{V: 0})
	case *ast.Name:
		return f.name(e)
	case *ast.Index:
		return f.index(e)
	case *ast.Call:
		return f.single(e)
	case *ast.FuncExpr:
		return f.closure(e.Func)
	case *ast.Binary:
		return f.binary(e)
	case *ast.Logical:
		return f.logical(e)
	case *ast.Unary:
		return f.unary(e)
	case *ast.Table:
		return f.table(e)
	}
	ast.Unknown("lower", e)
	return nil
}

// number is a numeric constant: an int where it is one, for loops and indexes.
func number(e *ast.NumberExpr) ir.Expr {
	switch e.Suffix {
	case "LL":
		return &ir.Const{V: ir.Int64(e.Bits)}
	case "ULL":
		return &ir.Const{V: ir.Uint64(e.Bits)}
	case "i":
		return &ir.Const{V: ir.Imaginary(e.Value)}
	}
	return numberConst(e.Value)
}

func numberConst(v float64) ir.Expr {
	if infer.NumberKind(v).Is(infer.Int) {
		return &ir.Const{V: int(v)}
	}
	return &ir.Const{V: v}
}

func (f *fn) name(e *ast.Name) ir.Expr {
	if e.Local == nil {
		return f.global(ir.Global, e)
	}
	if f.constant(e.Local) {
		return f.expr(e.Local.Init)
	}
	return &ir.Ref{Var: f.c.vars[e.Local]}
}

func (f *fn) global(code ir.Code, e *ast.Name, args ...ir.Expr) ir.Expr {
	switch e.Name {
	case "_G", "setfenv", "getfenv", "module":
		f.c.out.Globals = true
	default:
		f.c.out.Globals = f.c.out.Globals || code == ir.SetGlobal
	}
	o := f.op(code, f.site("_G", e.Name), args...)
	o.Line = e.Pos.Line
	return o
}

func (f *fn) index(e *ast.Index) ir.Expr {
	x := f.operands([]ast.Expr{e.Obj, e.Key}, f.expr)
	x[0] = f.to(x[0], ir.Value)
	var o *ir.Op
	if k, ok := e.Key.(*ast.StringExpr); ok {
		o = f.op(ir.Field, f.site(nameOf(e.Obj), k.Value), x[0])
	} else {
		code := ir.Index
		switch x[1].Type() {
		case ir.Int:
			code = ir.IndexInt
		case ir.Float:
			code = ir.IndexNum
		default:
			x[1] = f.to(x[1], ir.Value)
		}
		o = f.op(code, nil, x...)
	}
	o.Where, o.Line = whereOf(e.Obj), e.Line
	return o
}

// arithmetic operators: the dynamic, float64 and int forms.
var arith = map[string]struct{ dyn, float, int ir.Code }{
	"+": {ir.Add, ir.AddF, ir.AddI},
	"-": {ir.Sub, ir.SubF, ir.SubI},
	"*": {ir.Mul, ir.MulF, ir.MulI},
	"/": {ir.Div, ir.DivF, 0},
	"%": {ir.Mod, ir.ModF, ir.ModI},
	"^": {ir.Pow, ir.PowF, 0},
}

func (f *fn) binary(e *ast.Binary) ir.Expr {
	switch e.Op {
	case "==", "~=", "<", "<=", ">", ">=":
		return f.compare(e)
	case "..":
		return f.concat(e)
	}
	if g := f.guess(e); g != nil {
		v := f.temp("n", ir.Value)
		f.guessInto(v, g, true)
		return &ir.Ref{Var: v}
	}
	x := f.sides(e)
	codes := arith[e.Op]
	switch rep(f.c.facts.Expr(e)) {
	case ir.Int:
		return f.typed(codes.int, f.to(x[0], ir.Int), f.to(x[1], ir.Int))
	case ir.Float:
		return f.typed(codes.float, f.to(x[0], ir.Float), f.to(x[1], ir.Float))
	}
	return f.raising(codes.dyn, whereOf2(e.L, e.R), e.Line, f.to(x[0], ir.Value), f.to(x[1], ir.Value))
}

// sides lowers the operands of an operator. LuaJIT reads a local of the running
// function when it operates, so after calls in the right operand; an upvalue
// before.
func (f *fn) sides(e *ast.Binary) []ir.Expr {
	n, ok := e.L.(*ast.Name)
	if !ok || n.Local == nil || n.Upvalue || !f.changes(n.Local) {
		return f.operands([]ast.Expr{e.L, e.R}, f.expr)
	}
	r := f.expr(e.R)
	if anyRuns([]ir.Expr{r}) {
		r = f.keep("r", r, 0)
	}
	return []ir.Expr{f.expr(e.L), r}
}

// concat lowers a chain of concatenations to one operation.
func (f *fn) concat(e *ast.Binary) ir.Expr {
	parts := []ast.Expr{e.L}
	line := e.Line
	for {
		r, ok := e.R.(*ast.Binary)
		if !ok || r.Op != ".." {
			parts = append(parts, e.R)
			break
		}
		parts = append(parts, r.L)
		e = r
	}
	x := f.operands(parts, f.expr)
	for i := range x {
		x[i] = f.to(x[i], ir.Value)
	}
	return f.raising(ir.Concat, whereOf2(parts...), line, x...)
}

func (f *fn) unary(e *ast.Unary) ir.Expr {
	switch e.Op {
	case "not":
		return not(f.cond(e.X))
	case "#":
		x := f.value(e.X)
		o := f.raising(ir.Len, whereOf(e.X), e.Line, x)
		return f.to(o, rep(f.c.facts.Expr(e)))
	}
	x := f.expr(e.X)
	if n, ok := infer.Const(e); ok {
		return numberConst(n)
	}
	if f.c.facts.Expr(e).Is(infer.Number) {
		return f.typed(ir.NegF, f.to(x, ir.Float))
	}
	return f.raising(ir.Unm, whereOf(e.X), e.Line, f.to(x, ir.Value))
}

// operands lowers expressions that are evaluated in order. When a later one
// needs statements of its own, or changes what an earlier one reads, the
// earlier ones are kept in variables.
func (f *fn) operands(es []ast.Expr, lower func(ast.Expr) ir.Expr) []ir.Expr {
	ts := make([]thunk, len(es))
	for i, e := range es {
		ts[i] = func() ir.Expr { return lower(e) }
	}
	return f.sequence(ts)
}

// thunk lowers one operand.
type thunk func() ir.Expr

func (f *fn) sequence(ts []thunk) []ir.Expr {
	x := make([]ir.Expr, len(ts))
	pre := make([][]ir.Stmt, len(ts))
	last := -1 // the last operand that needs statements or may change others
	for i, t := range ts {
		pre[i] = f.aside(func() { x[i] = t() })
		if len(pre[i]) > 0 {
			last = i
		}
	}
	for i := range x {
		f.emit(pre[i]...)
		if i < last && !stable(x[i]) || unstable(x[i]) && anyRuns(x[i+1:]) {
			x[i] = f.keep(wishFor(x[i]), x[i], 0)
		}
	}
	return x
}

// changes reports whether a closure may assign l.
func (f *fn) changes(l *ast.Local) bool {
	v := f.c.vars[l]
	return v != nil && v.Unstable
}

// unstable reports whether x is just a variable that a closure may assign.
func unstable(x ir.Expr) bool {
	r, ok := x.(*ir.Ref)
	return ok && r.Var.Unstable
}

func anyRuns(x []ir.Expr) bool {
	found := false
	for _, e := range x {
		ir.Walk(e, func(e ir.Expr) {
			switch e.(type) {
			case *ir.Call, *ir.StaticCall:
				found = true
			}
		})
	}
	return found
}

// wishFor is a good name for a variable that keeps x.
func wishFor(x ir.Expr) string {
	switch x := x.(type) {
	case *ir.Op:
		if x.Site != nil {
			return x.Site.Key
		}
	case *ir.First:
		return "r"
	}
	return "v"
}

// stable reports whether x gives the same value whenever it is evaluated, and
// does nothing else.
func stable(x ir.Expr) bool {
	ok := true
	ir.Walk(x, func(x ir.Expr) {
		switch x := x.(type) {
		case *ir.Const, *ir.Not, *ir.Logic, *ir.Closure:
		case *ir.Ref:
			ok = ok && !x.Var.Unstable
		case *ir.Op:
			ok = ok && !ir.Ops[x.Code].Raises()
		default:
			ok = false
		}
	})
	return ok
}

// calls reports whether x calls a Go function made from a local function.
func calls(x ir.Expr) bool {
	found := false
	ir.Walk(x, func(x ir.Expr) {
		_, ok := x.(*ir.StaticCall)
		found = found || ok
	})
	return found
}

// whereOf names an operand for error texts, as LuaJIT does.
func whereOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Name:
		switch {
		case e.Local == nil:
			return "global " + e.Name
		case e.Upvalue:
			return "upvalue " + e.Name
		}
		return "local " + e.Name
	case *ast.Index:
		if k, ok := e.Key.(*ast.StringExpr); ok {
			return "field " + k.Value
		}
	}
	return ""
}

// whereOf2 names several operands, "" when none has a name.
func whereOf2(es ...ast.Expr) string {
	s, named := "", ""
	for i, e := range es {
		if i > 0 {
			s += ", "
		}
		w := whereOf(e)
		s += w
		if w != "" {
			named = s
		}
	}
	return named
}

// nameOf is the name under which accesses to the same table share a cache.
func nameOf(e ast.Expr) string {
	if n, ok := e.(*ast.Name); ok {
		return n.Name
	}
	return ""
}

// fold computes an operation on constants; nil when there is none.
func fold(o *ir.Op) ir.Expr {
	var k [2]any
	for i, a := range o.Args {
		c, ok := a.(*ir.Const)
		if !ok || i > 1 {
			return nil
		}
		k[i] = c.V
	}
	switch a := k[0].(type) {
	case float64:
		b, _ := k[1].(float64)
		return foldFloat(o.Code, a, b)
	case int:
		b, _ := k[1].(int)
		return foldInt(o.Code, a, b)
	}
	return nil
}

func foldFloat(code ir.Code, a, b float64) ir.Expr {
	v := 0.0
	switch code {
	case ir.AddF:
		v = a + b
	case ir.SubF:
		v = a - b
	case ir.MulF:
		v = a * b
	case ir.DivF:
		v = a / b
	case ir.PowF:
		v = math.Pow(a, b)
		if a != math.Trunc(a) || b != math.Trunc(b) || math.Abs(v) >= 1<<53 || v != math.Trunc(v) {
			return nil // not exact: the runtime rounds as C does
		}
	case ir.NegF:
		v = -a
	case ir.EqF, ir.NeF, ir.LtF, ir.LeF, ir.GtF, ir.GeF:
		return &ir.Const{V: relation(code-ir.EqF, a < b, a == b, a > b)}
	default:
		return nil
	}
	return &ir.Const{V: v}
}

func foldInt(code ir.Code, a, b int) ir.Expr {
	switch code {
	case ir.AddI:
		return &ir.Const{V: a + b}
	case ir.SubI:
		return &ir.Const{V: a - b}
	case ir.MulI:
		return &ir.Const{V: a * b}
	case ir.EqI, ir.NeI, ir.LtI, ir.LeI, ir.GtI, ir.GeI:
		return &ir.Const{V: relation(code-ir.EqI, a < b, a == b, a > b)}
	}
	return nil
}

// relation is the outcome of the n-th comparison: == ~= < <= > >=.
func relation(n ir.Code, less, equal, greater bool) bool {
	return [...]bool{equal, !equal, less, less || equal, greater, greater || equal}[n]
}
