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
	for _, s := range body {
		stmt(s)
		for _, x := range Exprs(s) {
			Walk(x, func(e Expr) {
				expr(e)
				if c, ok := e.(*Closure); ok {
					Visit(c.Func.Body, stmt, expr)
				}
			})
		}
		for _, in := range Inner(s) {
			Visit(in, stmt, expr)
		}
		if d, ok := s.(*DefineFunc); ok && d.Mode != DeclareOnly {
			Visit(d.Func.Body, stmt, expr)
		}
	}
}

// CountReads sets Reads of every variable and Calls of every static function of a chunk.
func CountReads(c *Chunk) {
	count := func(e Expr) {
		for _, v := range variables(e) {
			v.Reads++
		}
		if c, ok := e.(*StaticCall); ok {
			c.Func.Calls++
		}
	}
	Visit(c.Main.Body, func(Stmt) {}, count)
	for _, f := range c.Lifted {
		Visit(f.Body, func(Stmt) {}, count)
	}
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

// LineOf is the line that an error of the operation itself has, 0 when it
// cannot raise one.
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
	}
	return 0
}
