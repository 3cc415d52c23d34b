package runtime

import (
	"math"
	"math/bits"
)

// This file holds the order of a hash part whose keys are all numbers and booleans. LuaJIT
// hashes those by fixed rules (strings and objects differ from run to run), so pairs gives
// them in an order that scripts can come to rely on. It is worked out when somebody looks.
//
// LuaJIT's hash part is a chained scatter table: a key stands at its main place, or, when
// that is taken, at the last free place; a key that is not at its main place makes way for
// one whose main place it is. Keys deleted since the part was made are taken as still
// being there when later ones came.

// hashOrder is the order of a hash part's entries.
type hashOrder struct {
	at   []int32 // entries by rank
	rank []int32 // ranks by entry
}

// scatterNode is a place: one more than its entry, and than the next place in its chain.
type scatterNode struct{ entry, next int32 }

// luaHash returns LuaJIT's hash of a number or boolean.
func luaHash(k Value) uint32 {
	if !k.IsNumber() {
		return uint32(k.n - tagFalse)
	}
	b := math.Float64bits(k.Num())
	lo, hi := uint32(b), uint32(b>>32)<<1
	lo ^= hi
	lo -= bits.RotateLeft32(hi, 14)
	hi = lo ^ bits.RotateLeft32(hi, 14+5)
	return hi - bits.RotateLeft32(lo, 13)
}

// inLuaOrder appends to at the entries of h in LuaJIT's order, in a part of size places.
func (h *hashPart) inLuaOrder(size int, at []int32) []int32 {
	var few [16]scatterNode
	nodes := few[:]
	if size > len(few) {
		nodes = make([]scatterNode, size)
	}
	nodes = nodes[:size]
	mask := uint32(size - 1)
	free := size
	for i := range h.entries {
		main := luaHash(h.entries[i].key) & mask
		node := &nodes[main]
		if node.entry == 0 {
			node.entry = int32(i + 1)
			continue
		}
		for free--; nodes[free].entry != 0; free-- {
		}
		other := luaHash(h.entries[node.entry-1].key) & mask
		if other == main {
			nodes[free] = scatterNode{int32(i + 1), node.next}
			node.next = int32(free + 1)
			continue
		}
		p := &nodes[other]
		for p.next != int32(main+1) {
			p = &nodes[p.next-1]
		}
		p.next = int32(free + 1)
		nodes[free] = *node
		*node = scatterNode{entry: int32(i + 1)}
	}
	for i := range nodes {
		if e := nodes[i].entry; e != 0 {
			at = append(at, e-1)
		}
	}
	return at
}

// luaOrdered reports whether the hash part's entries have an order other than their own.
func (t *Table) luaOrdered() bool {
	h := t.hash
	return h != nil && h.others == 0 && t.shapeID == emptyShape.id &&
		len(h.entries) > 1 && len(h.entries) <= t.places()
}

// hashOrder returns the order of the hash part's entries, nil where it is their own.
func (t *Table) hashOrder() *hashOrder {
	h := t.hash
	if h.order == nil && t.luaOrdered() {
		n := len(h.entries)
		h.order = &hashOrder{h.inLuaOrder(t.places(), make([]int32, 0, n)), make([]int32, n)}
		for rank, i := range h.order.at {
			h.order.rank[i] = int32(rank)
		}
	}
	return h.order
}
