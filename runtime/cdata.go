package runtime

import (
	"strconv"
	"sync/atomic"
)

// CData is a value of the ffi: a 64-bit integer, which the literals 1LL and 1ULL
// give, or an opaque pointer.
type CData struct {
	Unsigned bool
	Bits     uint64
	Object   any // what an opaque pointer stands for; nil for integers
	Struct   *Struct
}

// Struct is a C type with a metatable (ffi.metatype).
type Struct struct {
	Name string // "struct proc"
	Meta *Table
}

// NewStruct returns an object of a C type: its Meta has the methods.
func NewStruct(s *Struct, object any) Value {
	v := Opaque(object)
	v.CData().Struct = s
	return v
}

// opaques counts opaque pointers: their Bits are addresses that nothing else has.
var opaques atomic.Uint64

// Opaque returns a pointer (void *) that scripts can only hand around, for object.
func Opaque(object any) Value {
	return CDataValue(&CData{Bits: 1<<46 | opaques.Add(1)<<4, Object: object})
}

// Int64 returns a signed cdata integer.
func Int64(i int64) Value { return CDataValue(&CData{Bits: uint64(i)}) }

// Uint64 returns an unsigned cdata integer.
func Uint64(u uint64) Value { return CDataValue(&CData{Unsigned: true, Bits: u}) }

// TypeName returns the C type.
func (c *CData) TypeName() string {
	if c.Struct != nil {
		return c.Struct.Name
	}
	if c.Object != nil {
		return "void *"
	}
	if c.Unsigned {
		return "uint64_t"
	}
	return "int64_t"
}

// String returns the value as tostring prints it.
func (c *CData) String() string {
	if c.Object != nil {
		return "cdata<" + c.TypeName() + ">: 0x" + strconv.FormatUint(c.Bits, 16)
	}
	if c.Unsigned {
		return strconv.FormatUint(c.Bits, 10) + "ULL"
	}
	return strconv.FormatInt(int64(c.Bits), 10) + "LL"
}

// Float returns the integer as a number.
func (c *CData) Float() float64 {
	if c.Unsigned {
		return float64(c.Bits)
	}
	return float64(int64(c.Bits))
}

// cdataOperand converts an operand of 64-bit arithmetic.
func cdataOperand(v Value) (c CData, ok bool) {
	switch {
	case v.n == tagCData && v.CData().Object == nil:
		return *v.CData(), true
	case v.n >= numberMin:
		f := v.Num()
		if f >= 1<<63 {
			return CData{Bits: uint64(f)}, true
		}
		return CData{Bits: uint64(floatInt(f))}, true
	}
	return CData{}, false
}

// arithCData does arithmetic on 64-bit integers: unsigned when an operand is.
func (th *Thread) arithCData(ev event, a, b Value) (Value, bool) {
	x, okA := cdataOperand(a)
	y, okB := cdataOperand(b)
	if !okA || !okB {
		if th.metamethod(a, ev).n == tagNil && th.metamethod(b, ev).n == tagNil {
			th.runtimeError("attempt to perform arithmetic on '%s' and '%s'", cTypeName(a), cTypeName(b))
		}
		return Nil, false
	}
	r := CData{Unsigned: x.Unsigned || y.Unsigned}
	switch ev {
	case evAdd:
		r.Bits = x.Bits + y.Bits
	case evSub:
		r.Bits = x.Bits - y.Bits
	case evMul:
		r.Bits = x.Bits * y.Bits
	case evUnm:
		r.Bits = -x.Bits
	case evPow:
		r.Bits = powInt(x.Bits, y.Bits, r.Unsigned)
	default:
		r.Bits = divInt(ev == evMod, x.Bits, y.Bits, r.Unsigned)
	}
	return CDataValue(&r), true
}

// divInt is C's 64-bit division or remainder; LuaJIT gives 2^63 for a zero divisor.
func divInt(mod bool, x, y uint64, unsigned bool) uint64 {
	switch {
	case y == 0:
		return 1 << 63
	case unsigned && mod:
		return x % y
	case unsigned:
		return x / y
	case mod:
		return uint64(int64(x) % int64(y))
	}
	return uint64(int64(x) / int64(y))
}

func powInt(x, y uint64, unsigned bool) uint64 {
	if !unsigned && int64(y) < 0 {
		switch int64(x) {
		case 1:
			return 1
		case -1:
			if y&1 == 1 {
				return ^uint64(0)
			}
			return 1
		case 0:
			return 1<<63 - 1
		}
		return 0
	}
	r := uint64(1)
	for ; y != 0; y >>= 1 {
		if y&1 == 1 {
			r *= x
		}
		x *= x
	}
	return r
}

func cTypeName(v Value) string {
	if v.n == tagCData {
		return v.CData().TypeName()
	}
	return TypeName(v)
}

// eqCData compares where an operand is a 64-bit integer.
func eqCData(a, b Value) bool {
	x, okA := cdataOperand(a)
	y, okB := cdataOperand(b)
	return okA && okB && x.Bits == y.Bits
}

//go:noinline
func eqCDataNumber(a Value, f float64) bool { return eqCData(a, Number(f)) }

// lessCData orders 64-bit integers; ok is false when an operand is not a number.
func (th *Thread) lessCData(ev event, a, b Value) (less, ok bool) {
	x, okA := cdataOperand(a)
	y, okB := cdataOperand(b)
	if !okA || !okB {
		return false, false
	}
	switch {
	case x.Bits == y.Bits:
		return ev == evLe, true
	case x.Unsigned || y.Unsigned:
		return x.Bits < y.Bits, true
	}
	return int64(x.Bits) < int64(y.Bits), true
}
