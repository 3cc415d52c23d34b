// Package ir is the compiler's intermediate form: a chunk as Go-shaped
// statements and typed expressions, with every decision already taken. An
// addition of two known numbers and one of two unknown values are different
// operations, a call says whether it goes to a Go function directly, and each
// variable has its final Go name and representation. Package emit prints it as
// Go; an evaluator can walk the same tree.
package ir

// Type is the representation of a value in generated code.
type Type uint8

// The representations. Void is no value; Multi is what an open call yields (a
// first value and a count); List is a slice of values.
const (
	Void Type = iota
	Value
	Float
	Int
	Bool
	Multi
	List
)

var typeNames = [...]string{"void", "value", "float", "int", "bool", "multi", "list"}

func (t Type) String() string { return typeNames[t] }

// Chunk is one compiled source.
type Chunk struct {
	Name   string  // exported Go name of the main function
	Prefix string  // what every other package-level name of the chunk starts with
	Main   *Func   // the chunk's body
	Lifted []*Func // local functions that became top-level Go functions, in source order
	Sites  []*Site
	Shapes []*Shape
	Datas  []*Data
	Protos []*Proto
	Doc    []string // comment lines that stand at the top of the source

	// Globals: it writes global variables, or may do so by _G, setfenv or module.
	Globals bool

	reads map[*Var]int // what CountReads counted last
}

// Names lists the package-level Go names of the chunk.
func (c *Chunk) Names() []string {
	names := []string{c.Name, c.Prefix + "Site", c.Prefix + "Proto", c.Prefix + "Chunk"}
	for _, f := range c.Lifted {
		names = append(names, f.Name)
	}
	for _, s := range c.Shapes {
		names = append(names, s.Name)
	}
	for _, d := range c.Datas {
		names = append(names, d.Name)
	}
	return names
}

// Site is one inline cache: a constant key and where the generated code keeps
// what it learnt about the tables it met.
type Site struct{ Name, Key string }

// Shape is the ordered key list of a record constructor.
type Shape struct {
	Name string
	Keys []string
}

// Data is a table constructor made of constants only.
type Data struct {
	Name string
	Rows []any // key, value, ...; see rt.BuildTable
}

// Proto describes one Lua function at run time.
type Proto struct {
	Name           string // Go field name
	Lua            string // what the script calls it
	Line, LastLine int
	Params         int
	Vararg         bool
}

// FuncKind is how a function is called.
type FuncKind uint8

// Dynamic functions are Lua values with the uniform signature. Static ones are
// reached by direct calls only and have exact parameters and results; Lifted
// ones are static and need no closure.
const (
	Main FuncKind = iota
	Dynamic
	Static
	Lifted
)

// Func is a function body.
type Func struct {
	Kind  FuncKind
	Name  string // Go name of a static or lifted function
	Proto *Proto
	// Params are all parameters. A dynamic function gets the first three in its
	// signature (Sig, nil where unused) and the others by Arg in its body.
	Params  []*Var
	Sig     [3]*Var
	Count   *Var   // the number of arguments, or nil
	Args    *Var   // the varargs, or nil
	Results []Type // of a static function; Multi alone when the count varies
	// Marker is set when a call may return the tail-call marker.
	Marker bool
	// UsesEnv is set when the function or one inside it needs the chunk's globals.
	UsesEnv bool
	// OwnEnv is set for dynamic functions of a chunk that calls setfenv and its
	// like: each closure has an environment of its own.
	OwnEnv bool
	// Weight is what the function adds to the depth count; 0 when its callers count.
	Weight    int
	Recursive bool // a static function that refers to itself, here or deeper
	Calls     int  // direct calls, set by CountReads
	Callees   []Callee
	Line      int
	Doc       []string
	Body      []Stmt
}

// Callee is what a function calls at a line: tracebacks name functions by their call.
type Callee struct {
	Line  int
	Where string // as in messages: "local f", "method m", "" for an expression without a name
	Tail  bool   // the call is all of a return statement
}

