package runtime

import "math/bits"

// This file holds LuaJIT's rules for what is in the array part of a table: pairs gives that
// part first and in order, and # looks there for a border, so scripts see them.
//
// LuaJIT's array part has a place for key 0 and for the keys up to cap(arr). Its hash part
// has 2^hbits places for all else, string keys included: here they stand in rec and hash.
// A new key takes a place; when there is none left, rehash counts the keys and gives both
// parts new sizes. Nothing else moves keys between them.
//
// Where keys of the hash part were deleted, LuaJIT's hash values decide whether their places
// serve again before the next rehash (those of strings are random there); here they do not.

// maxArray is one more than the last key that can be in an array part.
const maxArray = 1<<27 + 1

// arrayBins counts whole-number keys: bin 0 those up to 2, bin b those in (2^b, 2^(b+1)].
type arrayBins [28]int

// add counts key k, if it is one that can be in an array part.
func (bins *arrayBins) add(k int) int {
	if uint(k) >= maxArray {
		return 0
	}
	b := 0
	if k > 2 {
		b = bits.Len(uint(k-1)) - 1
	}
	bins[b]++
	return 1
}

// best returns the number of keys from 1 on that the array part is made for, and how many
// of the n keys counted are in it: more than a quarter of the places are in use.
func (bins *arrayBins) best(n int) (size, used int) {
	sum := 0
	for b := 0; 2*n > 1<<b && sum != n; b++ {
		if bins[b] == 0 {
			continue
		}
		if sum += bins[b]; 2*sum > 1<<b {
			size, used = 2<<b, sum
		}
	}
	return size, used
}

// hashBits returns the hbits of a hash part made for n keys.
func hashBits(n int) uint8 {
	switch {
	case n <= 0:
		return 0
	case n == 1:
		return 1
	}
	return uint8(bits.Len(uint(n - 1)))
}

// places returns the size of the hash part. A table with nothing but a record does not
// keep it up to date while it grows.
func (t *Table) places() int {
	n := 0
	if t.hbits != 0 {
		n = 1 << t.hbits
	}
	if fields := len(t.shape.keys) - int(t.dead); fields > n {
		t.hbits = hashBits(fields)
		n = 1 << t.hbits
	}
	return n
}

// taken returns how many places of the hash part have keys, deleted ones too.
func (t *Table) taken() int {
	n := len(t.shape.keys) - int(t.dead)
	if t.state&(ahead0|ahead2) != 0 {
		n += len(t.arr) - t.arraySize()
	}
	if t.hash != nil {
		n += len(t.hash.entries)
	}
	return n
}

// makePlace makes sure that the hash part has a place for the new key k. It reports
// whether the parts were made anew, and k may now belong to the array part.
func (t *Table) makePlace(k Value) bool {
	if t.state&(ahead0|ahead2) != 0 {
		t.catchUp()
	}
	if t.taken() < t.places() {
		return false
	}
	t.rehash(k)
	return true
}

// inArray reports whether k is a key of the array part.
func (t *Table) inArray(k Value) bool {
	return cap(t.arr) > 0 && isArrayKey(k) && int(k.Num()) <= cap(t.arr)
}

// setZero sets t[0].
func (t *Table) setZero(v Value) {
	if t.state&(ahead0|ahead2) != 0 {
		t.fallBack()
	}
	if cap(t.arr) == 0 {
		t.setHash(Int(0), v)
		return
	}
	if t.hash == nil {
		if v.n == tagNil {
			return
		}
		t.hash = newHash(t.places() - t.taken())
	}
	t.hash.zero.set(v)
}

// addEntry adds a key that is not there to the hash part, which has a place for it.
func (t *Table) addEntry(k, v Value) {
	if t.hash == nil {
		t.hash = newHash(t.places() - t.taken())
	}
	t.hash.add(k, v)
}

// rehash gives the parts the sizes for the keys that there are and the new key k.
func (t *Table) rehash(k Value) {
	keys := 1 + t.liveFields()
	if h := t.hash; h != nil {
		for i := range h.entries {
			if h.entries[i].value.n != tagNil {
				keys++
			}
		}
		if h.zero.n != tagNil {
			keys++
		}
	}
	if len(t.arr) == 0 && !isArrayKey(k) && (t.hash == nil || t.hash.ints == 0 && t.hash.zero.n == tagNil) {
		t.resize(0, hashBits(keys))
		return
	}
	var bins arrayBins
	ints := t.countArray(&bins)
	keys += ints
	if h := t.hash; h != nil {
		for i := range h.entries {
			if e := &h.entries[i]; e.value.n != tagNil && isArrayKey(e.key) {
				ints += bins.add(int(e.key.Num()))
			}
		}
		if h.zero.n != tagNil {
			ints += bins.add(0)
		}
	}
	if isArrayKey(k) {
		ints += bins.add(int(k.Num()))
	}
	size, used := bins.best(ints)
	t.resize(size, hashBits(keys-used))
}

