package ir

import "fmt"

// unknown stops a walk at a kind that it has no case for: one that it passed over
// in silence would be left out of the program.
func unknown(walk string, node any) {
	panic(fmt.Sprintf("ir: %s does not know %T", walk, node))
}

// Walk calls visit for x and every expression inside it, function bodies left out.
func Walk(x Expr, visit func(Expr)) {
	if x == nil {
		return
	}
	visit(x)
	for _, in := range operands(x) {
		Walk(in, visit)
	}
}

// operands lists the expressions directly inside x.
func operands(x Expr) []Expr {
	var list []Expr
	add := func(es ...Expr) {
		for _, e := range es {
			if e != nil {
				list = append(list, e)
			}
		}
	}
	switch x := x.(type) {
	case *Op:
		return x.Args
	case *Not:
		add(x.X)
	case *Logic:
		add(x.L, x.R)
	case *Call:
		add(x.Fn, x.Obj)
		add(x.Args...)
		add(x.Open)
	case *StaticCall:
		return x.Args
	case *First:
		add(x.X)
	case *Finish:
		add(x.X)
	case *Join:
		add(x.Fixed...)
		add(x.Open)
	case *NewRecord:
		return x.Vals
	case *NewArray:
		add(x.Vals...)
		add(x.Open)
	case *Select:
		add(x.Fn, x.Index)
	case *EnvCall:
		add(x.Fn, x.Table)
	case *Const, *Ref, *Pair, *Result, *IterValue, *Closure, *NewTable, *NewData:
	default:
		unknown("operands", x)
	}
	return list
}

// variables lists the variables that x itself reads.
func variables(x Expr) []*Var {
	switch x := x.(type) {
	case *Ref:
		return []*Var{x.Var}
	case *Pair:
		return []*Var{x.V, x.N}
	case *Result:
		return []*Var{x.N}
	case *IterValue:
		return []*Var{x.Iter}
	case *Select:
		return []*Var{x.Args}
	case *Const, *Op, *Not, *Logic, *Call, *StaticCall, *First, *Finish, *Join,
		*Closure, *NewTable, *NewRecord, *NewArray, *NewData, *EnvCall:
	default:
		unknown("variables", x)
	}
	return nil
}

// Exprs lists the expressions directly in a statement.
func Exprs(s Stmt) []Expr {
	switch s := s.(type) {
	case *Define:
		return s.X
	case *Assign:
		return s.X
	case *Do:
		return []Expr{s.X}
	case *If:
		return []Expr{s.Cond}
	case *For:
		if s.Cond != nil {
			return []Expr{s.Cond}
		}
	case *ForIn:
		return s.X
	case *Return:
		return s.X
	case *ReturnList:
		return []Expr{s.X}
	case *Declare, *DefineFunc, *Poll, *Block, *Break, *Continue, *Goto, *Label, *Leave, *Comment, *Blank:
	default:
		unknown("Exprs", s)
	}
	return nil
}

// Inner lists the statement lists inside a statement.
func Inner(s Stmt) [][]Stmt {
	switch s := s.(type) {
	case *If:
		return [][]Stmt{s.Then, s.Else}
	case *For:
		var head []Stmt
		if s.Init != nil {
			head = append(head, s.Init)
		}
		if s.Post != nil {
			head = append(head, s.Post)
		}
		return [][]Stmt{head, s.Body}
	case *ForIn:
		return [][]Stmt{s.Body}
	case *Block:
		return [][]Stmt{s.Body}
	case *Define, *Declare, *Assign, *Do, *DefineFunc, *Poll, *Break, *Continue, *Goto, *Label,
		*Return, *ReturnList, *Leave, *Comment, *Blank:
	default:
		unknown("Inner", s)
	}
	return nil
}