// Var is a Go variable.
type Var struct {
	Name string
	Type Type
	Lua  string // the script's name, "" for one the compiler made
	// Unstable variables may change while an expression is evaluated: a
	// closure assigns them.
	Unstable bool
	Fixed    bool // never assigned again
	Reads    int  // set by CountReads
}

// Expr is an expression without statements inside, function bodies apart.
type Expr interface{ Type() Type }

type (
	// Const is a constant: nil, bool, float64, int, string (a Lua string),
	// Int64, Uint64 or Imaginary.
	Const struct{ V any }
	// Ref reads a variable.
	Ref struct{ Var *Var }
	// Op is an operation of the table in op.go.
	Op struct {
		Code  Code
		Args  []Expr
		Site  *Site
		Where string // names of the operands for the error text
		Line  int    // position of an error, 0 when it cannot raise
	}
	// Not and Logic work on conditions; Logic evaluates R only if it must.
	Not   struct{ X Expr }
	Logic struct {
		And  bool
		L, R Expr
	}
	// Call is a call of a Lua value: Fn, or method Site of Obj.
	Call struct {
		Fn, Obj Expr
		Site    *Site
		Args    []Expr
		Open    Expr // a List that follows Args, or nil
		Where   string
		Line    int
		Tail    bool
		Yield   bool // Fn is likely coroutine.yield; the runtime looks
	}
	// StaticCall calls a Go function made from a local function.
	StaticCall struct {
		Func *Func
		Args []Expr
		Line int
	}
	// First is the first value of a Multi.
	First struct{ X Expr }
	// Finish completes a Multi that may be the tail-call marker.
	Finish struct {
		X    Expr
		Line int
	}
	// Result is the I-th further value of the call whose count is in N.
	Result struct {
		N *Var
		I int
	}
	// Pair is a Multi that was put into variables.
	Pair struct{ V, N *Var }
	// IterValue is the I-th value (from 0) of the round of a generic for.
	IterValue struct {
		Iter *Var
		I    int
	}
	// Join is a List: the fixed values, then those of Open (Multi or List, may be nil).
	Join struct {
		Fixed []Expr
		Open  Expr
	}
	// Closure makes a Lua function.
	Closure struct{ Func *Func }
	// NewTable is an empty table with parts for so many items, and with the fields of
	// Shape, if set, still nil.
	NewTable struct {
		Array, Record int
		Shape         *Shape
	}
	// NewRecord is a table of constant string keys.
	NewRecord struct {
		Shape *Shape
		Vals  []Expr
		Line  int
		Tall  bool // the script gives it several lines, from Line on
	}
	// NewArray is a table of positional items, the last of them open (a List) if Open is set.
	NewArray struct {
		Vals []Expr
		Open Expr
		Size int // of the array part, 0 where it follows from the number of items
		Line int
		Tall bool
	}
	// NewData is a table from constant data.
	NewData struct{ Data *Data }
	// Select is select(Index, ...) on the function's own varargs; Index nil: select("#", ...).
	Select struct {
		Fn    Expr // the current value of the global
		Index Expr
		Args  *Var
		Line  int
	}
	// EnvCall is getfenv(1), or setfenv(1, Table) if Table is set: it concerns
	// the running function.
	EnvCall struct {
		Fn    Expr // the current value of the global
		Table Expr
		Line  int
	}
)

// Int64, Uint64 and Imaginary are the cdata constants 1LL, 1ULL and 1i.
type (
	Int64     int64
	Uint64    uint64
	Imaginary float64
)

// Type reports the representation of the constant.
func (c *Const) Type() Type {
	switch c.V.(type) {
	case bool:
		return Bool
	case float64:
		return Float
	case int:
		return Int
	}
	return Value
}

