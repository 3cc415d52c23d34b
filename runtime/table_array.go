package runtime

import "math/bits"

// This file holds how the array part grows when items are appended. That must be cheap, so
// arr may be ahead of LuaJIT's array part: a table with a record has its first items, or
// those after a full array part, in free places of LuaJIT's hash part until these are taken.
// Here they go to arr at once. Only the sizes of the parts tell the difference (pairs gives
// them among string keys, whose order in LuaJIT is random), and they are worked out when a
// key is set that is no item to append: catchUp, or fallBack for what arr cannot show.

// Bits of Table.state. At most one of the first three is set.
const (
	holes  uint8 = 1 << iota // there may be a nil in arr
	ahead0                   // LuaJIT has no array part yet
	ahead2                   // LuaJIT's array part is half of arr
	spare                    // behind arr is memory up to the next power of two
)

// arraySize returns up to which key LuaJIT's array part has places.
func (t *Table) arraySize() int {
	switch {
	case t.state&ahead0 != 0:
		return 0
	case t.state&ahead2 != 0:
		return cap(t.arr) / 2
	}
	return cap(t.arr)
}

// growArray makes room for one more item after a full array part; false when that item
// belongs to the hash part, or nobody knows before rehash.
func (t *Table) growArray() bool {
	if t.state&holes != 0 || t.hash != nil {
		return false
	}
	if t.shapeID != 1 || t.hbits != 0 {
		t.catchUp()
		n := cap(t.arr)
		switch {
		case t.taken() >= t.places():
			t.rehashFields()
		case t.shapeID == 1:
			return false
		case t.state&ahead0 != 0 || n == 0:
			t.state |= ahead0
		case t.state&ahead2 != 0 || n < 2 || n&(n-1) != 0:
			return false
		default:
			t.state |= ahead2
		}
	}
	n := len(t.arr)
	size := max(2, 1<<bits.Len(uint(n)))
	switch {
	case t.state&spare != 0:
		t.arr = extend(t.arr, size)
		t.state &^= spare
	case n == 0:
		t.arr = make([]Value, 4)[:0:2]
		t.state |= spare
	default:
		arr := make([]Value, n, size)
		copy(arr, t.arr)
		t.arr = arr
	}
	return true
}

// catchUp finds out whether LuaJIT's array part is what arr is by now: whether the items
// that arr is ahead took more places than there were, and made it rehash.
func (t *Table) catchUp() {
	if t.state&(ahead0|ahead2) == 0 || t.taken() <= t.places() {
		return
	}
	t.rehashFields()
}

// rehashFields is rehash for a table that has only a record and an array part without
// holes, which comes to be what LuaJIT's is after it.
func (t *Table) rehashFields() {
	t.state &^= ahead0 | ahead2
	live := t.liveFields()
	t.dead = uint8(len(t.shape.keys) - live)
	t.hbits = hashBits(live)
}

// liveFields returns how many fields of the record have values.
func (t *Table) liveFields() int {
	live := 0
	for i := range t.shape.keys {
		if t.rec.at(uint32(i)).n != tagNil {
			live++
		}
	}
	return live
}

// fallBack ends being ahead: items go where LuaJIT has them.
func (t *Table) fallBack() {
	t.catchUp()
	if t.state&(ahead0|ahead2) != 0 {
		t.places() // brings hbits up to date
		t.resize(t.arraySize(), t.hbits)
	}
}
