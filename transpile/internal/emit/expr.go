package emit

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/moonphase/moonphase/transpile/internal/goname"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

func (e *emitter) exprs(xs []ir.Expr) []jen.Code {
	list := make([]jen.Code, len(xs))
	for i, x := range xs {
		list[i] = e.expr(x)
	}
	return list
}

// expr prints an expression, with a mark where the line changes.
func (e *emitter) expr(x ir.Expr) *jen.Statement {
	if line := ir.LineOf(x); line > 0 && line != e.cur {
		e.cur = line
		return jen.Op(mark(line)).Add(e.bare(x))
	}
	return e.bare(x)
}

func (e *emitter) bare(x ir.Expr) *jen.Statement {
	switch x := x.(type) {
	case *ir.Const:
		return e.constant(x, false)
	case *ir.Ref:
		return jen.Id(x.Var.Name)
	case *ir.Op:
		return e.op(x)
	case *ir.Not:
		return jen.Op("!").Add(e.operand(x.X, precUnary))
	case *ir.Logic:
		return e.infix(x.L, map[bool]string{true: "&&", false: "||"}[x.And], x.R, prec(x))
	case *ir.Call:
		return e.call(x)
	case *ir.StaticCall:
		return e.staticCall(x)
	case *ir.First:
		return rt("First").Add(e.splat(x.X))
	case *ir.Finish:
		return jen.Id("th").Dot("Finish").Add(e.splat(x.X))
	case *ir.Result:
		return jen.Id("th").Dot("Result").Call(jen.Id(x.N.Name), jen.Lit(x.I))
	case *ir.IterValue:
		return e.iterValue(x)
	case *ir.Join:
		return e.join(x.Fixed, x.Open)
	case *ir.Closure:
		return e.closure(x.Func)
	case *ir.NewTable:
		if x.Shape != nil {
			return rt("NewMixed").Call(jen.Lit(x.Array), jen.Lit(x.Record), jen.Id(x.Shape.Name))
		}
		return rt("TableValue").Call(rt("NewTable").Call(jen.Lit(x.Array), jen.Lit(x.Record)))
	case *ir.NewRecord:
		return e.record(x)
	case *ir.NewArray:
		return e.array(x)
	case *ir.NewData:
		return rt("BuildTable").Call(jen.Id(x.Data.Name))
	case *ir.Select:
		return e.selectArgs(x)
	case *ir.EnvCall:
		if x.Table == nil {
			return rt("GetEnv").Call(jen.Id("th"), e.expr(x.Fn), jen.Id("env"))
		}
		return rt("SetEnv").Call(jen.Id("th"), e.expr(x.Fn), jen.Id("env"), e.expr(x.Table))
	}
	panic(fmt.Sprintf("emit does not know %T", x))
}

func (e *emitter) record(x *ir.NewRecord) *jen.Statement {
	shape := jen.Id(x.Shape.Name)
	if !x.Tall {
		return rt("NewRecord").Call(append([]jen.Code{shape}, e.exprs(x.Vals)...)...)
	}
	return rt("NewRecord").Call(shape.Op(",").Custom(
		jen.Options{Separator: ",", Multi: true}, e.lines(x.Vals, x.Shape.Keys)...))
}

func (e *emitter) array(x *ir.NewArray) *jen.Statement {
	switch {
	case x.Open != nil && len(x.Vals) > 0:
		return rt("NewArrayOpen").Call(jen.Lit(len(x.Vals)), e.join(x.Vals, x.Open))
	case x.Open != nil:
		return rt("NewArrayList").Call(e.join(x.Vals, x.Open))
	case x.Size != 0:
		return rt("NewArraySize").Call(append([]jen.Code{jen.Lit(x.Size)}, e.exprs(x.Vals)...)...)
	case x.Tall:
		return rt("NewArray").Add(tall(e.lines(x.Vals, nil)))
	}
	return rt("NewArray").Call(e.exprs(x.Vals)...)
}

// lines prints expressions for lines of their own, named by comments.
func (e *emitter) lines(xs []ir.Expr, names []string) []jen.Code {
	list := make([]jen.Code, len(xs))
	for i, x := range xs {
		e.cur = -1
		list[i] = e.expr(x)
		if names != nil {
			list[i] = jen.Op("/* " + goname.Field(names[i]) + " */").Add(list[i])
		}
	}
	e.cur = -1
	return list
}

// tall puts arguments on lines of their own.
func tall(args []jen.Code) *jen.Statement {
	return jen.Custom(jen.Options{Open: "(", Close: ")", Separator: ",", Multi: true}, args...)
}

