package syntax

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// explain says why LuaJIT refuses a chunk that the parser or the aligner has
// refused. LALR tables know that a token does not fit; LuaJIT's message also
// says what it wanted there, and that depends on where its hand-written parser
// stands. So explain follows the grammar over the tokens, building nothing, and
// stops where LuaJIT stops, with its words. It never runs on a good chunk.
//
// When it finds nothing wrong, this package is: at is the token where it gave up.
// Errors that need scopes (labels, break, limits) are package resolve's.
func explain(f *file, at int) diag.Diagnostic {
	x := &explainer{f: f, vararg: true}
	if c := x.run(); c != nil {
		return c.diagnostic(f)
	}
	t := &f.tokens[at]
	return diag.Diagnostic{
		Code: diag.Internal, File: f.name, Line: t.pos.Line, Col: t.pos.Col,
		Msg: "internal error in pass syntax: a chunk that LuaJIT takes cannot be read",
	}
}

// run reads the chunk up to what is wrong with it.
func (x *explainer) run() (c *complaint) {
	defer func() {
		if e := recover(); e != nil {
			var ok bool
			if c, ok = e.(*complaint); !ok {
				panic(e)
			}
		}
	}()
	x.check()
	x.chunk()
	if x.tok().kind != tkEOF {
		x.expected(tkEOF)
	}
	return nil
}

// complaint is what LuaJIT says and where.
type complaint struct {
	code diag.Code
	msg  string
	near string // the token it names, "" for none
	at   token  // what is wrong
	line int    // the line LuaJIT gives
}

func (c *complaint) diagnostic(f *file) diag.Diagnostic {
	msg := c.msg
	if c.near != "" {
		msg += " near '" + c.near + "'"
	}
	d := diag.Diagnostic{
		Code: c.code, File: f.name, Line: c.at.pos.Line, Col: c.at.pos.Col, Msg: msg,
		Lua: fmt.Sprintf("%d: %s", c.line, msg),
	}
	if c.at.endLine == c.at.pos.Line {
		d.Len = c.at.end - c.at.off
	}
	return d
}

// explainer is a recogniser with LuaJIT's order of decisions.
type explainer struct {
	f       *file
	i       int
	level   int
	vararg  bool   // the function being read takes `...`
	closers []kind // the tokens that close what is open, outermost first
	whole   mark
}

// mark is a place between two statements.
type mark struct {
	at      int    // token
	closers []kind // what is open there
	// bodies are the functions that are complete in the statement that follows,
	// each from its parameters to its `end`.
	bodies [][2]int
}

func (x *explainer) tok() *token { return &x.f.tokens[x.i] }

// check raises the lexer's error when the token that could not be read is reached.
func (x *explainer) check() {
	if t := x.tok(); t.kind == tkBad {
		e := x.f.err
		panic(&complaint{code: e.code, msg: e.msg, near: cString(e.near), at: token{pos: e.pos, endLine: e.pos.Line}, line: e.line})
	}
}

func (x *explainer) next() {
	if k := x.tok().kind; k != tkEOF {
		switch k {
		case '(':
			x.closers = append(x.closers, ')')
		case '[':
			x.closers = append(x.closers, ']')
		case '{':
			x.closers = append(x.closers, '}')
		case tkIf, tkDo, tkFunction:
			x.closers = append(x.closers, tkEnd)
		case tkRepeat:
			x.closers = append(x.closers, tkUntil)
		case ')', ']', '}', tkEnd, tkUntil:
			if n := len(x.closers); n > 0 {
				x.closers = x.closers[:n-1]
			}
		}
		x.i++
		x.check()
	}
}

func (x *explainer) opt(k kind) bool {
	if x.tok().kind != k {
		return false
	}
	x.next()
	return true
}

// fail complains at the current token.
func (x *explainer) fail(code diag.Code, msg string) {
	t := x.tok()
	c := &complaint{code: code, msg: msg, near: cString(x.f.text(t)), at: *t, line: t.endLine}
	panic(c)
}

// text is the token as LuaJIT repeats it in a message: strings decoded, between
// their delimiters.
func (f *file) text(t *token) string {
	switch t.kind {
	case tkName:
		return t.str
	case tkNumber:
		return string(f.src[t.off:t.end])
	case tkString:
		open := f.src[t.off : t.off+1]
		if open[0] == '[' {
			n := 2
			for f.src[t.off+n-1] == '=' {
				n++
			}
			open = f.src[t.off : t.off+n]
		}
		return string(open) + t.str + strings.ReplaceAll(string(open), "[", "]")
	case 0:
		return "" // LuaJIT takes a NUL byte for "no token"
	}
	return t.kind.String()
}

