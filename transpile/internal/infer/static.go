package infer

import "github.com/moonphase/moonphase/transpile/internal/ast"

// Static is a local function that is only ever called by its name, so that its
// parameters and results are known.
type Static struct {
	Func *ast.Func
	// Arity is the number of results, -1 when it varies.
	Arity   int
	Results []Kind
	// Lifted functions need no variable of an enclosing function.
	Lifted bool
	// Recursive functions can reach themselves by direct calls.
	Recursive bool
	// SelfTail is set when the function calls itself in tail position: a loop.
	SelfTail bool
	// UsesEnv is set when the function, one inside it or a lifted one that it
	// calls reads or writes globals.
	UsesEnv bool
	// Marker is set when a call in tail position is left to the caller.
	Marker bool

	returns  []*ast.ReturnStmt
	falls    bool      // control can reach the end of the body
	adjusted bool      // every caller takes a fixed number of results
	calls    []*Static // direct callees
	tails    []*Static // direct callees in tail position, itself left out
	opaque   bool      // an unknown callee in tail position
}

const unknownArity = -2

// findStatics collects the functions that are only called directly.
func (f *Facts) findStatics(main *ast.Func) {
	var collect func(fn *ast.Func)
	collect = func(fn *ast.Func) {
		if b := fn.Binding; b != nil && b.OnlyCalled && b.FuncValue == fn && !fn.IsVararg {
			st := &Static{Func: fn, Lifted: true, Arity: unknownArity, adjusted: true, falls: !ends(fn.Body)}
			f.statics[fn] = st
			f.order = append(f.order, st)
		}
		for _, in := range fn.Funcs {
			collect(in)
		}
	}
	if !main.ChangesEnv { // else each function has globals of its own
		collect(main)
	}
	f.findCalls(main)
	f.demoteTailCycles()
	f.findLifted()
	f.findEnv()
	f.findArity()
}

// findCalls records the direct calls that each function makes and how their
// results are used.
func (f *Facts) findCalls(fn *ast.Func) {
	from := f.statics[fn]
	w := walker{}
	w.call = func(c *ast.Call, open, tail bool) {
		to := f.Callee(c)
		if to != nil && open {
			to.adjusted = false
		}
		switch {
		case from == nil:
		case to == nil:
			from.opaque = from.opaque || tail
		case tail && to == from:
			from.SelfTail = true
		default:
			from.calls = append(from.calls, to)
			if tail {
				from.tails = append(from.tails, to)
			}
		}
	}
	w.ret = func(r *ast.ReturnStmt) {
		if from != nil {
			from.returns = append(from.returns, r)
		}
	}
	w.block(fn.Body)
	for _, in := range fn.Funcs {
		f.findCalls(in)
	}
}

// demoteTailCycles makes dynamic what direct Go calls cannot do: functions
// that call each other in tail position for ever, and self tail calls with
// parameters that closures keep.
func (f *Facts) demoteTailCycles() {
	group := components(f.order, func(s *Static) []*Static { return s.tails })
	size := map[int]int{}
	for _, st := range f.order {
		size[group[st]]++
	}
	keep := f.order[:0]
	for _, st := range f.order {
		if size[group[st]] > 1 || st.SelfTail && capturesParam(st.Func) {
			delete(f.statics, st.Func)
			continue
		}
		keep = append(keep, st)
	}
	f.order = keep
	live := func(list []*Static) (kept []*Static, lost bool) {
		for _, s := range list {
			if f.statics[s.Func] == s {
				kept = append(kept, s)
			} else {
				lost = true
			}
		}
		return kept, lost
	}
	for _, st := range f.order {
		st.calls, _ = live(st.calls)
		var lost bool
		st.tails, lost = live(st.tails)
		st.opaque = st.opaque || lost
	}
	group = components(f.order, func(s *Static) []*Static { return s.calls })
	clear(size)
	for _, st := range f.order {
		size[group[st]]++
	}
	for _, st := range f.order {
		st.Recursive = size[group[st]] > 1
		for _, c := range st.calls {
			st.Recursive = st.Recursive || c == st
		}
	}
}

func capturesParam(fn *ast.Func) bool {
	for _, p := range fn.Params {
		if p.Captured {
			return true
		}
	}
	return false
}

// findLifted keeps Lifted where every upvalue is a lifted function or a constant.
func (f *Facts) findLifted() {
	for changed := true; changed; {
		changed = false
		for _, st := range f.order {
			for _, u := range st.Func.Upvalues {
				up := f.Static(u.FuncValue)
				if st.Lifted && !(up != nil && up.Lifted) && !Inlined(u) {
					st.Lifted = false
					changed = true
				}
			}
		}
	}
}

