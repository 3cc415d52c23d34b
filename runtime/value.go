package runtime

import "math"

// GeneratedABI1 is named by generated code, so that a runtime that no longer
// speaks this version of the contract is a compile error.
const GeneratedABI1 = 1

// The constant values.
var (
	Nil   = Value{}
	True  = Value{n: tagTrue}
	False = Value{n: tagFalse}
)

// Number returns f as a Value.
func Number(f float64) Value { return Value{n: ^math.Float64bits(f)} }

// Int returns i as a Value; beyond 2^53 it rounds as Lua's numbers do.
func Int(i int) Value { return Value{n: ^math.Float64bits(float64(i))} }

// Bool returns b as a Value.
func Bool(b bool) Value {
	if b {
		return Value{n: tagTrue}
	}
	return Value{n: tagFalse}
}

// canonicalNumber returns f as a Value when its bits come from outside, where a
// NaN may carry any payload (see invariant 2 of Value).
func canonicalNumber(f float64) Value {
	if f != f {
		f = math.NaN()
	}
	return Number(f)
}

// Num returns the float of a value known to be a number.
func (v Value) Num() float64 { return math.Float64frombits(^v.n) }

// IsNil reports whether v is nil.
func (v Value) IsNil() bool { return v.n == tagNil }

// IsNumber reports whether v is a number.
func (v Value) IsNumber() bool { return v.n >= numberMin }

// IsString reports whether v is a string.
func (v Value) IsString() bool { return v.n>>48 == 1 }

// IsTable reports whether v is a table.
func (v Value) IsTable() bool { return v.n == tagTable }

// IsFunction reports whether v is a function.
func (v Value) IsFunction() bool { return v.n == tagFunction }

// IsBool reports whether v is true or false.
func (v Value) IsBool() bool { return v.n == tagTrue || v.n == tagFalse }

// IsUserdata reports whether v is a full userdata.
func (v Value) IsUserdata() bool { return v.n == tagUserdata }

// IsLight reports whether v is a light userdata.
func (v Value) IsLight() bool { return v.n == tagLight }

// IsThread reports whether v is a coroutine.
func (v Value) IsThread() bool { return v.n == tagThread }

// IsCData reports whether v is a cdata object.
func (v Value) IsCData() bool { return v.n == tagCData }

// Truthy reports whether v counts as true: everything but nil and false.
func (v Value) Truthy() bool { return v.n > tagFalse }

// BothNumbers reports whether a and b are numbers; small enough to be inlined
// in front of plain Go arithmetic on a.Num() and b.Num().
func BothNumbers(a, b Value) bool { return min(a.n, b.n) >= numberMin }

// Type is a Lua type.
type Type uint8

// The Lua types.
const (
	TypeNil Type = iota
	TypeBoolean
	TypeLightUserdata
	TypeNumber
	TypeString
	TypeTable
	TypeFunction
	TypeUserdata
	TypeThread
	TypeCData
	numTypes
)

var typeNames = [numTypes]string{
	"nil", "boolean", "userdata", "number", "string", "table", "function",
	"userdata", "thread", "cdata",
}

// tagTypes maps an n below 9 to its type.
var tagTypes = [...]Type{
	tagNil: TypeNil, tagFalse: TypeBoolean, tagTrue: TypeBoolean,
	tagTable: TypeTable, tagFunction: TypeFunction, tagUserdata: TypeUserdata,
	tagThread: TypeThread, tagLight: TypeLightUserdata, tagCData: TypeCData,
}

// Type returns v's type.
func (v Value) Type() Type {
	switch {
	case v.n >= numberMin:
		return TypeNumber
	case v.n >= tagString:
		return TypeString
	}
	return tagTypes[v.n]
}

// String returns the name of the type as Lua's type function gives it.
func (t Type) String() string { return typeNames[t] }

// TypeName returns what Lua's type function gives for v.
func TypeName(v Value) string { return typeNames[v.Type()] }

// Userdata is a full userdata: a Go value with a metatable of its own.
type Userdata struct {
	Data any
	Meta *Table

	UserValue *Table // debug.setuservalue; nil stands for the globals
}

// NewUserdata returns a userdata for data with the metatable meta, which may be nil.
func NewUserdata(data any, meta *Table) Value {
	return UserdataValue(&Userdata{Data: data, Meta: meta})
}