// The representations of the other expressions.
func (r *Ref) Type() Type     { return r.Var.Type }
func (o *Op) Type() Type      { return Ops[o.Code].Result }
func (*Not) Type() Type       { return Bool }
func (*Logic) Type() Type     { return Bool }
func (*Call) Type() Type      { return Multi }
func (*First) Type() Type     { return Value }
func (*Finish) Type() Type    { return Multi }
func (*Pair) Type() Type      { return Multi }
func (*Result) Type() Type    { return Value }
func (*IterValue) Type() Type { return Value }
func (*Join) Type() Type      { return List }
func (*Closure) Type() Type   { return Value }
func (*NewTable) Type() Type  { return Value }
func (*NewRecord) Type() Type { return Value }
func (*NewArray) Type() Type  { return Value }
func (*NewData) Type() Type   { return Value }
func (*EnvCall) Type() Type   { return Multi }
func (s *Select) Type() Type  { return Multi }
func (c *StaticCall) Type() Type {
	if len(c.Func.Results) == 1 {
		return c.Func.Results[0]
	}
	return Void
}

// DefineMode says which half of a function's definition a DefineFunc is.
type DefineMode uint8

// Whole declares and assigns at once.
const (
	Whole DefineMode = iota
	DeclareOnly
	AssignOnly
)

// Stmt is a statement.
type Stmt interface{ stmt() }

type (
	// Define declares variables and gives them values: an expression each, or
	// one call that yields them all. A nil variable drops its value.
	Define struct {
		Vars []*Var
		X    []Expr
		Line int
	}
	// Declare declares variables that start as the zero value (nil).
	Declare struct{ Vars []*Var }
	// Assign is Define for declared variables.
	Assign struct {
		Vars []*Var
		X    []Expr
		Line int
	}
	// Do evaluates X for its effects.
	Do struct {
		X    Expr
		Line int
	}
	// DefineFunc declares a static function as a Go closure; one that is
	// declared before it is assigned takes two of them.
	DefineFunc struct {
		Func *Func
		Mode DefineMode
	}
	// If is a conditional; an Else of a single If prints as else if.
	If struct {
		Cond       Expr
		Then, Else []Stmt
		Line       int
	}
	// For is a Go for statement; every part may be absent.
	For struct {
		Label      string
		Init, Post Stmt
		Cond       Expr
		Body       []Stmt
		Line       int
	}
	// ForIn is a generic for over the iterator triple X.
	ForIn struct {
		Label string
		Iter  *Var
		X     []Expr // the three values, or one Multi that yields them
		Vars  []*Var // nil where unused
		Body  []Stmt
		Line  int
	}
	// Poll lets a loop be stopped from outside.
	Poll struct{}
	// Block is a scope of its own.
	Block    struct{ Body []Stmt }
	Break    struct{ Label string }
	Continue struct{ Label string }
	Goto     struct{ Label string }
	Label    struct{ Name string }
	// Return leaves the function. X holds a Multi alone, or the values.
	Return struct {
		X    []Expr
		Line int
	}
	// ReturnList returns the values of a List.
	ReturnList struct {
		X    Expr
		Line int
	}
	// Leave gives back what the function added to the depth count.
	Leave struct{ Weight int }
	// Comment is a comment of the script; Trail puts it behind the statement before it.
	Comment struct {
		Text  string
		Trail bool
	}
	// Blank is an empty line of the script.
	Blank struct{}
)

func (*Define) stmt()     {}
func (*Declare) stmt()    {}
func (*Assign) stmt()     {}
func (*Do) stmt()         {}
func (*DefineFunc) stmt() {}
func (*If) stmt()         {}
func (*For) stmt()        {}
func (*ForIn) stmt()      {}
func (*Poll) stmt()       {}
func (*Block) stmt()      {}
func (*Break) stmt()      {}
func (*Continue) stmt()   {}
func (*Goto) stmt()       {}
func (*Label) stmt()      {}
func (*Return) stmt()     {}
func (*ReturnList) stmt() {}
func (*Leave) stmt()      {}
func (*Comment) stmt()    {}
func (*Blank) stmt()      {}