// constant prints a constant; typed forces a form that := takes for the right type.
func (e *emitter) constant(k *ir.Const, typed bool) *jen.Statement {
	switch v := k.V.(type) {
	case nil:
		return rt("Nil")
	case bool:
		return jen.Lit(v)
	case int:
		return jen.Lit(v)
	case float64:
		if math.IsInf(v, 0) {
			return jen.Qual("math", "Inf").Call(jen.Lit(int(math.Copysign(1, v))))
		}
		if math.IsNaN(v) {
			return jen.Qual("math", "NaN").Call()
		}
		if v == 0 && math.Signbit(v) {
			return jen.Qual("math", "Copysign").Call(jen.Lit(0), jen.Lit(-1))
		}
		return raw(floatLit(v, typed))
	case string:
		return rt("String").Call(lit(v))
	case ir.Int64:
		return rt("Int64").Call(raw(strconv.FormatInt(int64(v), 10)))
	case ir.Uint64:
		return rt("Uint64").Call(raw(strconv.FormatUint(uint64(v), 10)))
	case ir.Imaginary:
		return rt("Imaginary").Call(jen.Id("th"), raw(floatLit(float64(v), false)))
	}
	panic("emit: unknown constant")
}

// floatLit prints a float64 so that Go reads the same value; typed adds a
// fraction to integers, whose type Go would else take for int.
func floatLit(v float64, typed bool) string {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if math.Abs(v) < 1<<53 && v == math.Trunc(v) {
		s = strconv.FormatFloat(v, 'f', -1, 64)
	}
	if typed && !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// Go's operator precedences.
const (
	precOr = iota + 1
	precAnd
	precCompare
	precAdd
	precMul
	precUnary
	precPrimary
)

func prec(x ir.Expr) int {
	switch x := x.(type) {
	case *ir.Logic:
		if x.And {
			return precAnd
		}
		return precOr
	case *ir.Not:
		return precUnary
	case *ir.Op:
		switch ir.Ops[x.Code].Infix {
		case "+", "-":
			if len(x.Args) == 1 {
				return precUnary
			}
			return precAdd
		case "*", "/":
			return precMul
		case "==", "!=", "<", "<=", ">", ">=":
			return precCompare
		}
	}
	return precPrimary
}

// operand prints x, in parentheses if it binds less tightly than least.
func (e *emitter) operand(x ir.Expr, least int) *jen.Statement {
	if k, ok := x.(*ir.Const); ok && least >= precMul && negative(k) {
		return jen.Parens(e.expr(x))
	}
	if prec(x) < least {
		return jen.Parens(e.expr(x))
	}
	return e.expr(x)
}

func negative(k *ir.Const) bool {
	switch v := k.V.(type) {
	case int:
		return v < 0
	case float64:
		return v < 0
	}
	return false
}

func (e *emitter) infix(l ir.Expr, op string, r ir.Expr, p int) *jen.Statement {
	left := e.operand(l, p)
	return left.Op(op).Add(e.operand(r, p+1))
}

// product prints an operand of + or -: a product is converted, so that no
// architecture fuses it with the sum and rounds only once.
func (e *emitter) product(x ir.Expr, least int) *jen.Statement {
	if o, ok := x.(*ir.Op); ok && o.Code == ir.MulF {
		return jen.Float64().Call(e.expr(x))
	}
	return e.operand(x, least)
}

func (e *emitter) op(x *ir.Op) *jen.Statement {
	info := &ir.Ops[x.Code]
	switch x.Code {
	case ir.AddF, ir.SubF:
		left := e.product(x.Args[0], precAdd)
		return left.Op(info.Infix).Add(e.product(x.Args[1], precMul))
	case ir.IntToFloat, ir.FloatToInt:
		return raw(info.Name).Call(e.expr(x.Args[0]))
	case ir.EqString:
		return rt(info.Name).Call(e.expr(x.Args[0]), lit(x.Args[1].(*ir.Const).V.(string)))
	case ir.BoxB:
		if k, ok := x.Args[0].(*ir.Const); ok {
			return rt(map[bool]string{true: "True", false: "False"}[k.V.(bool)])
		}
	case ir.Concat:
		if len(x.Args) > 2 {
			return rt("ConcatN").Call(append([]jen.Code{jen.Id("th"), jen.Lit(x.Where)}, e.exprs(x.Args)...)...)
		}
	}
	switch {
	case info.Infix != "" && len(x.Args) == 1:
		return jen.Op(info.Infix).Add(e.operand(x.Args[0], precUnary))
	case info.Infix != "":
		return e.infix(x.Args[0], info.Infix, x.Args[1], prec(x))
	case info.Method:
		return e.operand(x.Args[0], precPrimary).Dot(info.Name).Call()
	}
	return rt(info.Name).Call(e.opArgs(x, info)...)
}

// opArgs lists the arguments of an operation in the runtime's order.
func (e *emitter) opArgs(x *ir.Op, info *ir.OpInfo) []jen.Code {
	var args []jen.Code
	if info.Thread {
		args = append(args, jen.Id("th"))
	}
	if info.Env {
		args = append(args, jen.Id("env"))
	}
	rest := x.Args
	if info.Site {
		if !info.Env {
			args = append(args, e.expr(rest[0]))
			rest = rest[1:]
		}
		args = append(args, e.site(x.Site))
	}
	args = append(args, e.exprs(rest)...)
	if info.Where {
		args = append(args, lit(x.Where))
	}
	return args
}

func (e *emitter) site(s *ir.Site) jen.Code {
	return jen.Op("&").Id(e.chunk.Prefix + "Site").Dot(s.Name)
}

// call prints a call of a Lua value.
func (e *emitter) call(x *ir.Call) *jen.Statement {
	name, most := "Call", 3
	args := []jen.Code{jen.Id("th")}
	if x.Site != nil {
		name, most = "Method", 2
		args = append(args, e.expr(x.Obj), e.site(x.Site))
	} else {
		args = append(args, e.expr(x.Fn))
	}
	args = append(args, lit(x.Where))
	if x.Tail {
		name = "Tail" + name
	}
	if x.Open != nil {
		return rt(name + "List").Call(append(args, e.join(x.Args, x.Open))...)
	}
	suffix := "N"
	if n := len(x.Args); n <= most {
		suffix = strconv.Itoa(n)
		if x.Yield && (n == 1 || n == 2) {
			name = "Yield"
		}
	}
	return rt(name + suffix).Call(append(args, e.exprs(x.Args)...)...)
}

func (e *emitter) staticCall(x *ir.StaticCall) *jen.Statement {
	args := []jen.Code{jen.Id("th")}
	if x.Func.Kind == ir.Lifted && x.Func.UsesEnv {
		args = append(args, jen.Id("env"))
	}
	return jen.Id(x.Func.Name).Call(append(args, e.exprs(x.Args)...)...)
}

// join prints a list of fixed values and an open rest.
func (e *emitter) join(fixed []ir.Expr, open ir.Expr) *jen.Statement {
	if j, ok := open.(*ir.Join); ok {
		fixed, open = append(fixed[:len(fixed):len(fixed)], j.Fixed...), j.Open
	}
	if open == nil {
		return jen.Index().Add(rt("Value")).Values(e.exprs(fixed)...)
	}
	if p, ok := open.(*ir.Pair); ok {
		args := []jen.Code{jen.Id("th"), jen.Id(p.V.Name), jen.Id(p.N.Name)}
		return rt("List").Call(append(args, e.exprs(fixed)...)...)
	}
	list := e.expr
	if open.Type() == ir.Multi {
		list = func(x ir.Expr) *jen.Statement { return jen.Id("th").Dot("List").Add(e.splat(x)) }
	}
	if len(fixed) == 0 {
		return list(open)
	}
	rest := list(open)
	return rt("Prepend").Call(append([]jen.Code{rest}, e.exprs(fixed)...)...)
}

func (e *emitter) iterValue(x *ir.IterValue) *jen.Statement {
	it := jen.Id(x.Iter.Name)
	switch x.I {
	case 0:
		return it.Dot("K")
	case 1:
		return it.Dot("V")
	}
	return it.Dot("Result").Call(jen.Id("th"), jen.Lit(x.I))
}

func (e *emitter) selectArgs(x *ir.Select) *jen.Statement {
	if x.Index == nil {
		return rt("SelectCount").Call(jen.Id("th"), e.expr(x.Fn), jen.Id(x.Args.Name))
	}
	return rt("SelectArgs").Call(jen.Id("th"), e.expr(x.Fn), e.expr(x.Index), jen.Id(x.Args.Name))
}

// closure prints a Lua function value.
func (e *emitter) closure(f *ir.Func) *jen.Statement {
	name := func(v *ir.Var) string {
		if v == nil {
			return "_"
		}
		return v.Name
	}
	count := "_"
	if f.Count != nil {
		count = f.Count.Name
	}
	params := jen.Params(
		thread(),
		jen.Id(count).Int(),
		jen.List(jen.Id(name(f.Sig[0])), jen.Id(name(f.Sig[1])), jen.Id(name(f.Sig[2]))).Add(rt("Value")),
	)
	e.names.literal(f, e.fn)
	proto := jen.Op("&").Id(e.chunk.Prefix + "Proto").Dot(f.Proto.Name)
	fn := jen.Func().Add(params).Add(multiResult()).BlockFunc(e.body(f))
	if f.OwnEnv {
		return rt("NewFunctionEnv").Call(proto, jen.Id("env"),
			jen.Func().Params(jen.Id("env").Op("*").Add(rt("Env"))).Add(rt("Func")).Block(jen.Return(fn)))
	}
	return rt("NewFunction").Call(proto, fn)
}
