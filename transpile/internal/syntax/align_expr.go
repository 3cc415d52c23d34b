package syntax

import (
	gast "github.com/yuin/gopher-lua/ast"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// exprs builds a list with commas. All but the last are settled.
func (a *aligner) exprs(es []gast.Expr) []ast.Expr {
	list := make([]ast.Expr, 0, len(es))
	for i, e := range es {
		if i > 0 {
			a.want(',')
			a.settle(list[i-1])
		}
		list = append(list, a.expr(e))
	}
	return list
}

// settled builds an expression whose value is needed at once.
func (a *aligner) settled(e gast.Expr) ast.Expr {
	x := a.expr(e)
	a.settle(x)
	return x
}

// settle sets the line of e when it is a table access that is still open.
func (a *aligner) settle(e ast.Expr) {
	if x, ok := e.(*ast.Index); ok && x.Line == 0 {
		x.Line = a.last
	}
}

func (a *aligner) settleLast(es []ast.Expr) {
	if len(es) > 0 {
		a.settle(es[len(es)-1])
	}
}

func (a *aligner) settleAll(es []ast.Expr) {
	for _, e := range es {
		a.settle(e)
	}
}

// expr builds one expression.
func (a *aligner) expr(e gast.Expr) ast.Expr {
	a.enter()
	x := a.chain(e)
	a.level--
	return x
}

// leftOf is the operand that stands first in e's text, nil when e starts with a
// token of its own.
func leftOf(e gast.Expr) gast.Expr {
	switch e := e.(type) {
	case *gast.AttrGetExpr:
		return e.Object
	case *gast.FuncCallExpr:
		if e.Func == nil {
			return e.Receiver
		}
		return e.Func
	case *gast.LogicalOpExpr:
		return e.Lhs
	case *gast.RelationalOpExpr:
		return e.Lhs
	case *gast.StringConcatOpExpr:
		return e.Lhs
	case *gast.ArithmeticOpExpr:
		return e.Lhs
	}
	return nil
}

// chain builds e without recursion over left operands. Parentheses leave no
// node in the parser's tree: they are all opened before the leftmost operand,
// and one closes wherever an operand is complete and `)` follows, because
// everything inside it is complete then too.
func (a *aligner) chain(e gast.Expr) ast.Expr {
	var spine []gast.Expr
	for l := leftOf(e); l != nil; l = leftOf(e) {
		if len(spine) >= maxChain {
			panic(&bailout{at: a.i, chain: true})
		}
		spine = append(spine, e)
		e = l
	}
	var open []ast.Pos
	for a.tok().kind == '(' {
		open = append(open, a.take().pos)
		a.enter()
	}
	x := a.operand(e)
	for {
		start := x.ExprPos()
		for len(open) > 0 && a.tok().kind == ')' {
			a.take()
			a.level--
			a.settle(x)
			start = open[len(open)-1]
			open = open[:len(open)-1]
			markParen(x)
		}
		if len(spine) == 0 {
			break
		}
		x = a.extend(spine[len(spine)-1], x, start)
		spine = spine[:len(spine)-1]
	}
	if len(open) > 0 {
		a.bail()
	}
	return x
}

// markParen notes parentheses where they mean something: they cut a list of
// values to one.
func markParen(x ast.Expr) {
	switch x := x.(type) {
	case *ast.Call:
		x.Paren = true
	case *ast.VarargExpr:
		x.Paren = true
	}
}

// operand builds an expression that starts with a token of its own.
func (a *aligner) operand(e gast.Expr) ast.Expr {
	t := a.tok()
	at := ast.E{Pos: t.pos}
	switch e := e.(type) {
	case *gast.IdentExpr:
		return &ast.Name{E: at, Name: a.want(tkName).str}
	case *gast.StringExpr:
		return &ast.StringExpr{E: at, Value: a.want(tkString).str}
	case *gast.NumberExpr:
		return &a.f.numbers[a.want(tkNumber).num]
	case *gast.NilExpr:
		a.want(tkNil)
		return &ast.NilExpr{E: at}
	case *gast.TrueExpr:
		a.want(tkTrue)
		return &ast.TrueExpr{E: at}
	case *gast.FalseExpr:
		a.want(tkFalse)
		return &ast.FalseExpr{E: at}
	case *gast.Comma3Expr:
		if !a.vararg {
			a.bail()
		}
		a.want(tkDots)
		return &ast.VarargExpr{E: at}
	case *gast.FunctionExpr:
		a.want(tkFunction)
		return &ast.FuncExpr{E: at, Func: a.funcBody(e, t.pos, a.tok().endLine, false)}
	case *gast.TableExpr:
		return a.table(e)
	case *gast.UnaryMinusOpExpr:
		return a.unary('-', e.Expr)
	case *gast.UnaryNotOpExpr:
		return a.unary(tkNot, e.Expr)
	case *gast.UnaryLenOpExpr:
		return a.unary('#', e.Expr)
	}
	a.bail()
	return nil
}

func (a *aligner) unary(op kind, operand gast.Expr) ast.Expr {
	t := a.want(op)
	x := a.settled(operand)
	return &ast.Unary{E: ast.E{Pos: t.pos}, Op: op.String(), X: x, Line: a.last}
}

// extend builds e, whose first operand x is done; start is where it begins.
func (a *aligner) extend(e gast.Expr, x ast.Expr, start ast.Pos) ast.Expr {
	at := ast.E{Pos: start}
	switch e := e.(type) {
	case *gast.AttrGetExpr:
		return a.index(at, e, x)
	case *gast.FuncCallExpr:
		return a.call(at, e, x)
	case *gast.LogicalOpExpr:
		op := a.want(keywords[e.Operator])
		a.settle(x)
		return &ast.Logical{E: at, Op: e.Operator, OpPos: op.pos, L: x, R: a.settled(e.Rhs)}
	case *gast.RelationalOpExpr:
		return a.binary(at, e.Operator, x, e.Rhs)
	case *gast.StringConcatOpExpr:
		return a.binary(at, "..", x, e.Rhs)
	case *gast.ArithmeticOpExpr:
		return a.binary(at, e.Operator, x, e.Rhs)
	}
	a.bail()
	return nil
}

func (a *aligner) binary(at ast.E, op string, x ast.Expr, right gast.Expr) ast.Expr {
	t := a.take()
	if t.kind.String() != op {
		a.bail()
	}
	a.settle(x)
	r := a.settled(right)
	return &ast.Binary{E: at, Op: op, OpPos: t.pos, L: x, R: r, Line: a.last}
}

func (a *aligner) index(at ast.E, e *gast.AttrGetExpr, x ast.Expr) ast.Expr {
	a.settle(x)
	op := a.take()
	ix := &ast.Index{E: at, Obj: x, OpPos: op.pos}
	switch op.kind {
	case '.':
		key := a.want(tkName)
		ix.Key = &ast.StringExpr{E: ast.E{Pos: key.pos}, Value: key.str}
		ix.Dot = true
	case '[':
		ix.Key = a.settled(e.Key)
		a.want(']')
	default:
		a.bail()
	}
	return ix
}

func (a *aligner) call(at ast.E, e *gast.FuncCallExpr, x ast.Expr) ast.Expr {
	c := &ast.Call{E: at}
	if e.Func != nil {
		c.Fn = x
	} else {
		c.Obj = x
		a.want(':')
		name := a.want(tkName)
		c.Method, c.MPos = name.str, name.pos
	}
	a.settle(x)
	open := a.tok()
	c.OpPos = open.pos
	switch open.kind {
	case '(':
		a.take()
		c.Args = a.exprs(e.Args)
		a.want(')')
		a.settleLast(c.Args)
	case tkString:
		// A long string may end on a later line, and that is the line LuaJIT reports.
		if open.endLine != open.pos.Line {
			c.OpPos = ast.Pos{Line: open.endLine}
		}
		if len(e.Args) != 1 {
			a.bail()
		}
		c.Args = []ast.Expr{a.operand(e.Args[0])}
	case '{':
		if len(e.Args) != 1 {
			a.bail()
		}
		c.Args = []ast.Expr{a.operand(e.Args[0])}
	default:
		a.bail()
	}
	return c
}

func (a *aligner) table(e *gast.TableExpr) ast.Expr {
	t := &ast.Table{E: ast.E{Pos: a.want('{').pos}, Fields: make([]ast.Field, 0, len(e.Fields))}
	for _, f := range e.Fields {
		t.Fields = append(t.Fields, a.field(f))
		if !a.opt(',') {
			a.opt(';')
		}
	}
	t.End = a.want('}').pos
	return t
}

func (a *aligner) field(e *gast.Field) ast.Field {
	f := ast.Field{Pos: a.tok().pos}
	if e.Key != nil {
		if a.opt('[') {
			f.Key = a.settled(e.Key)
			a.want(']')
		} else {
			key := a.want(tkName)
			f.Key = &ast.StringExpr{E: ast.E{Pos: key.pos}, Value: key.str}
		}
		a.want('=')
	}
	f.Value = a.settled(e.Value)
	f.Line = a.last
	if key, ok := f.Key.(*ast.StringExpr); ok {
		nameFunc(f.Value, key.Value)
	}
	return f
}