// countArray counts the keys in the array part.
func (t *Table) countArray(bins *arrayBins) int {
	n := len(t.arr)
	if t.state&holes == 0 {
		for b, low := 0, 0; low < n; b++ {
			high := min(n, 2<<b)
			bins[b] += high - low
			low = high
		}
		return n
	}
	n = 0
	for i := range t.arr {
		if t.arr[i].n != tagNil {
			n += bins.add(i + 1)
		}
	}
	return n
}

// resize makes the array part for the keys up to size and the hash part with hbits, and
// moves the keys to where they belong.
func (t *Table) resize(size int, hbits uint8) {
	items := t.arr
	var few [16]int32
	var order []int32
	if t.luaOrdered() {
		order = t.hash.inLuaOrder(t.places(), few[:0])
	}
	t.state &^= ahead0 | ahead2
	if size != cap(items) {
		t.arr = make([]Value, min(len(items), size), size)
		copy(t.arr, items)
		t.state &^= spare
	}
	t.hbits, t.dead = hbits, uint8(len(t.shape.keys)-t.liveFields())
	h := t.hash
	t.hash = nil
	if h != nil { // it serves again
		old := *h
		h.init(t.places() - t.taken())
		t.hash = h
		if old.zero.n != tagNil {
			t.SetInt(0, old.zero)
		}
		t.spill(items, size)
		t.reinsert(&old, order)
		if len(h.entries) == 0 && h.zero.n == tagNil {
			t.hash = nil
		}
	} else {
		t.spill(items, size)
	}
	if t.state&holes != 0 && !hasNil(t.arr) {
		t.state &^= holes
	}
}

// spill adds the items beyond size to the hash part.
func (t *Table) spill(items []Value, size int) {
	for i := size; i < len(items); i++ {
		if items[i].n != tagNil {
			t.addEntry(Int(i+1), items[i])
		}
	}
}

// reinsert adds the entries of a former hash part in their order.
func (t *Table) reinsert(old *hashPart, order []int32) {
	var hashes []uint64
	h := t.hash
	for i := range old.entries {
		if order != nil {
			i = int(order[i])
		}
		e := &old.entries[i]
		switch {
		case e.value.n == tagNil:
		case t.inArray(e.key):
			t.setIntSlow(int(e.key.Num()), e.value)
		case h.index == nil:
			h.addHashed(e.key, e.value, 0)
		default:
			if hashes == nil {
				hashes = old.hashes()
			}
			h.addHashed(e.key, e.value, hashes[i])
		}
	}
}

// hasNil reports whether there is a nil among vs.
func hasNil(vs []Value) bool {
	for i := range vs {
		if vs[i].n == tagNil {
			return true
		}
	}
	return false
}

// Len returns a border of t without metamethods: a count n with t[n] not nil and
// t[n+1] nil, or 0. Where there are several, it is the one that LuaJIT finds.
func (t *Table) Len() int {
	n := len(t.arr)
	if t.state&holes != 0 {
		low, high := 0, cap(t.arr)
		if n < high || t.arr[n-1].n == tagNil {
			for high-low > 1 {
				if mid := int(uint(low+high) / 2); mid > n || t.arr[mid-1].n == tagNil {
					high = mid
				} else {
					low = mid
				}
			}
			return low
		}
	}
	if n == cap(t.arr) && t.hash != nil && t.hash.ints > 0 {
		return t.lenHashed(n)
	}
	return n
}

// lenHashed is Len for a table whose array part is full: in doubling steps to a key that is
// not there, then by halves.
func (t *Table) lenHashed(n int) int {
	low, high := n, n+1
	for t.Int(high).n != tagNil {
		low, high = high, 2*high
		if high > 1<<31-3 {
			for low = 1; t.Int(low).n != tagNil; low++ {
			}
			return low - 1
		}
	}
	for high-low > 1 {
		if mid := int(uint(low+high) / 2); t.Int(mid).n == tagNil {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}
