// Package ast is the syntax tree that the compiler works on: Lua's grammar
// with exact positions, and with every name bound once package resolve has
// run. Package syntax builds it from the parser's tree and the token stream.
package ast

// Pos is a place in a chunk: line and column count from 1, column in bytes.
// The zero Pos is unknown.
type Pos struct{ Line, Col int }

// Chunk is a parsed compilation unit: the main function, vararg, no parameters.
type Chunk struct {
	Main     *Func
	Comments []Comment
}

// Comment is one comment of the source, without its "--".
type Comment struct {
	Pos  Pos
	End  Pos
	Text string
	// Own is set when nothing but white space precedes it on its line.
	Own bool
}

// Func is a function body: the main function of a chunk or a function expression.
type Func struct {
	Pos Pos // the word `function`
	End Pos // the word `end`
	// Line is LuaJIT's "line defined"; 0 for the main function.
	Line     int
	Params   []*Local
	IsVararg bool
	// Method is set for `function a:m()`; Params[0] is then the implicit self.
	Method bool
	// Name is what the function is defined as or assigned to ("f", "M.f",
	// "M:f", a table field's name), or "".
	Name string
	Body *Block

	// Set by resolve.
	Parent      *Func
	Upvalues    []*Local // locals of enclosing functions used in this one or deeper, in order of first use
	UsesVararg  bool
	HasCall     bool // contains a call (so it can recurse)
	Locals      []*Local
	Funcs       []*Func // functions directly inside
	Binding     *Local  // the never-reassigned local that holds this function, or nil
	WritesGlob  bool    // assigns a global, here or deeper
	ChangesEnv  bool    // mentions module, setfenv or getfenv, here or deeper
	HasBackGoto bool
}

// Block is a sequence of statements with its own scope.
type Block struct {
	Stmts []Stmt
	End   Pos
}

// Local is one local variable: a parameter, a `local`, a loop variable.
type Local struct {
	Name string
	Pos  Pos
	Kind LocalKind
	// NextLine is the line of the token after the name, where LuaJIT stands
	// when it counts the local against its limit.
	NextLine int

	// Set by resolve.
	Func       *Func  // the function that declares it
	Assigned   int    // assignments after its declaration
	Captured   bool   // used by an inner function
	Uses       int    // reads
	Init       Expr   // the expression its declaration gives it (a call's first result when it is open), nil if there is none
	Block      *Block // the block that declares it; nil for parameters and loop variables
	FuncValue  *Func  // the function it holds for its whole life: declared with it, or declared empty and assigned once before any use
	LateFunc   *Func  // declared empty, and its only assignment gives it this function; uses may come before, and then see nil
	LateFirst  bool   // the assignment of LateFunc stands in Block, with no use before it
	OnlyCalled bool   // FuncValue is set and every use is a call's callee
	Calls      []*Call
	DeclDepth  int // loop depth of the declaration inside Func
}

// LocalKind says what declared a Local.
type LocalKind uint8

const (
	LocalVar LocalKind = iota
	LocalFunc
	Param
	ForVar
	SelfParam
)

// Stmt is a statement.
type Stmt interface{ StmtPos() Pos }

// Expr is an expression.
type Expr interface{ ExprPos() Pos }

// S and E carry the position of a statement and of an expression.
type S struct{ Pos Pos }
type E struct{ Pos Pos }

func (s S) StmtPos() Pos { return s.Pos }
func (e E) ExprPos() Pos { return e.Pos }