// cString cuts at a NUL byte, as C does.
func cString(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

func (x *explainer) expected(k kind) { x.fail(diag.Syntax, fmt.Sprintf("'%s' expected", k)) }

func (x *explainer) want(k kind) {
	if !x.opt(k) {
		x.expected(k)
	}
}

// match wants the token that closes what `opener` opened on that line.
func (x *explainer) match(k, opener kind, line int) {
	switch {
	case x.opt(k):
	case line == x.tok().endLine:
		x.expected(k)
	default:
		x.fail(diag.Syntax, fmt.Sprintf("'%s' expected (to close '%s' at line %d)", k, opener, line))
	}
}

func (x *explainer) enter() {
	if x.level++; x.level >= maxLevel {
		panic(&complaint{code: diag.Nesting, msg: "chunk has too many syntax levels", at: *x.tok(), line: x.tok().endLine})
	}
}

func (x *explainer) leave() { x.level-- }

// blockEnd reports whether the current token closes a block.
func (x *explainer) blockEnd() bool {
	switch x.tok().kind {
	case tkElse, tkElseif, tkEnd, tkUntil, tkEOF:
		return true
	}
	return false
}

func (x *explainer) chunk() {
	x.enter()
	for last := false; !last && !x.blockEnd(); {
		x.between()
		last = x.stmt()
		x.opt(';')
	}
	x.between()
	x.leave()
}

// between notes that all statements up to here are whole.
func (x *explainer) between() { x.whole = mark{at: x.i, closers: slices.Clone(x.closers)} }

// stmt reads a statement; true for `return`, which must be the last one.
func (x *explainer) stmt() bool {
	line := x.tok().endLine
	switch k := x.tok().kind; k {
	case tkIf:
		x.ifStmt(line)
	case tkWhile:
		x.next()
		x.expr()
		x.want(tkDo)
		x.chunk()
		x.match(tkEnd, tkWhile, line)
	case tkDo:
		x.next()
		x.chunk()
		x.match(tkEnd, tkDo, line)
	case tkFor:
		x.forStmt(line)
	case tkRepeat:
		x.next()
		x.chunk()
		x.match(tkUntil, tkRepeat, line)
		x.expr()
	case tkFunction:
		x.funcStmt(line)
	case tkLocal:
		x.local()
	case tkReturn:
		x.next()
		if !x.blockEnd() && x.tok().kind != ';' {
			x.exprList()
		}
		return true
	case tkBreak, ';':
		x.next()
	case tkLabel:
		x.next()
		x.want(tkName)
		x.want(tkLabel)
	case tkGoto:
		x.next()
		x.want(tkName)
	default:
		x.callOrAssign()
	}
	return false
}

func (x *explainer) ifStmt(line int) {
	for clause := true; clause; clause = x.tok().kind == tkElseif {
		x.next()
		x.expr()
		x.want(tkThen)
		x.chunk()
	}
	if x.opt(tkElse) {
		x.chunk()
	}
	x.match(tkEnd, tkIf, line)
}

func (x *explainer) forStmt(line int) {
	x.next()
	x.want(tkName)
	switch x.tok().kind {
	case '=':
		x.next()
		x.expr()
		x.want(',')
		x.expr()
		if x.opt(',') {
			x.expr()
		}
	case ',', tkIn:
		for x.opt(',') {
			x.want(tkName)
		}
		x.want(tkIn)
		x.exprList()
	default:
		x.fail(diag.Syntax, "'=' or 'in' expected")
	}
	x.want(tkDo)
	x.chunk()
	x.match(tkEnd, tkFor, line)
}

func (x *explainer) funcStmt(line int) {
	x.next()
	x.want(tkName)
	for x.opt('.') {
		x.want(tkName)
	}
	if x.opt(':') {
		x.want(tkName)
	}
	x.body(line)
}

func (x *explainer) local() {
	x.next()
	if x.opt(tkFunction) {
		x.want(tkName)
		x.body(x.tok().endLine)
		return
	}
	x.want(tkName)
	for x.opt(',') {
		x.want(tkName)
	}
	if x.opt('=') {
		x.exprList()
	}
}

// body reads parameters, block and `end` of a function defined on that line.
func (x *explainer) body(line int) {
	outer, whole, start := x.vararg, x.whole, x.i
	x.vararg = false
	x.want('(')
	if x.tok().kind != ')' {
		for param := true; param; param = !x.vararg && x.opt(',') {
			switch x.tok().kind {
			case tkName:
			case tkDots:
				x.vararg = true
			default:
				x.fail(diag.Syntax, "<name> or '...' expected")
			}
			x.next()
		}
	}
	x.want(')')
	x.chunk()
	x.match(tkEnd, tkFunction, line)
	x.vararg, x.whole = outer, whole
	x.whole.bodies = append(x.whole.bodies, [2]int{start, x.i})
}

// callOrAssign reads what starts with an expression.
func (x *explainer) callOrAssign() {
	what := x.primary()
	if what == isCall {
		return
	}
	for n := 1; ; n++ {
		if what != isTarget {
			x.fail(diag.Syntax, "syntax error")
		}
		if !x.opt(',') {
			break
		}
		what = x.primary()
		if x.level+n >= maxLevel {
			x.tooManyNames()
		}
	}
	x.want('=')
	x.exprList()
}

func (x *explainer) tooManyNames() {
	panic(&complaint{
		code: diag.Limit, at: *x.tok(), line: x.tok().endLine,
		msg: fmt.Sprintf("main function has more than %d variable names", maxLevel),
	})
}

func (x *explainer) exprList() {
	x.expr()
	for x.opt(',') {
		x.expr()
	}
}

// priority is how strongly an operator binds to its left and to its right.
func priority(k kind) (left, right int) {
	switch k {
	case '+', '-':
		return 6, 6
	case '*', '/', '%':
		return 7, 7
	case '^':
		return 10, 9
	case tkConcat:
		return 5, 4
	case tkEq, tkNe, '<', '>', tkLe, tkGe:
		return 3, 3
	case tkAnd:
		return 2, 2
	case tkOr:
		return 1, 1
	}
	return 0, 0
}

const unaryPriority = 8

func (x *explainer) expr() { x.operation(0) }

// operation reads operators that bind stronger than limit.
func (x *explainer) operation(limit int) {
	x.enter()
	switch x.tok().kind {
	case tkNot, '-', '#':
		x.next()
		x.operation(unaryPriority)
	default:
		x.simple()
	}
	for {
		left, right := priority(x.tok().kind)
		if left <= limit {
			break
		}
		x.next()
		x.operation(right)
	}
	x.leave()
}

func (x *explainer) simple() {
	switch x.tok().kind {
	case tkNumber, tkString, tkNil, tkTrue, tkFalse:
		x.next()
	case tkDots:
		if !x.vararg {
			x.fail(diag.VarargOutside, "cannot use '...' outside a vararg function")
		}
		x.next()
	case '{':
		x.table()
	case tkFunction:
		x.next()
		x.body(x.tok().endLine)
	default:
		x.primary()
	}
}

// What a primary expression is, for the statement it may be.
const (
	isValue = iota
	isTarget
	isCall
)

// primary reads a name or parentheses and the suffixes after it.
func (x *explainer) primary() int {
	what := isTarget
	switch x.tok().kind {
	case '(':
		line := x.tok().endLine
		x.next()
		x.expr()
		x.match(')', '(', line)
		what = isValue
	case tkName:
		x.next()
	default:
		x.fail(diag.Syntax, "unexpected symbol")
	}
	for {
		switch x.tok().kind {
		case '.':
			x.next()
			x.want(tkName)
			what = isTarget
		case '[':
			x.next()
			x.expr()
			x.want(']')
			what = isTarget
		case ':':
			x.next()
			x.want(tkName)
			x.args()
			what = isCall
		case '(', tkString, '{':
			x.args()
			what = isCall
		default:
			return what
		}
	}
}

func (x *explainer) args() {
	line := x.tok().endLine
	switch x.tok().kind {
	case '(':
		x.next()
		if x.tok().kind != ')' {
			x.exprList()
		}
		x.match(')', '(', line)
	case '{':
		x.table()
	case tkString:
		x.next()
	default:
		x.fail(diag.Syntax, "function arguments expected")
	}
}

func (x *explainer) table() {
	line := x.tok().endLine
	x.next()
	for x.tok().kind != '}' {
		switch {
		case x.tok().kind == '[':
			x.next()
			x.expr()
			x.want(']')
			x.want('=')
		case x.tok().kind == tkName && x.lookahead() == '=':
			x.next()
			x.next()
		}
		x.expr()
		if !x.opt(',') && !x.opt(';') {
			break
		}
	}
	x.match('}', '{', line)
}

// lookahead is the kind after the current token. Reading it raises the lexer's
// error, as it does in LuaJIT.
func (x *explainer) lookahead() kind {
	x.i++
	x.check()
	x.i--
	return x.f.tokens[x.i+1].kind
}
