package lower

import (
	"math/bits"

	"github.com/moonphase/moonphase/transpile/internal/ast"
)

// LuaJIT gives a constructor's table an array part and a hash part of certain sizes, and
// scripts see them: in # of a table with holes, and in the order of pairs. What follows is
// how it finds them. Constant fields are set in a template when the chunk is compiled,
// which grows as any table does (package runtime, table_layout.go); fields that are not
// constant only count.

// tableSize returns up to which key the array part of a constructor's table has places,
// and for how many keys its hash part is made.
func tableSize(e *ast.Table) (array, hash int) {
	var t *template
	narr, nhash, needArray := 1, 0, false
	inTemplate, named := 0, 0 // fields
	for _, fl := range e.Fields {
		var key any
		known := true
		if fl.Key == nil {
			key = float64(narr)
			narr++
			needArray = true
		} else if key, known = constant(fl.Key); known && key == 0.0 {
			needArray = true
		} else {
			nhash++
		}
		v, constantValue := constant(fl.Value)
		_, name := key.(string)
		if name {
			named++
		}
		if !known || key == nil || !constantValue && !name {
			continue
		}
		if constantValue {
			inTemplate++
		}
		if t == nil {
			t = &template{bits: hashBits(nhash), items: map[int]bool{}, hash: map[any]bool{}}
			if needArray {
				t.size = narr
			}
		}
		t.set(key, !constantValue || v != nil)
	}
	switch {
	case t != nil && !needArray && inTemplate == len(e.Fields) && named == 0:
		return 0, 1 // it grows as the template does, for the order of its keys
	case t != nil:
		if needArray && t.size < narr {
			t.size = narr
		}
		return max(t.size-1, 0), t.places()
	case !needArray:
		return 0, nhash
	case narr >= 0x7ff: // more than the instruction holds: the table grows
		return max(0x800, 1<<bits.Len(uint(narr-2))), nhash
	}
	return max(narr, 3) - 1, nhash
}

// template is the table of a constructor's constants, as far as its sizes go.
type template struct {
	size  int          // places of the array part, key 0 included
	bits  int          // the hash part has 2^bits places, none if 0
	items map[int]bool // keys in the array part: whether they have a value
	hash  map[any]bool // keys in the hash part
}

func (t *template) places() int {
	if t.bits == 0 {
		return 0
	}
	return 1 << t.bits
}

func (t *template) set(k any, value bool) {
	i, whole := arrayKey(k)
	if whole && i < t.size {
		t.items[i] = value
		return
	}
	if _, ok := t.hash[k]; !ok && len(t.hash) >= t.places() {
		t.rehash(k)
		t.set(k, value)
		return
	}
	t.hash[k] = value
}

// rehash gives the parts the sizes for the keys with a value and the new key k.
func (t *template) rehash(k any) {
	keys := map[any]bool{k: true}
	for i, value := range t.items {
		if value {
			keys[float64(i)] = true
		}
	}
	for k, value := range t.hash {
		if value {
			keys[k] = true
		}
	}
	var bins [28]int // of whole numbers: bin 0 those up to 2, bin b those in (2^b, 2^(b+1)]
	ints := 0
	for k := range keys {
		if i, ok := arrayKey(k); ok {
			bins[max(bits.Len(uint(max(i, 1)-1))-1, 0)]++
			ints++
		}
	}
	sum, used := 0, 0
	t.size = 0
	for b := 0; 2*ints > 1<<b && sum != ints; b++ {
		if sum += bins[b]; bins[b] > 0 && 2*sum > 1<<b {
			t.size, used = 2<<b+1, sum
		}
	}
	t.bits = hashBits(len(keys) - used)
	delete(keys, k)
	clear(t.items)
	clear(t.hash)
	for k := range keys {
		if i, ok := arrayKey(k); ok && i < t.size {
			t.items[i] = true
		} else {
			t.hash[k] = true
		}
	}
}

// arrayKey returns the constant key k as an index of an array part, if it can be one.
func arrayKey(k any) (int, bool) {
	f, ok := k.(float64)
	return int(f), ok && f >= 0 && f < 1<<27+1 && f == float64(int(f))
}

// hashBits returns the bits of the size of a hash part made for n keys.
func hashBits(n int) int {
	switch n {
	case 0, 1:
		return n
	}
	return bits.Len(uint(n - 1))
}
