package runtime

// Table is a Lua table in three parts.
//
//   - arr holds the keys 1 to cap(arr): LuaJIT's array part without its key 0. Values in
//     it may be nil, also the last, and all beyond its length are.
//   - rec holds string keys that the source names, laid out by shape.
//   - hash holds every other key, and key 0 of the array part.
//
// A key lives in one part only. Which whole numbers are in arr, and when that changes, is
// LuaJIT's rule: see table_layout.go.
//
// 64 bytes, so that a record of 2, 4 or 8 fields fits a size class with its slots.
type Table struct {
	shapeID uint32 // shape.id, here to save a load in every cached access
	room    uint8  // slots allocated in rec
	hbits   uint8  // LuaJIT's hash part has 2^hbits places, none if 0; see places
	dead    uint8  // slots of rec that had no place in it when it was made
	state   uint8  // of arr: holes, ahead0, ahead2, spare
	shape   *Shape
	rec     slots
	arr     []Value
	hash    *hashPart
	meta    *Table
}

// Small tables come with their slots (or array) in the same allocation.
type (
	table2 struct {
		Table
		v [2]Value
	}
	table4 struct {
		Table
		v [4]Value
	}
	table8 struct {
		Table
		v [8]Value
	}
)

// NewTable returns a table with room for narr array items and nrec other keys.
func NewTable(narr, nrec int) *Table {
	var t *Table
	if nrec == 0 {
		t = &Table{shape: emptyShape, shapeID: 1}
	} else {
		t, _ = newRecord(nrec)
		t.shape, t.shapeID, t.hbits = emptyShape, 1, hashBits(nrec)
	}
	if narr > 0 {
		t.arr = make([]Value, 0, narr)
	}
	return t
}

// newRecord returns a table whose record has room for n keys, and its slots.
func newRecord(n int) (*Table, []Value) {
	switch {
	case n == 0:
		return &Table{}, nil
	case n <= 2:
		r := &table2{}
		r.rec, r.room = slotsOf(r.v[:]), 2
		return &r.Table, r.v[:]
	case n <= 4:
		r := &table4{}
		r.rec, r.room = slotsOf(r.v[:]), 4
		return &r.Table, r.v[:]
	case n <= 8:
		r := &table8{}
		r.rec, r.room = slotsOf(r.v[:]), 8
		return &r.Table, r.v[:]
	}
	n = min(n, maxRecord)
	vs := make([]Value, n)
	return &Table{rec: slotsOf(vs), room: uint8(n)}, vs
}

// newArray returns a table with n items in an array part for size, and the items.
func newArray(n, size int) (*Table, []Value) {
	var t *Table
	switch {
	case size <= 2:
		r := &table2{}
		t, r.arr = &r.Table, r.v[:n:size]
	case size <= 4:
		r := &table4{}
		t, r.arr = &r.Table, r.v[:n:size]
	case size <= 8:
		r := &table8{}
		t, r.arr = &r.Table, r.v[:n:size]
	default:
		t = &Table{arr: make([]Value, n, size)}
	}
	if size < 8 && (size == 1 || size&(size-1) != 0) {
		t.state = spare
	}
	t.shape, t.shapeID = emptyShape, 1
	return t, t.arr
}

// NewRecord returns the table of a constructor whose keys are all names: vs are
// the values of shape's keys in order.
func NewRecord(shape *Shape, vs ...Value) Value {
	t, rec := newRecord(len(vs))
	copy(rec, vs)
	t.shape, t.shapeID = shape, shape.id
	return TableValue(t)
}

// NewMixed returns the table of a constructor {a, x = b} before its items are set: its
// array part and its hash part are made for narr items and nrec other keys, and it has the
// fields of shape, with nil in them.
func NewMixed(narr, nrec int, shape *Shape) Value {
	t, _ := newRecord(len(shape.keys))
	t.shape, t.shapeID, t.hbits = shape, shape.id, hashBits(nrec)
	if narr > 0 {
		t.arr = make([]Value, 0, narr)
	}
	return TableValue(t)
}

// NewArray returns the table of a constructor {a, b, c}.
func NewArray(vs ...Value) Value { return NewArraySize(max(2, len(vs)), vs...) }

// NewArraySize is NewArray with an array part made for size items.
func NewArraySize(size int, vs ...Value) Value {
	t, arr := newArray(len(vs), max(size, len(vs)))
	if copyItems(arr, vs) {
		t.state |= holes
	}
	return TableValue(t)
}

// NewArrayList returns the table of a constructor {...}: with the items of list, which
// is copied.
func NewArrayList(list []Value) Value { return NewArrayOpen(0, list) }

// NewArrayOpen returns the table of a constructor whose last field is a list of values:
// list holds the fixed items before them too.
func NewArrayOpen(fixed int, list []Value) Value {
	size := max(2, fixed+1)
	if len(list) > size {
		size = len(list) + 1
	}
	return NewArraySize(size, list...)
}

// copyItems copies src to dst and reports whether a nil is among it.
func copyItems(dst, src []Value) (hasNil bool) {
	for i := range src {
		dst[i] = src[i]
		hasNil = hasNil || src[i].n == tagNil
	}
	return hasNil
}

// Int returns t[i] without metamethods.
func (t *Table) Int(i int) Value {
	if uint(i-1) < uint(len(t.arr)) {
		return t.arr[i-1]
	}
	return t.intSlow(i)
}

func (t *Table) intSlow(i int) Value {
	switch {
	case t.hash == nil:
		return Nil
	case i == 0 && t.hash.zero.n != tagNil:
		return t.hash.zero
	}
	return t.hash.get(Int(i))
}