type (
	// LocalStmt is `local a, b = e1, e2`.
	LocalStmt struct {
		S
		Locals []*Local
		Exprs  []Expr
	}
	// LocalFuncStmt is `local function f() end`: f is in scope inside.
	LocalFuncStmt struct {
		S
		Local *Local
		Func  *FuncExpr
	}
	// AssignStmt is `a, b.c = e1, e2`; also `function a.b:c()` with one FuncExpr.
	AssignStmt struct {
		S
		Targets []Expr // *Name, *Index
		Exprs   []Expr
		// FuncStmt is set for the `function name()` form.
		FuncStmt bool
	}
	// CallStmt is a call for its effects.
	CallStmt struct {
		S
		Call *Call
	}
	DoStmt struct {
		S
		Body *Block
	}
	WhileStmt struct {
		S
		Cond Expr
		Body *Block
	}
	RepeatStmt struct {
		S
		Body *Block
		Cond Expr // sees the body's locals
	}
	// IfStmt has one Cond a clause; Else may be nil.
	IfStmt struct {
		S
		Clauses []IfClause
		Else    *Block
	}
	IfClause struct {
		Pos  Pos
		Cond Expr
		Body *Block
	}
	NumForStmt struct {
		S
		Var               *Local
		Line              int  // of `do`: where LuaJIT reports a bound that is no number
		Start, Stop, Step Expr // Step may be nil
		Body              *Block
	}
	GenForStmt struct {
		S
		Vars  []*Local
		Exprs []Expr
		Line  int // of the first token after `in`: where LuaJIT reports an iterator that cannot be called
		Body  *Block
	}
	ReturnStmt struct {
		S
		Exprs []Expr
	}
	BreakStmt struct {
		S
		Target Stmt // the loop it leaves, set by resolve
	}
	GotoStmt struct {
		S
		Label    string
		LabelPos Pos
		Target   *LabelStmt // set by resolve
	}
	LabelStmt struct {
		S
		Name    string
		NamePos Pos
		EndLine int // of the closing `::`
		// Set by resolve.
		Gotos []*GotoStmt
		Block *Block // the block it stands in
		Last  bool   // only labels and nothing else follow it in Block (a goto to it leaves the block's rest)
		Loop  Stmt   // the loop whose body Block is, or nil
	}
)

type (
	NilExpr    struct{ E }
	TrueExpr   struct{ E }
	FalseExpr  struct{ E }
	VarargExpr struct {
		E
		Paren bool // (...): adjusted to one value
	}
	// NumberExpr is a double. Cdata numbers (1LL, 1ULL, 2i) have Suffix set.
	NumberExpr struct {
		E
		Value  float64
		Bits   uint64 // value of 1LL and 1ULL
		Suffix string // "", "LL", "ULL", "i"
	}
	StringExpr struct {
		E
		Value string
	}
	// Name is a use of a variable.
	Name struct {
		E
		Name string
		// Set by resolve: Local nil means a global.
		Local   *Local
		Upvalue bool // Local belongs to an enclosing function
	}
	// Index is t[k] or t.k (Key is then a *StringExpr and Dot is set).
	Index struct {
		E
		Obj, Key Expr
		Dot      bool
		OpPos    Pos // the `.` or `[`
		Line     int // the line LuaJIT reports when the access (read or store) fails
	}
	// Call is f(args), f"s", f{t} or obj:Method(args).
	Call struct {
		E
		Fn     Expr // nil for a method call
		Obj    Expr // nil for a plain call
		Method string
		MPos   Pos // of the method name: its line is the one LuaJIT reports when the method lookup fails
		Args   []Expr
		Paren  bool // (f()): adjusted to one value
		OpPos  Pos  // the `(`, string or table that starts the arguments: the line LuaJIT reports. Col 0: only the line is known
	}
	FuncExpr struct {
		E
		Func *Func
	}
	// Binary is an arithmetic, comparison or concatenation operator: + - * / % ^ .. == ~= < <= > >=.
	Binary struct {
		E
		Op    string
		OpPos Pos
		L, R  Expr
		Line  int // the line LuaJIT reports when the operation fails
	}
	// Logical is `and` or `or`.
	Logical struct {
		E
		Op    string
		OpPos Pos
		L, R  Expr
	}
	// Unary is "-", "not" or "#".
	Unary struct {
		E
		Op   string
		X    Expr
		Line int // the line LuaJIT reports when the operation fails
	}
	// Table is a constructor. Field.Key nil: an array item.
	Table struct {
		E
		End    Pos
		Fields []Field
	}
	Field struct {
		Pos   Pos
		Key   Expr
		Value Expr
		Line  int // the line LuaJIT reports for a key that is nil or NaN
	}
)

// IsOpen reports whether e can yield any number of values in last position.
func IsOpen(e Expr) bool {
	switch e := e.(type) {
	case *Call:
		return !e.Paren
	case *VarargExpr:
		return !e.Paren
	}
	return false
}
