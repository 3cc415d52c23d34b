package runtime

import (
	"math"
	"slices"
)

// The limits of what AppendArray makes of a table. One that holds another table twice,
// which does so again, stands for more than there is memory or time.
const (
	maxFlat         = 1<<31 - 1 // bytes, the longest string of LuaJIT
	maxFlatElements = 1 << 24
	unmeasured      = 1 << 26 // bytes: from here on the length is worked out first
)

// flattener appends the elements of array tables.
type flattener struct {
	th    *Thread
	arg   int // argument that messages name, from 0
	other func(b []byte, v Value) ([]byte, bool)
	left  int // elements that may follow
	whole *Table
	room  int // length of b up to which nothing needs to be looked at
}

// AppendArray appends the elements of an array table, and of the array tables in it,
// to b: strings, numbers, and what other knows, which reports false for the rest. Holes
// count as nil, up to the greatest index. It raises an error for a table with other
// keys, and for one that stands for too much.
func (th *Thread) AppendArray(b []byte, t *Table, arg int, other func(b []byte, v Value) ([]byte, bool)) []byte {
	f := flattener{th: th, arg: arg, other: other, left: maxFlatElements, whole: t, room: len(b) + unmeasured}
	return f.append(b, t)
}

// OnlyText is the other of AppendArray for tables of strings and numbers.
func OnlyText(b []byte, _ Value) ([]byte, bool) { return b, false }

func (f *flattener) append(b []byte, t *Table) []byte {
	n := f.length(t)
	for i := 1; i <= n; i++ {
		switch v := t.Int(i); {
		case v.IsString():
			b = append(b, v.Str()...)
		case v.IsNumber():
			b = appendNumber(b, v.Num())
		case v.IsTable():
			f.th.Enter(1) // it may contain itself
			b = f.append(b, v.Table())
			f.th.Leave(1)
		default:
			var ok bool
			if b, ok = f.other(b, v); !ok {
				f.th.ArgError(f.arg, "bad data type "+TypeName(v)+" found")
			}
		}
		if f.left--; f.left < 0 {
			f.tooMuch()
		}
		if len(b) > f.room {
			f.room = maxFlat
			b = slices.Grow(b, f.measure(f.whole, 0)-unmeasured/2)
		}
	}
	return b
}

// measure adds the length of a table's strings to n.
func (f *flattener) measure(t *Table, n int) int {
	for i := range f.length(t) {
		switch v := t.Int(i + 1); {
		case v.IsString():
			n += len(v.Str())
		case v.IsTable():
			f.th.Enter(1)
			n = f.measure(v.Table(), n)
			f.th.Leave(1)
		default:
			n += len("false")
		}
		if n > maxFlat {
			f.tooMuch()
		}
	}
	return n
}

// length is the greatest index of a table that has no other keys.
func (f *flattener) length(t *Table) int {
	greatest, count := 0.0, 0
	for k, _, ok := t.Next(Nil); ok && !k.IsNil(); k, _, ok = t.Next(k) {
		if !k.IsNumber() || !(k.Num() > 0) || k.Num() != math.Trunc(k.Num()) {
			f.th.ArgError(f.arg, "non-array table found")
		}
		greatest = max(greatest, k.Num())
		count++
	}
	if greatest-float64(count) > maxFlatElements {
		if _, ok := f.other(nil, Nil); !ok { // the first hole would be refused
			f.th.ArgError(f.arg, "bad data type nil found")
		}
		f.tooMuch()
	}
	return int(greatest)
}

func (f *flattener) tooMuch() { f.th.Throw(String("string length overflow")) }
