package ir

// Code names an operation of Op.
type Code uint8

// The operations. A suffix F, I or B says that the operands are known to be
// float64, int or bool; without one they are values and may raise an error.
const (
	Add Code = iota
	Sub
	Mul
	Div
	Mod
	Pow
	Unm
	AddF
	SubF
	MulF
	DivF
	ModF
	PowF
	NegF
	AddI
	SubI
	MulI
	ModI
	NegI
	Concat
	Len
	Eq
	Lt
	Le
	Gt
	Ge
	EqF
	NeF
	LtF
	LeF
	GtF
	GeF
	EqI
	NeI
	LtI
	LeI
	GtI
	GeI
	EqB
	NeB
	EqString
	EqNumber
	RawEq
	IsNil
	Truthy
	BoxF
	BoxI
	BoxB
	Num
	IntToFloat
	FloatToInt
	And
	Or
	Index
	IndexInt
	IndexNum
	Field
	Global
	SetIndex
	SetIndexInt
	SetIndexNum
	SetField
	SetGlobal
	Append
	SetList
	ForNum
	ForLimitUp
	ForLimitDown
	ForStep
	Arg
	ArgAt
	codes
)

// OpInfo describes an operation: the runtime function behind it, or the Go
// operator.
type OpInfo struct {
	Name   string
	Infix  string // Go operator; Name is then only for the dump
	Args   []Type
	Result Type
	Thread bool // the thread comes first
	Env    bool // then the chunk's globals
	Site   bool // the site follows the operands, or the first of them if there are two
	Where  bool // the operand names come last
	Method bool // a method of the first operand
}

// Raises reports whether the operation can raise a Lua error.
func (o *OpInfo) Raises() bool { return o.Thread }

var (
	v1   = []Type{Value}
	v2   = []Type{Value, Value}
	v3   = []Type{Value, Value, Value}
	f1   = []Type{Float}
	f2   = []Type{Float, Float}
	i2   = []Type{Int, Int}
	b2   = []Type{Bool, Bool}
	_vif = []Type{Value, Int, Value}
)

func dyn(name string, args []Type, result Type, where bool) OpInfo {
	return OpInfo{Name: name, Args: args, Result: result, Thread: true, Where: where}
}

func infix(name, op string, args []Type, result Type) OpInfo {
	return OpInfo{Name: name, Infix: op, Args: args, Result: result}
}

// Ops describes every operation.
var Ops = [codes]OpInfo{
	Add: dyn("Add", v2, Value, true),
	Sub: dyn("Sub", v2, Value, true),
	Mul: dyn("Mul", v2, Value, true),
	Div: dyn("Div", v2, Value, true),
	Mod: dyn("Mod", v2, Value, true),
	Pow: dyn("Pow", v2, Value, true),
	Unm: dyn("Unm", v1, Value, true),

	AddF: infix("AddF", "+", f2, Float),
	SubF: infix("SubF", "-", f2, Float),
	MulF: infix("MulF", "*", f2, Float),
	DivF: infix("DivF", "/", f2, Float),
	ModF: {Name: "ModFloat", Args: f2, Result: Float},
	PowF: {Name: "PowFloat", Args: f2, Result: Float},
	NegF: infix("NegF", "-", f1, Float),
	AddI: infix("AddI", "+", i2, Int),
	SubI: infix("SubI", "-", i2, Int),
	MulI: infix("MulI", "*", i2, Int),
	ModI: {Name: "ModInt", Args: i2, Result: Int},
	NegI: infix("NegI", "-", []Type{Int}, Int),

	Concat: dyn("Concat", v2, Value, true), // more than two operands: ConcatN
	Len:    dyn("Len", v1, Value, true),

	Eq: dyn("Eq", v2, Bool, false),
	Lt: dyn("Lt", v2, Bool, false),
	Le: dyn("Le", v2, Bool, false),
	Gt: dyn("Gt", v2, Bool, false),
	Ge: dyn("Ge", v2, Bool, false),

	EqF: infix("EqF", "==", f2, Bool),
	NeF: infix("NeF", "!=", f2, Bool),
	LtF: infix("LtF", "<", f2, Bool),
	LeF: infix("LeF", "<=", f2, Bool),
	GtF: infix("GtF", ">", f2, Bool),
	GeF: infix("GeF", ">=", f2, Bool),
	EqI: infix("EqI", "==", i2, Bool),
	NeI: infix("NeI", "!=", i2, Bool),
	LtI: infix("LtI", "<", i2, Bool),
	LeI: infix("LeI", "<=", i2, Bool),
	GtI: infix("GtI", ">", i2, Bool),
	GeI: infix("GeI", ">=", i2, Bool),
	EqB: infix("EqB", "==", b2, Bool),
	NeB: infix("NeB", "!=", b2, Bool),

	EqString: {Name: "EqString", Args: v2, Result: Bool}, // the second operand is a constant
	EqNumber: {Name: "EqNumber", Args: []Type{Value, Float}, Result: Bool},
	RawEq:    {Name: "RawEq", Args: v2, Result: Bool},
	IsNil:    {Name: "IsNil", Args: v1, Result: Bool, Method: true},
	Truthy:   {Name: "Truthy", Args: v1, Result: Bool, Method: true},

	BoxF:       {Name: "Number", Args: f1, Result: Value},
	BoxI:       {Name: "Int", Args: []Type{Int}, Result: Value},
	BoxB:       {Name: "Bool", Args: []Type{Bool}, Result: Value},
	Num:        {Name: "Num", Args: v1, Result: Float, Method: true},
	IntToFloat: {Name: "float64", Args: []Type{Int}, Result: Float},
	FloatToInt: {Name: "int", Args: f1, Result: Int}, // of a value known to be an integer
	And:        {Name: "And", Args: v2, Result: Value},
	Or:         {Name: "Or", Args: v2, Result: Value},

	Index:       dyn("Index", v2, Value, true),
	IndexInt:    dyn("IndexInt", []Type{Value, Int}, Value, true),
	IndexNum:    dyn("IndexNum", []Type{Value, Float}, Value, true),
	Field:       {Name: "Field", Args: v1, Result: Value, Thread: true, Site: true, Where: true},
	Global:      {Name: "Global", Result: Value, Thread: true, Env: true, Site: true},
	SetIndex:    dyn("SetIndex", v3, Void, true),
	SetIndexInt: dyn("SetIndexInt", _vif, Void, true),
	SetIndexNum: dyn("SetIndexNum", []Type{Value, Float, Value}, Void, true),
	SetField:    {Name: "SetField", Args: v2, Result: Void, Thread: true, Site: true, Where: true},
	SetGlobal:   {Name: "SetGlobal", Args: v1, Result: Void, Thread: true, Env: true, Site: true},
	Append:      {Name: "Append", Args: v2, Result: Void, Thread: true, Where: true},
	SetList:     {Name: "SetList", Args: []Type{Value, Int, List}, Result: Void},

	ForNum:       {Name: "ForNum", Args: v1, Result: Float, Thread: true, Where: true}, // Where: initial value, limit or step
	ForLimitUp:   {Name: "ForLimitUp", Args: f1, Result: Int},
	ForLimitDown: {Name: "ForLimitDown", Args: f1, Result: Int},
	ForStep:      {Name: "ForStep", Args: []Type{Float, Float, Float}, Result: Bool},

	Arg:   {Name: "Extra", Args: i2, Result: Value, Thread: true}, // a parameter beyond the third
	ArgAt: {Name: "ArgAt", Args: []Type{List, Int}, Result: Value},
}
