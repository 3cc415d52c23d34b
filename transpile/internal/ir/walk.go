package ir

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
	}
	return nil
}

// Visit calls stmt for every statement of a function body and expr for every
// expression, those of inner functions included.
func Visit(body []Stmt, stmt func(Stmt), expr func(Expr)) {
	visit(body, func(s Stmt) bool { stmt(s); return true }, expr)
}

// visit is Visit that leaves out the statements for which stmt is false.
func visit(body []Stmt, stmt func(Stmt) bool, expr func(Expr)) {
	for _, s := range body {
		if !stmt(s) {
			continue
		}
		for _, x := range Exprs(s) {
			Walk(x, func(e Expr) {
				expr(e)
				if c, ok := e.(*Closure); ok {
					visit(c.Func.Body, stmt, expr)
				}
			})
		}
		for _, in := range Inner(s) {
			visit(in, stmt, expr)
		}
		if d, ok := s.(*DefineFunc); ok && d.Mode != DeclareOnly {
			visit(d.Func.Body, stmt, expr)
		}
	}
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
	dead := map[Stmt]bool{}
	vars := map[*Var]int{}
	calls := map[*Func]int{}
	counted := c.counted
	c.counted = true
	count := func(e Expr) {
		for _, v := range variables(e) {
			vars[v]++
			total++
		}
		if c, ok := e.(*StaticCall); ok {
			calls[c.Func]++
		}
	}
	live := func(s Stmt) bool {
		if counted && unread(s) {
			dead[s] = true
		}
		return !dead[s]
	}
	forget := func(s Stmt) {
		switch s := s.(type) {
		case *Define:
			reset(s.Vars)
		case *Declare:
			reset(s.Vars)
		}
	}
	bodies := [][]Stmt{c.Main.Body}
	for _, f := range c.Lifted {
		bodies = append(bodies, f.Body)
	}
	for _, b := range bodies {
		visit(b, live, count)
		Visit(b, forget, func(Expr) {})
	}
	for v, n := range vars {
		v.Reads = n
	}
	for f, n := range calls {
		f.Calls = n
	}
	return total
}

func reset(vars []*Var) {
	for _, v := range vars {
		if v != nil {
			v.Reads = 0
		}
	}
}

// unread reports whether s sets variables that nobody reads, to values that
// have no effect.
func unread(s Stmt) bool {
	var vars []*Var
	var xs []Expr
	switch s := s.(type) {
	case *Define:
		vars, xs = s.Vars, s.X
	case *Assign:
		vars, xs = s.Vars, s.X
	default:
		return false
	}
	for _, v := range vars {
		if v != nil && v.Reads > 0 {
			return false
		}
	}
	for _, x := range xs {
		if !Inert(x) {
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