// visit calls expr for every expression of a function body, those of inner
// functions included; live says whether an expression of a statement counts.
func visit(body []Stmt, expr func(Expr), live func(Stmt, Expr) bool) {
	for _, s := range body {
		for _, x := range Exprs(s) {
			if !live(s, x) {
				continue
			}
			Walk(x, func(e Expr) {
				expr(e)
				if c, ok := e.(*Closure); ok {
					visit(c.Func.Body, expr, live)
				}
			})
		}
		for _, in := range Inner(s) {
			visit(in, expr, live)
		}
		if d, ok := s.(*DefineFunc); ok && d.Mode != DeclareOnly {
			visit(d.Func.Body, expr, live)
		}
	}
}

// DropLabels removes the labels of a function that no goto names.
func DropLabels(f *Func) {
	used := map[string]bool{}
	var find func(list []Stmt)
	find = func(list []Stmt) {
		for _, s := range list {
			if g, ok := s.(*Goto); ok {
				used[g.Label] = true
			}
			for _, in := range Inner(s) {
				find(in)
			}
		}
	}
	find(f.Body)
	var drop func(list []Stmt)
	drop = func(list []Stmt) {
		for i, s := range list {
			if l, ok := s.(*Label); ok && !used[l.Name] {
				list[i] = &Blank{}
			}
			for _, in := range Inner(s) {
				drop(in)
			}
		}
	}
	drop(f.Body)
}

// CountReads sets Reads of every variable and Calls of every static function of
// a chunk. What a definition that nobody reads would read does not count.
func CountReads(c *Chunk) {
	for last := -1; ; {
		total := c.countReads()
		if total == last {
			return
		}
		last = total
	}
}

// countReads counts once more, on the strength of the counts it finds.
func (c *Chunk) countReads() (total int) {
	vars := map[*Var]int{}
	calls := map[*Func]int{}
	count := func(e Expr) {
		for _, v := range variables(e) {
			vars[v]++
			total++
		}
		if c, ok := e.(*StaticCall); ok {
			calls[c.Func]++
		}
	}
	live := func(s Stmt, x Expr) bool { return c.reads == nil || !unread(s) || !Inert(x) }
	visit(c.Main.Body, count, live)
	for _, f := range c.Lifted {
		visit(f.Body, count, live)
	}
	for v := range c.reads {
		v.Reads = 0
	}
	for v, n := range vars {
		v.Reads = n
	}
	for f, n := range calls {
		f.Calls = n
	}
	c.reads = vars
	return total
}

// unread reports whether s only sets variables that nobody reads: then what it
// evaluates is left out unless it has an effect.
func unread(s Stmt) bool {
	var vars []*Var
	switch s := s.(type) {
	case *Define:
		vars = s.Vars
	case *Assign:
		vars = s.Vars
	default:
		return false
	}
	for _, v := range vars {
		if v != nil && v.Reads > 0 {
			return false
		}
	}
	return true
}

// Inert reports whether evaluating x does nothing that can be seen.
func Inert(x Expr) bool {
	ok := true
	Walk(x, func(x Expr) {
		switch x := x.(type) {
		case *Const, *Ref, *Result, *IterValue, *Not, *Logic,
			*NewTable, *NewData, *NewArray, *NewRecord, *Closure:
		case *Op:
			ok = ok && !Ops[x.Code].Raises()
		default:
			ok = false
		}
	})
	return ok
}

// FirstLine is the line of the first operation of xs, as printed, that can
// raise an error; 0 when there is none.
func FirstLine(xs ...Expr) int {
	line := 0
	for _, x := range xs {
		Walk(x, func(e Expr) {
			if line == 0 {
				line = LineOf(e)
			}
		})
	}
	return line
}

// LineOf is the line that an error of the operation itself has, or that a
// constructor of several lines begins on; 0 when it does not matter.
func LineOf(e Expr) int {
	switch e := e.(type) {
	case *Op:
		return e.Line
	case *Call:
		return e.Line
	case *StaticCall:
		return e.Line
	case *Finish:
		return e.Line
	case *Select:
		return e.Line
	case *EnvCall:
		return e.Line
	case *NewRecord:
		if e.Tall {
			return e.Line
		}
	case *NewArray:
		if e.Tall {
			return e.Line
		}
	}
	return 0
}
