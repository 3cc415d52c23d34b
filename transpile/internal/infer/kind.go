// Package infer finds out which kinds of values each local, parameter and
// result of a chunk can hold, and which local functions every call of which is
// seen. It is a fixed point over a small lattice: sets of value kinds, with a
// bound on the size of integers so that counters and loop variables can be Go
// ints. No annotation by the script's author is needed.
package infer

// Set is a set of value kinds.
type Set uint16

// The kinds. Int is a number that is known to be an integer of at most Bits
// bits; Num is any other number.
const (
	Nil Set = 1 << iota
	False
	True
	Int
	Num
	Str
	Tab
	Fun
	Other

	Boolean = False | True
	Number  = Int | Num
	All     = 1<<iota - 1
)

// maxBits is the largest integer size that stays exact as a double.
const maxBits = 52

// counterBits bounds a counter: something that starts small and only moves by
// small constants. Reaching it would take longer than any program runs.
const counterBits = 44

// stepBits bounds the constant that a counter may move by.
const stepBits = 10

// Kind is a lattice element: the kinds a value can have, and the size of its integers.
type Kind struct {
	Set  Set
	Bits uint8
}

// Any is the top element, Never the bottom one.
var (
	Any   = Kind{Set: All, Bits: maxBits}
	Never = Kind{}
)

// IntKind is the kind of an integer of n bits; too large ones are plain numbers.
func IntKind(bits int) Kind {
	if bits > maxBits {
		return Kind{Set: Num}
	}
	return Kind{Set: Int, Bits: uint8(bits)}
}

// Join is the least upper bound.
func (k Kind) Join(o Kind) Kind {
	return Kind{k.Set | o.Set, max(k.Bits, o.Bits)}
}

// Is reports whether the value is surely of one of the kinds in s.
func (k Kind) Is(s Set) bool { return k.Set != 0 && k.Set&^s == 0 }

// Has reports whether the value can be of a kind in s.
func (k Kind) Has(s Set) bool { return k.Set&s != 0 }

// Without removes kinds.
func (k Kind) Without(s Set) Kind {
	k.Set &^= s
	if k.Set&Int == 0 {
		k.Bits = 0
	}
	return k
}

// AlwaysTrue reports whether the value counts as true in a condition.
func (k Kind) AlwaysTrue() bool { return k.Set != 0 && !k.Has(Nil|False) }

// AlwaysFalse reports whether the value counts as false in a condition.
func (k Kind) AlwaysFalse() bool { return k.Is(Nil | False) }

// Truthy is the part of k that counts as true.
func (k Kind) Truthy() Kind { return k.Without(Nil | False) }

// Falsy is the part of k that counts as false.
func (k Kind) Falsy() Kind { return Kind{Set: k.Set & (Nil | False)} }
