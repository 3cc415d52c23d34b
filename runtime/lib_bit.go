package runtime

import (
	"math"
	"math/bits"
	"strconv"
)

var bitBuiltins = []builtin{
	{"arshift", bitArshift},
	{"band", bitBand},
	{"bnot", bitBnot},
	{"bor", bitBor},
	{"bswap", bitBswap},
	{"bxor", bitBxor},
	{"lshift", bitLshift},
	{"rol", bitRol},
	{"ror", bitRor},
	{"rshift", bitRshift},
	{"tobit", bitTobit},
	{"tohex", bitTohex},
}

func openBit(st *State) {
	t := NewTable(0, len(bitBuiltins))
	t.addBuiltins(bitBuiltins)
	st.addLib("bit", t)
}

// toBit normalises a number to 32 bits as LuaJIT does: the bits of the number,
// rounded to the nearest whole number, modulo 2^32.
func toBit(f float64) uint32 {
	if i := int32(f); float64(i) == f {
		return uint32(i)
	}
	if f != f {
		return 0
	}
	// Adding 1.5 * 2^52 leaves the rounded number in the low bits of the mantissa.
	return uint32(math.Float64bits(f + (1<<52 + 1<<51)))
}

func bitValue(u uint32) Value { return Number(float64(int32(u))) }

// bitArg returns argument i of a bit function, v, when it is not a plain number.
func (th *Thread) bitArg(n, i int, v Value) uint32 {
	if v.IsNumber() {
		return toBit(v.Num())
	}
	args := make([]Value, max(n, i+1))
	args[i] = v
	return toBit(th.CheckNumber(args[:n], i))
}

func bitTobit(th *Thread, n int, a, _, _ Value) (Value, int) {
	if c, ok := cdataBits(a); ok {
		return bitValue(uint32(c)), 1
	}
	return bitValue(th.bitArg(n, 0, a)), 1
}

func bitBnot(th *Thread, n int, a, _, _ Value) (Value, int) {
	if c, ok := cdataBits(a); ok {
		return sameCData(a, ^c), 1
	}
	return bitValue(^th.bitArg(n, 0, a)), 1
}

func bitBswap(th *Thread, n int, a, _, _ Value) (Value, int) {
	if c, ok := cdataBits(a); ok {
		return sameCData(a, bits.ReverseBytes64(c)), 1
	}
	return bitValue(bits.ReverseBytes32(th.bitArg(n, 0, a))), 1
}

// sameCData returns a 64-bit integer of the type of like.
func sameCData(like Value, b uint64) Value {
	if like.CData().Unsigned {
		return Uint64(b)
	}
	return Int64(int64(b))
}

func bitBand(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 2 && a.IsNumber() && b.IsNumber() {
		return bitValue(toBit(a.Num()) & toBit(b.Num())), 1
	}
	return th.bitFold(n, a, b, c, func(x, y uint64) uint64 { return x & y }), 1
}

func bitBor(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 2 && a.IsNumber() && b.IsNumber() {
		return bitValue(toBit(a.Num()) | toBit(b.Num())), 1
	}
	return th.bitFold(n, a, b, c, func(x, y uint64) uint64 { return x | y }), 1
}

func bitBxor(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 2 && a.IsNumber() && b.IsNumber() {
		return bitValue(toBit(a.Num()) ^ toBit(b.Num())), 1
	}
	return th.bitFold(n, a, b, c, func(x, y uint64) uint64 { return x ^ y }), 1
}

// bitFold combines all arguments: as 64-bit integers when one of them is such.
func (th *Thread) bitFold(n int, a, b, c Value, op func(x, y uint64) uint64) Value {
	args := th.argList(n, a, b, c)
	th.checkBits(args, 0)
	var wide Value
	for _, v := range args {
		if v.IsCData() && (wide.IsNil() || v.CData().Unsigned) {
			wide = v
		}
	}
	var r uint64
	for i, v := range args {
		x, ok := cdataBits(v)
		switch {
		case ok:
		case !wide.IsNil():
			x = truncUint64(th.CheckNumber(args, i))
		default:
			x = uint64(toBit(th.CheckNumber(args, i)))
		}
		if i == 0 {
			r = x
		} else {
			r = op(r, x)
		}
	}
	if !wide.IsNil() {
		return sameCData(wide, r)
	}
	return bitValue(uint32(r))
}

