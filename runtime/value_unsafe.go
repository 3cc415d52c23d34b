package runtime

import (
	"math/bits"
	"math/rand/v2"
	"unsafe"
)

// Value is a Lua value in 16 bytes, the zero Value being nil.
//
// n alone tells the type, so every type test is one 64-bit compare:
//
//	n                    type            p
//	0                    nil             nil
//	1, 2                 false, true     nil
//	3 ... 8              object          *Table, *Function, *Userdata, *Coroutine, light address, *CData
//	1<<48 | length       string          the first byte; nil is allowed when length is 0
//	>= 7<<48             number          nil; n is the bitwise complement of the float's bits
//
// Numbers, booleans and nil carry no pointer: the collector skips them and
// storing one over another needs no write barrier (see set).
//
// Invariants, all of them kept by the constructors in this file:
//
//  1. p points at what n says, and p is nil for every type that has no object.
//     Only the accessors below cast p, each behind a test of n (or a documented
//     "unchecked" contract that the caller made that test).
//  2. A number's bits are at most 0xFFF8_FFFF_FFFF_FFFF, so that its complement
//     is at least numberMin. Arithmetic only produces NaNs in that range; bits
//     from outside (files, sockets, ffi) must go through canonicalNumber.
//  3. Strings are immutable: the bytes p points at are never written again.
//  4. The address behind tagLight is that of a Go variable that lives for ever.
//
// A Value is two words, so a racing copy could mix two values and break
// invariant 1. Lua code only runs under its worker's baton for that reason.
type Value struct {
	p unsafe.Pointer
	n uint64
}

const (
	tagNil      = 0
	tagFalse    = 1
	tagTrue     = 2
	tagTable    = 3
	tagFunction = 4
	tagUserdata = 5
	tagThread   = 6
	tagLight    = 7
	tagCData    = 8

	tagString  = 1 << 48
	lengthMask = tagString - 1
	numberMin  = 7 << 48
)

// String returns the Lua string with the bytes of s.
func String(s string) Value {
	return Value{unsafe.Pointer(unsafe.StringData(s)), tagString | uint64(len(s))}
}

// bytesValue returns the Lua string backed by b, which must not be written again.
func bytesValue(b []byte) Value {
	return Value{unsafe.Pointer(unsafe.SliceData(b)), tagString | uint64(len(b))}
}

// bytesString is bytesValue for a Go string.
func bytesString(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Str returns the bytes of a value known to be a string.
func (v Value) Str() string {
	return unsafe.String((*byte)(v.p), int(v.n&lengthMask))
}

// Table returns the table of a value known to be one.
func (v Value) Table() *Table { return (*Table)(v.p) }

// Func returns the function of a value known to be one.
func (v Value) Func() *Function { return (*Function)(v.p) }

// Userdata returns the userdata of a value known to be a full userdata.
func (v Value) Userdata() *Userdata { return (*Userdata)(v.p) }

// Coroutine returns the coroutine of a value known to be a thread.
func (v Value) Coroutine() *Coroutine { return (*Coroutine)(v.p) }

// CData returns the cdata object of a value known to be one.
func (v Value) CData() *CData { return (*CData)(v.p) }

// TableValue returns t as a Value.
func TableValue(t *Table) Value { return Value{unsafe.Pointer(t), tagTable} }

// FunctionValue returns f as a Value.
func FunctionValue(f *Function) Value { return Value{unsafe.Pointer(f), tagFunction} }

// UserdataValue returns u as a Value.
func UserdataValue(u *Userdata) Value { return Value{unsafe.Pointer(u), tagUserdata} }

// ThreadValue returns c as a Value.
func ThreadValue(c *Coroutine) Value { return Value{unsafe.Pointer(c), tagThread} }

// CDataValue returns c as a Value.
func CDataValue(c *CData) Value { return Value{unsafe.Pointer(c), tagCData} }

// LightUserdata returns the light userdata that stands for the address of a
// package-level variable. Two calls with one address give equal values.
func LightUserdata(address *byte) Value { return Value{unsafe.Pointer(address), tagLight} }

// address returns the identity of an object, for hashing and tostring.
func (v Value) address() uintptr { return uintptr(v.p) }

// set stores v in *slot. The pointer word is left alone when it does not
// change, which spares numbers, booleans and nil the write barrier.
func (slot *Value) set(v Value) {
	if slot.p != v.p {
		slot.p = v.p
	}
	slot.n = v.n
}

// identical reports whether two values are the same bit for bit: raw equality
// for all types but strings (same bytes elsewhere) and numbers (NaN, -0).
func identical(a, b Value) bool { return a.p == b.p && a.n == b.n }

// slots is the value array of a table's record part. Its length is not stored:
// the table's shape says how many slots are in use and Table.room how many
// exist, and room is never less than the shape's key count. A cached slot number is
// only used together with the shape it was found in, so it is in range.
type slots struct{ p unsafe.Pointer }

// at returns the address of slot i.
func (s slots) at(i uint32) *Value {
	return (*Value)(unsafe.Add(s.p, uintptr(i)*unsafe.Sizeof(Value{})))
}

// slotsOf returns the record array over vs.
func slotsOf(vs []Value) slots { return slots{unsafe.Pointer(unsafe.SliceData(vs))} }

// slice returns the first n slots.
func (s slots) slice(n int) []Value { return unsafe.Slice((*Value)(s.p), n) }

// extend returns the items of arr with capacity n. There must be memory for n behind it,
// as Table.state says with spare.
func extend(arr []Value, n int) []Value {
	return unsafe.Slice(unsafe.SliceData(arr), n)[:len(arr)]
}

// hashSeeds are random, so that keys from outside cannot be made to collide.
var hashSeeds = [2]uint64{rand.Uint64(), rand.Uint64()}

// hashShort hashes a string of at most 16 bytes: one multiplication of its first
// and last bytes with the seeds, the loads overlapping in the middle.
func hashShort(s string) uint64 {
	p, n := unsafe.Pointer(unsafe.StringData(s)), uintptr(len(s))
	var a, b uint64
	switch {
	case n >= 8:
		a, b = *(*uint64)(p), *(*uint64)(unsafe.Add(p, n-8))
	case n >= 4:
		a, b = uint64(*(*uint32)(p)), uint64(*(*uint32)(unsafe.Add(p, n-4)))
	case n > 0:
		a = uint64(*(*byte)(p)) | uint64(*(*byte)(unsafe.Add(p, n/2)))<<8 | uint64(*(*byte)(unsafe.Add(p, n-1)))<<16
	}
	high, low := bits.Mul64(a^hashSeeds[0], b^hashSeeds[1]^uint64(n))
	return high ^ low
}
