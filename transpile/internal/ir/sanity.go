package ir

import (
	"errors"
	"fmt"
)

// Check reports where a chunk breaks the rules that the printer and any other
// reader of the IR rely on: operands have the representation that their
// operation takes, values that of their variable, and calls of static
// functions their exact parameters.
func Check(c *Chunk) error {
	k := &checker{}
	k.fn(c.Main)
	for _, f := range c.Lifted {
		k.fn(f)
	}
	return errors.Join(k.errs...)
}

type checker struct {
	f    *Func
	errs []error
}

func (k *checker) errorf(format string, args ...any) {
	name := "main"
	if k.f.Proto != nil {
		name = k.f.Proto.Name
	}
	k.errs = append(k.errs, fmt.Errorf("%s: "+format, append([]any{name}, args...)...))
}

func (k *checker) fn(f *Func) {
	outer := k.f
	k.f = f
	if f.Kind == Static || f.Kind == Lifted {
		if f.Name == "" {
			k.errorf("a static function without a name")
		}
		if f.Count != nil || f.Args != nil {
			k.errorf("a static function with varargs")
		}
	}
	k.block(f.Body)
	k.f = outer
}

func (k *checker) block(list []Stmt) {
	for _, s := range list {
		k.stmt(s)
		for _, x := range Exprs(s) {
			Walk(x, k.expr)
		}
		for _, in := range Inner(s) {
			k.block(in)
		}
	}
}

func (k *checker) stmt(s Stmt) {
	switch s := s.(type) {
	case *Define:
		k.values(s.Vars, s.X)
	case *Assign:
		k.values(s.Vars, s.X)
	case *If:
		k.want(s.Cond, Bool, "condition")
	case *For:
		if s.Cond != nil {
			k.want(s.Cond, Bool, "loop condition")
		}
	case *ForIn:
		if len(s.X) == 1 {
			k.want(s.X[0], Multi, "iterator")
		}
	case *DefineFunc:
		if s.Mode != DeclareOnly {
			k.fn(s.Func)
		}
	case *Return:
		k.ret(s)
	case *ReturnList:
		k.want(s.X, List, "returned list")
	case *Declare, *Do, *Poll, *Block, *Break, *Continue, *Goto, *Label, *Leave, *Comment, *Blank:
	default:
		unknown("Check", s)
	}
}

// values checks what variables get.
func (k *checker) values(vars []*Var, xs []Expr) {
	if len(xs) == 1 && len(vars) > 1 {
		k.spread(vars, xs[0])
		return
	}
	if len(xs) != len(vars) {
		k.errorf("%d values for %d variables", len(xs), len(vars))
		return
	}
	for i, v := range vars {
		if v != nil {
			k.want(xs[i], v.Type, "variable "+v.Name)
		}
	}
}

// spread checks variables that take the results of one call.
func (k *checker) spread(vars []*Var, x Expr) {
	if x.Type() == Multi {
		if len(vars) != 2 || vars[0].Type != Value || vars[1].Type != Int {
			k.errorf("a call's value and count go to %s", varNames(vars))
		}
		return
	}
	c, ok := x.(*StaticCall)
	if !ok || len(c.Func.Results) != len(vars) {
		k.errorf("%d variables take one value", len(vars))
		return
	}
	for i, v := range vars {
		if v != nil && v.Type != c.Func.Results[i] {
			k.errorf("variable %s takes a %v", v.Name, c.Func.Results[i])
		}
	}
}

func (k *checker) want(x Expr, t Type, what string) {
	if got := x.Type(); got != t {
		k.errorf("%s is a %v, want %v", what, got, t)
	}
}

func (k *checker) expr(x Expr) {
	switch x := x.(type) {
	case *Op:
		info := &Ops[x.Code]
		if x.Code != Concat && len(x.Args) != len(info.Args) {
			k.errorf("%s has %d operands", info.Name, len(x.Args))
			return
		}
		for i, a := range x.Args {
			want := Value
			if x.Code != Concat {
				want = info.Args[i]
			}
			k.want(a, want, "operand of "+info.Name)
		}
		if info.Site != (x.Site != nil) {
			k.errorf("%s and its site", info.Name)
		}
	case *Not:
		k.want(x.X, Bool, "operand of not")
	case *Logic:
		k.want(x.L, Bool, "left condition")
		k.want(x.R, Bool, "right condition")
	case *Call:
		for _, a := range x.Args {
			k.want(a, Value, "argument")
		}
		if x.Open != nil {
			k.want(x.Open, List, "open arguments")
		}
	case *StaticCall:
		k.static(x)
	case *First:
		k.want(x.X, Multi, "operand of first")
	case *Closure:
		k.fn(x.Func)
	case *NewRecord:
		if len(x.Vals) != len(x.Shape.Keys) {
			k.errorf("%d values for %d keys", len(x.Vals), len(x.Shape.Keys))
		}
	case *Const, *Ref, *Pair, *Result, *IterValue, *Finish, *Join, *NewTable, *NewArray, *NewData, *Select, *EnvCall:
	default:
		unknown("Check", x)
	}
}

func (k *checker) static(x *StaticCall) {
	if len(x.Args) != len(x.Func.Params) {
		k.errorf("%d arguments for %s", len(x.Args), x.Func.Name)
		return
	}
	for i, a := range x.Args {
		k.want(a, x.Func.Params[i].Type, "argument of "+x.Func.Name)
	}
}

func (k *checker) ret(s *Return) {
	if k.f.Kind == Main || k.f.Kind == Dynamic || len(k.f.Results) == 1 && k.f.Results[0] == Multi {
		for _, x := range s.X {
			if len(s.X) > 1 || x.Type() != Multi {
				k.want(x, Value, "returned value")
			}
		}
		return
	}
	if len(s.X) != len(k.f.Results) {
		k.errorf("%d values returned, want %d", len(s.X), len(k.f.Results))
		return
	}
	for i, x := range s.X {
		k.want(x, k.f.Results[i], "result")
	}
}
