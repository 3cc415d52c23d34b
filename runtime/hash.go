package runtime

import "math/bits"

// hashPart holds the keys of a table that are neither in its array nor in its
// record, and key 0 of the array part. Entries stand in insertion order, which is also the order of next
// unless ordered says otherwise; an
// entry whose value became nil keeps its place until the part is rebuilt, so
// that a traversal may clear fields.
type hashPart struct {
	entries []entry
	index   []uint64   // hash<<32 | 1 + entry, open addressing; nil while few entries fit
	zero    Value      // value of key 0 when there is an array part; else 0 is an entry
	ints    int32      // entries whose key may be in an array part
	others  int32      // entries whose key is neither a number nor a boolean
	last    int32      // entry that dictionary found last
	order   *hashOrder // of the entries, when it was worked out
}

type entry struct{ key, value Value }

// smallHash is the number of entries up to which a scan beats hashing.
const smallHash = 8

// hashKey returns the hash of a normalised key.
func hashKey(k Value) uint64 {
	if k.IsString() {
		return hashString(k.Str())
	}
	h := (k.n ^ uint64(k.address())>>4) * 0x9E3779B97F4A7C15
	return h ^ h>>32
}

// sameKey reports whether two normalised keys are equal.
func sameKey(a, b Value) bool {
	return a.n == b.n && (a.p == b.p || a.IsString() && a.Str() == b.Str())
}

// get returns the value of a normalised key.
func (h *hashPart) get(k Value) Value {
	if i := h.find(k); i >= 0 {
		return h.entries[i].value
	}
	return Nil
}

// find returns the entry of a normalised key, or -1.
func (h *hashPart) find(k Value) int {
	if h.index == nil {
		for i := range h.entries {
			if e := &h.entries[i]; e.key.n == k.n && sameKey(e.key, k) {
				return i
			}
		}
		return -1
	}
	return h.findHashed(k, hashKey(k))
}

// findHashed is find for a key whose hash is known.
func (h *hashPart) findHashed(k Value, hash uint64) int {
	if h.index == nil {
		return h.find(k)
	}
	mask := uint64(len(h.index) - 1)
	high := hash << 32
	for i := hash & mask; ; i = (i + 1) & mask {
		x := h.index[i]
		if x == 0 {
			return -1
		}
		if x&^0xFFFFFFFF == high {
			e := uint32(x) - 1
			if sameKey(h.entries[e].key, k) {
				return int(e)
			}
		}
	}
}

// dictionary returns the place of key k in a table without a record, nil when k is no
// string or there is no entry. It is fast for t[k] = f(t[k]).
func (t *Table) dictionary(k Value) *Value {
	h := t.hash
	if h == nil || t.shapeID != 1 || !k.IsString() {
		return nil
	}
	if int(h.last) < len(h.entries) {
		if e := &h.entries[h.last]; identical(e.key, k) {
			return &e.value
		}
	}
	if h.index == nil {
		i := h.find(k)
		if i < 0 {
			return nil
		}
		h.last = int32(i)
		return &h.entries[i].value
	}
	s := k.Str()
	hash := hashString(s)
	mask := uint64(len(h.index) - 1)
	for i := hash; ; i++ {
		x := h.index[i&mask]
		if x == 0 {
			return nil
		}
		if uint32(x>>32) == uint32(hash) {
			at := int(uint32(x) - 1)
			e := &h.entries[at]
			if e.key.n == k.n && (e.key.p == k.p || e.key.Str() == s) {
				h.last = int32(at)
				return &e.value
			}
		}
	}
}

// add appends a key that is not present. The caller has made sure of room.
func (h *hashPart) add(k, v Value) {
	hash := uint64(0)
	if h.index != nil {
		hash = hashKey(k)
	}
	h.addHashed(k, v, hash)
}

// addHashed is add for a key whose hash, at least its lower half, is known if
// there is an index.
func (h *hashPart) addHashed(k, v Value, hash uint64) {
	h.entries = append(h.entries, entry{k, v})
	switch {
	case isArrayKey(k):
		h.ints++
	case !k.IsNumber() && k.n != tagTrue && k.n != tagFalse:
		h.others++
	}
	h.order = nil
	if h.index == nil {
		return
	}
	position := uint64(len(h.entries))
	mask := uint64(len(h.index) - 1)
	i := hash & mask
	for h.index[i] != 0 {
		i = (i + 1) & mask
	}
	h.index[i] = hash<<32 | position
}

// hashes returns the lower halves of the hashes of all entries.
func (h *hashPart) hashes() []uint64 {
	hashes := make([]uint64, len(h.entries))
	if h.index == nil {
		for i := range h.entries {
			hashes[i] = hashKey(h.entries[i].key)
		}
		return hashes
	}
	for _, x := range h.index {
		if x != 0 {
			hashes[uint32(x)-1] = x >> 32
		}
	}
	return hashes
}

// newHash returns an empty part with room for n entries.
func newHash(n int) *hashPart {
	h := &hashPart{}
	h.init(n)
	return h
}

// init makes h an empty part with room for n entries.
func (h *hashPart) init(n int) {
	*h = hashPart{}
	if n <= smallHash {
		if n > 0 {
			h.entries = make([]entry, 0, n)
		}
		return
	}
	size := 1 << bits.Len(uint(n-1))
	h.entries = make([]entry, 0, size)
	h.index = make([]uint64, 2*size)
}

// isArrayKey reports whether k is a whole number that can be in an array part.
func isArrayKey(k Value) bool {
	if !k.IsNumber() {
		return false
	}
	f := k.Num()
	return f >= 0 && f < maxArray && f == float64(int64(f))
}
