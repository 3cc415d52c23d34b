// Package resolve binds every name of a chunk to a local, an upvalue or a
// global, joins break and goto to their targets, and records the facts about
// locals and functions that later passes decide on. It fills the fields of
// package ast that are marked "set by resolve", in one walk in program order.
//
// It also finds the mistakes that need scopes, with LuaJIT's words: break
// outside a loop, bad labels and jumps, too many locals or upvalues.
package resolve

import (
	"slices"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// Resolve binds chunk; name is the file name for diagnostics.
func Resolve(name string, chunk *ast.Chunk) []diag.Diagnostic {
	r := &resolver{file: name}
	r.function(chunk.Main, nil)
	return r.report()
}

// Before finds what is wrong with the part of a broken chunk that LuaJIT has
// read, and noticed, when it comes to pos.
func Before(name string, prefix *ast.Chunk, pos ast.Pos) []diag.Diagnostic {
	r := &resolver{file: name}
	r.function(prefix.Main, nil)
	r.faults = slices.DeleteFunc(r.faults, func(f fault) bool { return before(f.at, pos) >= 0 })
	return r.report()
}

// resolver is the state of the walk.
type resolver struct {
	file   string
	fn     *funcState
	faults []fault
}

// funcState is what is known about a function while its body is walked.
type funcState struct {
	*ast.Func
	outer  *funcState
	active []*ast.Local // locals in scope, innermost last
	scope  *scope
	hidden int // loop control slots in use: LuaJIT counts them as locals
	loops  int // depth of loops
	gotos  bool
	known  map[*ast.Local]bool // Upvalues as a set
	limits int                 // limits already reported, as bits
}

// scope is a block that is being walked.
type scope struct {
	outer  *scope
	block  *ast.Block
	loop   ast.Stmt // the loop whose body this is, or nil
	base   int      // locals that were active when it began
	labels []*label
	gotos  []*jump // not yet joined
}

func (r *resolver) function(f *ast.Func, outer *ast.Func) {
	fs := &funcState{Func: f, outer: r.fn, known: map[*ast.Local]bool{}}
	f.Parent = outer
	if outer != nil {
		outer.Funcs = append(outer.Funcs, f)
	}
	r.fn = fs
	r.open(f.Body, nil)
	for _, p := range f.Params {
		r.declare(p)
	}
	r.stmts(f.Body)
	r.close()
	r.fn = fs.outer
	if outer != nil {
		outer.WritesGlob = outer.WritesGlob || f.WritesGlob
		outer.ChangesEnv = outer.ChangesEnv || f.ChangesEnv
	}
	for _, l := range f.Locals {
		summarise(l, fs.gotos)
	}
}

// open begins a scope.
func (r *resolver) open(b *ast.Block, loop ast.Stmt) {
	r.fn.scope = &scope{outer: r.fn.scope, block: b, loop: loop, base: len(r.fn.active)}
}

// close ends the innermost scope.
func (r *resolver) close() {
	s := r.fn.scope
	r.leaveJumps(s)
	r.fn.active = r.fn.active[:s.base]
	r.fn.scope = s.outer
}

// block walks b in a scope of its own.
func (r *resolver) block(b *ast.Block) {
	r.open(b, nil)
	r.stmts(b)
	r.close()
}

func (r *resolver) stmts(b *ast.Block) {
	for i, s := range b.Stmts {
		r.stmt(s, b, i)
	}
}

// declare brings l into scope.
func (r *resolver) declare(l *ast.Local) {
	fs := r.fn
	l.Func = fs.Func
	l.DeclDepth = fs.loops
	fs.Locals = append(fs.Locals, l)
	fs.active = append(fs.active, l)
	r.checkLocals(l)
}

func (r *resolver) stmt(s ast.Stmt, b *ast.Block, i int) {
	switch s := s.(type) {
	case *ast.LocalStmt:
		r.exprs(s.Exprs)
		for i, l := range s.Locals {
			if i < len(s.Exprs) {
				l.Init = s.Exprs[i]
			}
			l.Block = b
			r.declare(l)
		}
	case *ast.LocalFuncStmt:
		s.Local.Init = s.Func
		s.Local.Block = b
		r.declare(s.Local)
		r.expr(s.Func)
	case *ast.AssignStmt:
		r.assign(s, b)
	case *ast.CallStmt:
		r.expr(s.Call)
	case *ast.DoStmt:
		r.block(s.Body)
	case *ast.WhileStmt:
		r.fn.loops++
		r.expr(s.Cond)
		r.open(s.Body, s)
		r.stmts(s.Body)
		r.close()
		r.fn.loops--
	case *ast.RepeatStmt:
		r.fn.loops++
		r.open(s.Body, s)
		r.stmts(s.Body)
		r.expr(s.Cond)
		r.close()
		r.fn.loops--
	case *ast.IfStmt:
		for _, c := range s.Clauses {
			r.expr(c.Cond)
			r.block(c.Body)
		}
		if s.Else != nil {
			r.block(s.Else)
		}
	case *ast.NumForStmt:
		r.expr(s.Start)
		r.expr(s.Stop)
		if s.Step != nil {
			r.expr(s.Step)
		}
		r.loop(s, s.Body, s.Var)
	case *ast.GenForStmt:
		r.exprs(s.Exprs)
		r.fn.HasCall = true // of the iterator
		r.loop(s, s.Body, s.Vars...)
	case *ast.ReturnStmt:
		r.exprs(s.Exprs)
	case *ast.BreakStmt:
		r.breakStmt(s)
	case *ast.GotoStmt:
		r.gotoStmt(s)
	case *ast.LabelStmt:
		r.labelStmt(s, b, i)
	default:
		ast.Unknown("resolve", s)
	}
}

// forSlots is how many hidden control variables LuaJIT keeps for a `for` loop.
const forSlots = 3

func (r *resolver) loop(s ast.Stmt, body *ast.Block, vars ...*ast.Local) {
	r.fn.loops++
	r.fn.hidden += forSlots
	r.open(body, s)
	for _, v := range vars {
		r.declare(v)
	}
	r.stmts(body)
	r.close()
	r.fn.hidden -= forSlots
	r.fn.loops--
}

func (r *resolver) assign(s *ast.AssignStmt, b *ast.Block) {
	for _, t := range s.Targets {
		if n, ok := t.(*ast.Name); ok {
			r.bind(n)
			continue
		}
		r.expr(t)
	}
	used := -1
	var sole *ast.Local
	if n, ok := s.Targets[0].(*ast.Name); ok && len(s.Targets) == 1 && len(s.Exprs) == 1 {
		if sole = n.Local; sole != nil {
			used = sole.Uses
		}
	}
	r.exprs(s.Exprs)
	for _, t := range s.Targets {
		n, ok := t.(*ast.Name)
		switch {
		case !ok:
		case n.Local == nil:
			r.fn.WritesGlob = true
		default:
			n.Local.Assigned++
		}
	}
	if sole == nil || sole.Assigned != 1 {
		return
	}
	fe, ok := s.Exprs[0].(*ast.FuncExpr)
	if !ok || sole.Kind != ast.LocalVar || sole.Init != nil {
		return
	}
	sole.LateFunc = fe.Func
	// Only an assignment right in the block of the declaration, before any
	// use, surely comes first.
	sole.LateFirst = used == 0 && sole.Block == b && !r.fn.gotos
}

func (r *resolver) exprs(es []ast.Expr) {
	for _, e := range es {
		r.expr(e)
	}
}

func (r *resolver) expr(e ast.Expr) {
	switch e := e.(type) {
	case *ast.VarargExpr:
		r.fn.UsesVararg = true
	case *ast.Name:
		r.bind(e)
		r.read(e)
	case *ast.StringExpr:
		if e.Value != "module" && envChangers[e.Value] { // _G.setfenv, rawget(_G, "setfenv")
			r.fn.ChangesEnv = true
		}
	case *ast.Index:
		r.expr(e.Obj)
		r.expr(e.Key)
		r.readGlobal(e)
	case *ast.Call:
		r.call(e)
	case *ast.FuncExpr:
		r.function(e.Func, r.fn.Func)
	case *ast.Binary:
		r.expr(e.L)
		r.expr(e.R)
	case *ast.Logical:
		r.expr(e.L)
		r.expr(e.R)
	case *ast.Unary:
		r.expr(e.X)
	case *ast.Table:
		for _, f := range e.Fields {
			if f.Key != nil {
				r.expr(f.Key)
			}
			r.expr(f.Value)
		}
	case *ast.NilExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.NumberExpr:
	default:
		ast.Unknown("resolve", e)
	}
}

func (r *resolver) call(c *ast.Call) {
	r.fn.HasCall = true
	if c.Fn == nil {
		r.expr(c.Obj)
	} else {
		r.expr(c.Fn)
		if n, ok := c.Fn.(*ast.Name); ok && n.Local != nil {
			n.Local.Calls = append(n.Local.Calls, c)
		}
	}
	r.exprs(c.Args)
}

// envChangers are the globals that can change what a global name means.
var envChangers = map[string]bool{"module": true, "setfenv": true, "getfenv": true}

// read counts a use of n's value.
func (r *resolver) read(n *ast.Name) {
	if n.Local != nil {
		n.Local.Uses++
		return
	}
	if envChangers[n.Name] {
		r.fn.ChangesEnv = true
	}
}

// readGlobal looks at a global that is read by way of _G.
func (r *resolver) readGlobal(e *ast.Index) {
	n, ok := e.Obj.(*ast.Name)
	key, isString := e.Key.(*ast.StringExpr)
	if ok && isString && n.Local == nil && n.Name == "_G" && envChangers[key.Value] {
		r.fn.ChangesEnv = true
	}
}

// bind finds what n means here.
func (r *resolver) bind(n *ast.Name) {
	for fs := r.fn; fs != nil; fs = fs.outer {
		for i := len(fs.active) - 1; i >= 0; i-- {
			l := fs.active[i]
			if l.Name != n.Name {
				continue
			}
			n.Local = l
			if fs != r.fn {
				n.Upvalue = true
				l.Captured = true
				r.capture(l, n, fs)
			}
			return
		}
	}
}

// capture makes l an upvalue of every function between its own and the current one.
func (r *resolver) capture(l *ast.Local, n *ast.Name, owner *funcState) {
	for fs := r.fn; fs != owner; fs = fs.outer {
		if fs.known[l] {
			return // then the functions around it know l too
		}
		fs.known[l] = true
		fs.Upvalues = append(fs.Upvalues, l)
		r.checkUpvalues(fs, n)
	}
}

// summarise draws the conclusions about l once all of its function is walked.
func summarise(l *ast.Local, gotos bool) {
	fe, _ := l.Init.(*ast.FuncExpr)
	switch {
	case fe != nil && l.Assigned == 0:
		l.FuncValue = fe.Func
	case l.LateFunc != nil && l.Assigned == 1:
		if l.LateFirst && !gotos {
			l.FuncValue = l.LateFunc
		}
	default:
		l.LateFunc = nil
	}
	if l.FuncValue != nil {
		l.FuncValue.Binding = l
		l.OnlyCalled = l.Uses == len(l.Calls)
	}
}