// findEnv finds the lifted functions that need the chunk's globals.
func (f *Facts) findEnv() {
	var uses func(fn *ast.Func) bool
	uses = func(fn *ast.Func) bool {
		found := false
		w := walker{
			name: func(n *ast.Name) {
				found = found || n.Local == nil
				if n.Local != nil {
					st := f.Static(n.Local.FuncValue)
					found = found || st != nil && st.UsesEnv
				}
			},
			call: func(*ast.Call, bool, bool) {},
			ret:  func(*ast.ReturnStmt) {},
		}
		w.block(fn.Body)
		for _, in := range fn.Funcs {
			found = found || uses(in)
		}
		return found
	}
	for changed := true; changed; {
		changed = false
		for _, st := range f.order {
			if !st.UsesEnv && uses(st.Func) {
				st.UsesEnv = true
				changed = true
			}
		}
	}
}

// Inlined reports whether uses of a local in inner functions are replaced by
// its value: a constant that never changes.
func Inlined(l *ast.Local) bool {
	if l.Kind != ast.LocalVar || l.Assigned > 0 || l.Init == nil {
		return false
	}
	switch e := l.Init.(type) {
	case *ast.NumberExpr:
		return e.Suffix == ""
	case *ast.Unary:
		_, ok := Const(e)
		return ok
	case *ast.TrueExpr, *ast.FalseExpr:
		return true
	}
	return false
}

// findArity finds how many results each static function has.
func (f *Facts) findArity() {
	for changed := true; changed; {
		changed = false
		for _, st := range f.order {
			if a := f.arity(st); a != st.Arity {
				st.Arity = a
				changed = true
			}
		}
	}
	for _, st := range f.order {
		if st.Arity == unknownArity { // it never returns
			st.Arity = 0
		}
		if st.Arity > maxResults {
			st.Arity = -1
		}
	}
	// A fixed arity means that no call is left to the caller.
	for changed := true; changed; {
		changed = false
		for _, st := range f.order {
			m := st.opaque
			for _, t := range st.tails {
				m = m || t.Marker
			}
			if m && st.Arity < 0 && !st.Marker {
				st.Marker = true
				changed = true
			}
		}
	}
	for _, st := range f.order {
		if st.Arity > 0 {
			st.Results = make([]Kind, st.Arity)
			if st.falls {
				for i := range st.Results {
					st.Results[i] = Kind{Set: Nil}
				}
			}
		}
	}
}

// maxResults is the most results that a Go function made from a Lua one has.
const maxResults = 4

func (f *Facts) arity(st *Static) int {
	arity := st.Arity
	add := func(n int) {
		switch {
		case arity == unknownArity || arity == n:
			arity = n
		case n < 0 || arity < 0 || !st.adjusted:
			arity = -1
		default:
			arity = max(arity, n)
		}
	}
	if st.falls {
		add(0)
	}
	for _, r := range st.returns {
		n := len(r.Exprs)
		if n == 0 || !ast.IsOpen(r.Exprs[n-1]) {
			add(n)
			continue
		}
		c, ok := r.Exprs[n-1].(*ast.Call)
		to := (*Static)(nil)
		if ok {
			to = f.Callee(c)
		}
		switch {
		case to == nil:
			add(-1)
		case to == st && n == 1, to.Arity == unknownArity:
		case to.Arity < 0:
			add(-1)
		default:
			add(n - 1 + to.Arity)
		}
	}
	return arity
}

// ends reports whether control surely does not reach the end of a block.
func ends(b *ast.Block) bool {
	if len(b.Stmts) == 0 {
		return false
	}
	switch s := b.Stmts[len(b.Stmts)-1].(type) {
	case *ast.ReturnStmt:
		return true
	case *ast.DoStmt:
		return ends(s.Body)
	case *ast.IfStmt:
		if s.Else == nil || !ends(s.Else) {
			return false
		}
		for _, c := range s.Clauses {
			if !ends(c.Body) {
				return false
			}
		}
		return true
	}
	return false
}

// components numbers the strongly connected components of a call graph (Tarjan).
func components(nodes []*Static, next func(*Static) []*Static) map[*Static]int {
	var (
		index = map[*Static]int{}
		low   = map[*Static]int{}
		group = map[*Static]int{}
		stack []*Static
		count int
	)
	var visit func(s *Static)
	visit = func(s *Static) {
		index[s] = len(index) + 1
		low[s] = index[s]
		stack = append(stack, s)
		for _, t := range next(s) {
			if index[t] == 0 {
				visit(t)
				low[s] = min(low[s], low[t])
			} else if _, closed := group[t]; !closed {
				low[s] = min(low[s], index[t])
			}
		}
		if low[s] != index[s] {
			return
		}
		for count++; ; {
			t := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			group[t] = count
			if t == s {
				return
			}
		}
	}
	for _, s := range nodes {
		if index[s] == 0 {
			visit(s)
		}
	}
	return group
}