// checkBits checks that argument i is a number or a 64-bit integer.
func (th *Thread) checkBits(args []Value, i int) {
	if i < len(args) && args[i].IsCData() {
		return
	}
	th.CheckNumber(args, i)
}

// bitShift applies a shift or rotation to a number or a 64-bit integer.
func (th *Thread) bitShift(n int, a, b Value, narrow func(uint32, uint) uint32, wide func(uint64, uint) uint64) (Value, int) {
	if a.IsNumber() && b.IsNumber() {
		return bitValue(narrow(toBit(a.Num()), uint(toBit(b.Num())&31))), 1
	}
	args := th.argList(min(n, 2), a, b, Nil)
	if x, ok := cdataBits(a); ok {
		return sameCData(a, wide(x, uint(th.shiftCount(args)&63))), 1
	}
	x := toBit(th.CheckNumber(args, 0))
	return bitValue(narrow(x, uint(th.shiftCount(args)&31))), 1
}

func (th *Thread) shiftCount(args []Value) uint32 {
	if len(args) > 1 {
		if c, ok := cdataBits(args[1]); ok {
			return uint32(c)
		}
	}
	return toBit(th.CheckNumber(args, 1))
}

func bitLshift(th *Thread, n int, a, b, _ Value) (Value, int) {
	return th.bitShift(n, a, b, func(x uint32, k uint) uint32 { return x << k }, func(x uint64, k uint) uint64 { return x << k })
}

func bitRshift(th *Thread, n int, a, b, _ Value) (Value, int) {
	return th.bitShift(n, a, b, func(x uint32, k uint) uint32 { return x >> k }, func(x uint64, k uint) uint64 { return x >> k })
}

func bitArshift(th *Thread, n int, a, b, _ Value) (Value, int) {
	return th.bitShift(n, a, b,
		func(x uint32, k uint) uint32 { return uint32(int32(x) >> k) },
		func(x uint64, k uint) uint64 { return uint64(int64(x) >> k) })
}

func bitRol(th *Thread, n int, a, b, _ Value) (Value, int) {
	return th.bitShift(n, a, b,
		func(x uint32, k uint) uint32 { return bits.RotateLeft32(x, int(k)) },
		func(x uint64, k uint) uint64 { return bits.RotateLeft64(x, int(k)) })
}

func bitRor(th *Thread, n int, a, b, _ Value) (Value, int) {
	return th.bitShift(n, a, b,
		func(x uint32, k uint) uint32 { return bits.RotateLeft32(x, -int(k)) },
		func(x uint64, k uint) uint64 { return bits.RotateLeft64(x, -int(k)) })
}

// bitTohex returns the last n hex digits, 8 (16 for a 64-bit integer) when n is not
// given; a negative n asks for upper case.
func bitTohex(th *Thread, n int, a, b, _ Value) (Value, int) {
	args := th.argList(min(n, 2), a, b, Nil)
	x, wide := cdataBits(a)
	digits := 16
	if !wide {
		x, digits = uint64(toBit(th.CheckNumber(args, 0))), 8
	}
	upper := false
	if n > 1 {
		digits = int(int32(toBit(th.CheckNumber(args, 1))))
		if digits < 0 {
			upper = true
			digits = -digits
		}
		digits = min(digits, 254)
	}
	if digits < 16 {
		x &= 1<<(4*uint(digits)) - 1
	}
	text := strconv.AppendUint(nil, x, 16)
	buf := make([]byte, 0, max(digits, len(text)))
	for i := len(text); i < digits; i++ {
		buf = append(buf, '0')
	}
	if digits > 0 {
		buf = append(buf, text...)
	}
	if upper {
		upperASCII(buf)
	}
	return bytesValue(buf), 1
}
