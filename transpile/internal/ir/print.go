package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// Print returns a dump of a chunk for people who work on the compiler: one
// statement a line, expressions as (operation operands), lines behind @.
func Print(c *Chunk) string {
	p := &printer{}
	p.fn(c.Main)
	for _, f := range c.Lifted {
		p.fn(f)
	}
	return p.b.String()
}

type printer struct {
	b     strings.Builder
	depth int
}

func (p *printer) line(format string, args ...any) {
	p.b.WriteString(strings.Repeat("\t", p.depth))
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

var kindNames = [...]string{Main: "main", Dynamic: "dynamic", Static: "static", Lifted: "lifted"}

func (p *printer) fn(f *Func) {
	name := f.Name
	if name == "" && f.Proto != nil {
		name = f.Proto.Name
	}
	var params []string
	for _, v := range f.Params {
		params = append(params, v.Name+" "+v.Type.String())
	}
	if f.Args != nil {
		params = append(params, f.Args.Name+"...")
	}
	p.line("%s func %s(%s) %v @%d", kindNames[f.Kind], name, strings.Join(params, ", "), f.Results, f.Line)
	p.block(f.Body)
}

func (p *printer) block(list []Stmt) {
	p.depth++
	for _, s := range list {
		p.stmt(s)
	}
	p.depth--
}

func varNames(vars []*Var) string {
	names := make([]string, len(vars))
	for i, v := range vars {
		names[i] = "_"
		if v != nil {
			names[i] = v.Name + ":" + v.Type.String()
		}
	}
	return strings.Join(names, ", ")
}

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *Define:
		p.line("define %s = %s", varNames(s.Vars), p.exprs(s.X))
	case *Declare:
		p.line("declare %s", varNames(s.Vars))
	case *Assign:
		p.line("assign %s = %s", varNames(s.Vars), p.exprs(s.X))
	case *Do:
		p.line("do %s", p.expr(s.X))
	case *DefineFunc:
		if s.Mode == DeclareOnly {
			p.line("declare func %s", s.Func.Name)
			return
		}
		p.fn(s.Func)
	case *If:
		p.line("if %s", p.expr(s.Cond))
		p.block(s.Then)
		if len(s.Else) > 0 {
			p.line("else")
			p.block(s.Else)
		}
	case *For:
		p.line("for %s", s.Label)
		p.depth++
		if s.Init != nil {
			p.stmt(s.Init)
		}
		if s.Cond != nil {
			p.line("while %s", p.expr(s.Cond))
		}
		if s.Post != nil {
			p.stmt(s.Post)
		}
		p.line("body")
		p.block(s.Body)
		p.depth--
	case *ForIn:
		p.line("for in %s: %s = %s @%d", s.Label, s.Iter.Name, p.exprs(s.X), s.Line)
		p.block(s.Body)
	case *Block:
		p.line("block")
		p.block(s.Body)
	case *Return:
		p.line("return %s", p.exprs(s.X))
	case *ReturnList:
		p.line("return list %s", p.expr(s.X))
	default:
		p.jump(s)
	}
}

// jump prints the statements without expressions.
func (p *printer) jump(s Stmt) {
	switch s := s.(type) {
	case *Poll:
		p.line("poll")
	case *Break:
		p.line("break %s", s.Label)
	case *Continue:
		p.line("continue %s", s.Label)
	case *Goto:
		p.line("goto %s", s.Label)
	case *Label:
		p.line("label %s", s.Name)
	case *Leave:
		p.line("leave %d", s.Weight)
	case *Comment:
		p.line("-- %s", s.Text)
	case *Blank:
	default:
		unknown("Print", s)
	}
}

func (p *printer) exprs(xs []Expr) string {
	list := make([]string, len(xs))
	for i, x := range xs {
		list[i] = p.expr(x)
	}
	return strings.Join(list, ", ")
}

// expr prints one expression; function bodies follow on lines of their own.
func (p *printer) expr(x Expr) string {
	head := ""
	switch x := x.(type) {
	case *Const:
		if s, ok := x.V.(string); ok {
			return strconv.Quote(s)
		}
		if x.V == nil {
			return "nil"
		}
		return fmt.Sprint(x.V)
	case *Ref:
		return x.Var.Name
	case *Pair:
		return "(pair " + x.V.Name + " " + x.N.Name + ")"
	case *Result:
		return fmt.Sprintf("(result %s %d)", x.N.Name, x.I)
	case *IterValue:
		return fmt.Sprintf("(iter %s %d)", x.Iter.Name, x.I)
	case *NewTable:
		s := fmt.Sprintf("(table %d %d", x.Array, x.Record)
		if x.Shape != nil {
			s += " " + strings.Join(x.Shape.Keys, ",")
		}
		return s + ")"
	case *NewData:
		return "(data " + x.Data.Name + ")"
	case *Closure:
		in := &printer{depth: p.depth + 1}
		in.fn(x.Func)
		return "(closure\n" + strings.TrimRight(in.b.String(), "\n") + ")"
	case *Op:
		head = Ops[x.Code].Name
		if x.Site != nil {
			head += "." + x.Site.Key
		}
	case *Not:
		head = "not"
	case *Logic:
		head = map[bool]string{true: "andalso", false: "orelse"}[x.And]
	case *Call:
		head = map[bool]string{true: "tailcall", false: "call"}[x.Tail]
		if x.Site != nil {
			head += ":" + x.Site.Key
		}
	case *StaticCall:
		head = "static " + x.Func.Name
	case *First:
		head = "first"
	case *Finish:
		head = "finish"
	case *Join:
		head = "join"
	case *NewRecord:
		head = "record " + strings.Join(x.Shape.Keys, ",")
	case *NewArray:
		head = "array"
		if x.Size != 0 {
			head += " " + strconv.Itoa(x.Size)
		}
	case *EnvCall:
		head = "env"
	case *Select:
		head = "select " + x.Args.Name
	default:
		unknown("Print", x)
	}
	s := "(" + head
	for _, in := range operands(x) {
		s += " " + p.expr(in)
	}
	s += ")"
	if line := LineOf(x); line > 0 {
		s += "@" + strconv.Itoa(line)
	}
	return s
}