// SetInt sets t[i] without metamethods.
func (t *Table) SetInt(i int, v Value) {
	if uint(i-1) < uint(len(t.arr)) && v.n != tagNil {
		t.arr[i-1].set(v)
		return
	}
	t.setIntSlow(i, v)
}

// Append sets t[n+1] for n items in the array part, as a constructor does.
func (t *Table) Append(v Value) { t.SetInt(len(t.arr)+1, v) }

func (t *Table) setIntSlow(i int, v Value) {
	n := len(t.arr)
	switch {
	case uint(i-1) < uint(n):
		if v.n == tagNil {
			t.clearItem(i)
			return
		}
		t.arr[i-1].set(v)
	case v.n == tagNil && i > 0 && i <= cap(t.arr):
	case i == n+1 && v.n != tagNil:
		if n == cap(t.arr) && !t.growArray() {
			t.setHash(Int(i), v)
			return
		}
		t.arr = t.arr[:i]
		t.arr[n].set(v)
	case i > n && i <= cap(t.arr):
		if t.state&(ahead0|ahead2) != 0 {
			t.fallBack()
			t.SetInt(i, v)
			return
		}
		t.arr = t.arr[:i]
		t.arr[i-1].set(v)
		t.state |= holes
	case i == 0:
		t.setZero(v)
	default:
		t.setHash(Int(i), v)
	}
}

// clearItem sets item i of the array part to nil.
func (t *Table) clearItem(i int) {
	if t.state&(ahead0|ahead2) != 0 {
		if i < len(t.arr) {
			t.fallBack()
			t.SetInt(i, Nil)
			return
		}
		t.catchUp()
	}
	t.arr[i-1].set(Nil)
	switch {
	case i < len(t.arr):
		t.state |= holes
	case i == 1:
		t.arr = t.arr[:0]
		t.state &^= holes
	default:
		t.arr = t.arr[:i-1]
	}
}

// Get returns t[k] without metamethods.
func (t *Table) Get(k Value) Value {
	switch {
	case k.IsNumber():
		return t.getNum(k.Num())
	case k.IsString():
		return t.getString(k)
	case t.hash == nil:
		return Nil
	}
	return t.hash.get(k)
}

func (t *Table) getNum(f float64) Value {
	if i := int(f); float64(i) == f {
		return t.Int(i)
	}
	if t.hash == nil {
		return Nil
	}
	return t.hash.get(Number(f))
}

func (t *Table) getString(k Value) Value {
	if t.shapeID != 1 {
		if slot := t.shape.find(k); slot >= 0 {
			return *t.rec.at(uint32(slot))
		}
	}
	if t.hash == nil {
		return Nil
	}
	return t.hash.get(k)
}

// GetStr returns t[k] without metamethods.
func (t *Table) GetStr(k string) Value { return t.getString(String(k)) }

// Set sets t[k] without metamethods. k must be neither nil nor NaN: callers that
// cannot know use Thread.RawSet.
func (t *Table) Set(k, v Value) {
	switch {
	case k.IsNumber():
		f := k.Num()
		if i := int(f); float64(i) == f {
			t.SetInt(i, v)
			return
		}
	case k.IsString():
		if t.shapeID != 1 {
			if slot := t.shape.find(k); slot >= 0 {
				t.rec.at(uint32(slot)).set(v)
				return
			}
		}
	}
	t.setHash(k, v)
}

// SetStr sets t[k] without metamethods, and as a record field when it is new: for
// keys that come from the program's text, not from data.
func (t *Table) SetStr(k string, v Value) { t.setField(String(k), v) }

// setField sets t[k] for a key named in the source.
func (t *Table) setField(k, v Value) {
	if slot := t.shape.find(k); slot >= 0 {
		t.rec.at(uint32(slot)).set(v)
		return
	}
	if t.hash != nil {
		if i := t.hash.find(k); i >= 0 {
			t.hash.entries[i].value.set(v)
			return
		}
	}
	if v.n == tagNil {
		return
	}
	if next := t.shape.with(k); next != nil {
		t.addSlot(next, v)
		return
	}
	t.setHash(k, v)
}

// addSlot moves t to the shape next, which has one key more than t's, of value v.
func (t *Table) addSlot(next *Shape, v Value) {
	if t.hash != nil || cap(t.arr) != 0 {
		t.makePlace(next.lastKey())
	}
	n := len(next.keys) - 1
	if n >= int(t.room) {
		t.growRecord(n)
	}
	*t.rec.at(uint32(n)) = v
	t.shape, t.shapeID = next, next.id
}

// growRecord makes room for more than n slots.
func (t *Table) growRecord(n int) {
	size := min(max(4, 2*n), maxRecord)
	vs := make([]Value, size)
	copy(vs, t.rec.slice(n))
	t.rec, t.room = slotsOf(vs), uint8(size)
}

// setHash sets a key that is not in the array or record part.
func (t *Table) setHash(k, v Value) {
	if t.hash != nil {
		if i := t.hash.find(k); i >= 0 {
			t.hash.entries[i].value.set(v)
			return
		}
	}
	if v.n == tagNil {
		if isArrayKey(k) && t.places() == 0 {
			t.rehash(k) // a new key for LuaJIT all the same
		}
		return
	}
	if t.state&(ahead0|ahead2) != 0 && isArrayKey(k) {
		t.fallBack()
		t.SetInt(int(k.Num()), v)
		return
	}
	if t.makePlace(k) && t.inArray(k) {
		t.setIntSlow(int(k.Num()), v)
		return
	}
	t.addEntry(k, v)
}
