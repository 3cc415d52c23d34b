package syntax

import (
	gast "github.com/yuin/gopher-lua/ast"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// aligner builds our tree from the parser's, walking it in lock step with the
// tokens: the tree says what comes next, the tokens say what and where it is.
//
// It also notes LuaJIT's line for every operation that can fail. LuaJIT gives
// an instruction the line of the last token its parser had consumed when it
// wrote the instruction, and it writes a table access late: only when the value
// is needed. settle is called at each such moment.
type aligner struct {
	f      *file
	i      int  // next token
	last   int  // line of the last token consumed
	level  int  // LuaJIT's count of nested blocks and expressions
	vararg bool // the function being read takes `...`
}

// maxLevel is LuaJIT's LJ_MAX_XLEVEL.
const maxLevel = 200

// maxChain bounds operators and suffixes that lean to the left (a+a+a..., or
// f()()()...): LuaJIT reads them in a loop, but they make a tree as deep as
// they are long, which later passes and the Go compiler go down recursively.
const maxChain = 10000

// bailout is thrown when tree and tokens show that LuaJIT would refuse the
// chunk (the parser takes a little more than LuaJIT), or do not fit together.
type bailout struct {
	at    int // token
	chain bool
}

// align builds the chunk's tree; b is set when it cannot.
func align(f *file, stmts []gast.Stmt) (chunk *ast.Chunk, b *bailout) {
	defer func() {
		if e := recover(); e != nil {
			var ok bool
			if b, ok = e.(*bailout); !ok {
				panic(e)
			}
		}
	}()
	a := &aligner{f: f, last: 1, vararg: true}
	start := ast.Pos{Line: 1, Col: 1}
	main := &ast.Func{Pos: start, IsVararg: true}
	main.Body = a.block(stmts)
	if a.tok().kind != tkEOF {
		a.bail()
	}
	main.End = a.tok().pos
	return &ast.Chunk{Main: main, Comments: f.comments}, nil
}

func (a *aligner) bail() { panic(&bailout{at: a.i}) }

func (a *aligner) tok() *token { return &a.f.tokens[a.i] }

// take consumes the next token, whatever it is.
func (a *aligner) take() *token {
	t := a.tok()
	if t.kind == tkEOF {
		a.bail()
	}
	a.last = t.endLine
	a.i++
	return t
}

// want consumes a token that must be of kind k.
func (a *aligner) want(k kind) *token {
	if a.tok().kind != k {
		a.bail()
	}
	return a.take()
}

// opt consumes the next token if it is of kind k.
func (a *aligner) opt(k kind) bool {
	if a.tok().kind != k {
		return false
	}
	a.take()
	return true
}

func (a *aligner) enter() {
	if a.level++; a.level >= maxLevel {
		a.bail()
	}
}

// block builds statements up to the token that closes them.
func (a *aligner) block(stmts []gast.Stmt) *ast.Block {
	a.enter()
	b := &ast.Block{Stmts: make([]ast.Stmt, 0, len(stmts))}
	for _, s := range stmts {
		a.semicolons()
		b.Stmts = append(b.Stmts, a.stmt(s))
	}
	a.semicolons()
	b.End = a.tok().pos
	a.level--
	return b
}

func (a *aligner) semicolons() {
	for a.opt(';') {
	}
}

func (a *aligner) stmt(s gast.Stmt) ast.Stmt {
	at := ast.S{Pos: a.tok().pos}
	switch s := s.(type) {
	case *gast.AssignStmt:
		return a.assign(at, s)
	case *gast.LocalAssignStmt:
		return a.local(at, s)
	case *gast.FuncCallStmt:
		call, ok := a.chain(s.Expr).(*ast.Call)
		if !ok || call.Paren {
			a.bail()
		}
		return &ast.CallStmt{S: at, Call: call}
	case *gast.DoBlockStmt:
		if a.opt(tkBreak) {
			return &ast.BreakStmt{S: at}
		}
		a.want(tkDo)
		body := a.block(s.Stmts)
		a.want(tkEnd)
		return &ast.DoStmt{S: at, Body: body}
	case *gast.WhileStmt:
		a.want(tkWhile)
		cond := a.settled(s.Condition)
		a.want(tkDo)
		body := a.block(s.Stmts)
		a.want(tkEnd)
		return &ast.WhileStmt{S: at, Cond: cond, Body: body}
	case *gast.RepeatStmt:
		a.want(tkRepeat)
		body := a.block(s.Stmts)
		a.want(tkUntil)
		return &ast.RepeatStmt{S: at, Body: body, Cond: a.settled(s.Condition)}
	case *gast.IfStmt:
		return a.ifStmt(at, s)
	case *gast.NumberForStmt:
		return a.numFor(at, s)
	case *gast.GenericForStmt:
		return a.genFor(at, s)
	case *gast.FuncDefStmt:
		return a.funcStmt(at, s)
	case *gast.ReturnStmt:
		a.want(tkReturn)
		exprs := a.exprs(s.Exprs)
		a.settleLast(exprs)
		return &ast.ReturnStmt{S: at, Exprs: exprs}
	case *gast.LabelStmt:
		a.want(tkLabel)
		name := a.want(tkName)
		end := a.want(tkLabel)
		return &ast.LabelStmt{S: at, Name: name.str, NamePos: name.pos, EndLine: end.endLine}
	case *gast.GotoStmt:
		a.want(tkGoto)
		name := a.want(tkName)
		return &ast.GotoStmt{S: at, Label: name.str, LabelPos: name.pos}
	}
	a.bail()
	return nil
}

func (a *aligner) assign(at ast.S, s *gast.AssignStmt) ast.Stmt {
	st := &ast.AssignStmt{S: at}
	for i, target := range s.Lhs {
		if i > 0 {
			a.want(',')
			if a.level+i >= maxLevel {
				a.bail() // LuaJIT's parser recurs over the targets
			}
		}
		st.Targets = append(st.Targets, a.chain(target))
	}
	a.want('=')
	st.Exprs = a.exprs(s.Rhs)
	a.settleLast(st.Exprs)
	a.settleAll(st.Targets)
	if len(st.Targets) == 1 && len(st.Exprs) == 1 {
		nameFunc(st.Exprs[0], targetName(st.Targets[0]))
	}
	return st
}

// newLocal consumes a local's name.
func (a *aligner) newLocal(k ast.LocalKind) *ast.Local {
	t := a.want(tkName)
	return &ast.Local{Name: t.str, Pos: t.pos, Kind: k, NextLine: a.tok().endLine}
}

func (a *aligner) locals(n int, k ast.LocalKind) []*ast.Local {
	ls := make([]*ast.Local, 0, n)
	for i := range n {
		if i > 0 {
			a.want(',')
		}
		ls = append(ls, a.newLocal(k))
	}
	return ls
}

func (a *aligner) local(at ast.S, s *gast.LocalAssignStmt) ast.Stmt {
	a.want(tkLocal)
	if a.tok().kind == tkFunction {
		pos := a.take().pos
		l := a.newLocal(ast.LocalFunc)
		if len(s.Exprs) != 1 {
			a.bail()
		}
		fe, ok := s.Exprs[0].(*gast.FunctionExpr)
		if !ok {
			a.bail()
		}
		fn := a.funcBody(fe, pos, a.tok().endLine, false)
		fn.Name = l.Name
		return &ast.LocalFuncStmt{S: at, Local: l, Func: &ast.FuncExpr{E: ast.E{Pos: pos}, Func: fn}}
	}
	st := &ast.LocalStmt{S: at, Locals: a.locals(len(s.Names), ast.LocalVar)}
	if len(s.Exprs) > 0 {
		a.want('=')
		st.Exprs = a.exprs(s.Exprs)
		a.settleLast(st.Exprs)
		for i := range min(len(st.Exprs), len(st.Locals)) {
			nameFunc(st.Exprs[i], st.Locals[i].Name)
		}
	}
	return st
}

func (a *aligner) ifStmt(at ast.S, s *gast.IfStmt) ast.Stmt {
	st := &ast.IfStmt{S: at}
	a.want(tkIf)
	pos := at.Pos
	for {
		cond := a.settled(s.Condition)
		a.want(tkThen)
		st.Clauses = append(st.Clauses, ast.IfClause{Pos: pos, Cond: cond, Body: a.block(s.Then)})
		if a.tok().kind != tkElseif {
			break
		}
		// The parser hangs an `elseif` into the else branch as its only statement.
		next, ok := gast.Stmt(nil), false
		if len(s.Else) == 1 {
			next = s.Else[0]
		}
		if s, ok = next.(*gast.IfStmt); !ok {
			a.bail()
		}
		pos = a.take().pos
	}
	if a.opt(tkElse) {
		st.Else = a.block(s.Else)
	}
	a.want(tkEnd)
	return st
}

func (a *aligner) numFor(at ast.S, s *gast.NumberForStmt) ast.Stmt {
	st := &ast.NumForStmt{S: at}
	a.want(tkFor)
	st.Var = a.newLocal(ast.ForVar)
	a.want('=')
	st.Start = a.settled(s.Init)
	a.want(',')
	st.Stop = a.settled(s.Limit)
	if s.Step != nil {
		a.want(',')
		st.Step = a.settled(s.Step)
	}
	st.Line = a.want(tkDo).endLine
	st.Body = a.block(s.Stmts)
	a.want(tkEnd)
	return st
}

func (a *aligner) genFor(at ast.S, s *gast.GenericForStmt) ast.Stmt {
	st := &ast.GenForStmt{S: at}
	a.want(tkFor)
	st.Vars = a.locals(len(s.Names), ast.ForVar)
	a.want(tkIn)
	st.Line = a.tok().endLine
	st.Exprs = a.exprs(s.Exprs)
	a.settleLast(st.Exprs)
	a.want(tkDo)
	st.Body = a.block(s.Stmts)
	a.want(tkEnd)
	return st
}

// funcStmt builds `function a.b:c() end` as the assignment it stands for.
func (a *aligner) funcStmt(at ast.S, s *gast.FuncDefStmt) ast.Stmt {
	word := a.want(tkFunction)
	name := a.want(tkName)
	var target ast.Expr = &ast.Name{E: ast.E{Pos: name.pos}, Name: name.str}
	full, method := name.str, false
	for a.tok().kind == '.' || a.tok().kind == ':' {
		a.settle(target)
		sep := a.take()
		key := a.want(tkName)
		method = sep.kind == ':'
		full += sep.kind.String() + key.str
		target = &ast.Index{
			E: ast.E{Pos: name.pos}, Obj: target, Dot: true, OpPos: sep.pos,
			Key: &ast.StringExpr{E: ast.E{Pos: key.pos}, Value: key.str},
		}
	}
	if method != (s.Name.Method != "") {
		a.bail()
	}
	fn := a.funcBody(s.Func, word.pos, word.endLine, method)
	fn.Name = full
	if ix, ok := target.(*ast.Index); ok {
		ix.Line = word.endLine // LuaJIT gives the store the statement's line
	}
	fe := &ast.FuncExpr{E: ast.E{Pos: word.pos}, Func: fn}
	return &ast.AssignStmt{S: at, Targets: []ast.Expr{target}, Exprs: []ast.Expr{fe}, FuncStmt: true}
}

// funcBody builds parameters and body; the next token is the `(`. line is
// LuaJIT's "line defined".
func (a *aligner) funcBody(fe *gast.FunctionExpr, pos ast.Pos, line int, method bool) *ast.Func {
	fn := &ast.Func{Pos: pos, Line: line, Method: method, IsVararg: fe.ParList.HasVargs}
	open := a.want('(')
	if method {
		fn.Params = append(fn.Params, &ast.Local{Name: "self", Pos: open.pos, Kind: ast.SelfParam, NextLine: a.tok().endLine})
	}
	fn.Params = append(fn.Params, a.locals(len(fe.ParList.Names), ast.Param)...)
	if fn.IsVararg {
		if len(fe.ParList.Names) > 0 {
			a.want(',')
		}
		a.want(tkDots)
	}
	a.want(')')
	outer := a.vararg
	a.vararg = fn.IsVararg
	fn.Body = a.block(fe.Stmts)
	a.vararg = outer
	fn.End = a.want(tkEnd).pos
	return fn
}

// nameFunc gives a function expression the name of what it is assigned to.
func nameFunc(e ast.Expr, name string) {
	if fe, ok := e.(*ast.FuncExpr); ok && name != "" {
		fe.Func.Name = name
	}
}

// targetName is "a.b.c" for such a target, else "".
func targetName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Name:
		return e.Name
	case *ast.Index:
		if obj := targetName(e.Obj); obj != "" && e.Dot {
			return obj + "." + e.Key.(*ast.StringExpr).Value
		}
	}
	return ""
}
