package runtime

// Table is a Lua table in three parts.
//
//   - arr holds the keys 1 to len(arr). Values in it may be nil, also the last.
//   - rec holds string keys that the source names, laid out by shape.
//   - hash holds every other key.
//
// A key lives in one part only. Whole numbers: key len(arr)+1 and every key up to
// cap(arr) belong to arr, so hash never has one of those.
//
// 64 bytes, so that a record of 2, 4 or 8 fields fits a size class with its slots.
type Table struct {
	shapeID uint32 // shape.id, here to save a load in every cached access
	room    uint32 // slots allocated in rec
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
		t.shape, t.shapeID = emptyShape, 1
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
	return &Table{rec: slotsOf(vs), room: uint32(n)}, vs
}

// newArray returns a table whose array part has room for n items, and the part.
func newArray(n int) (*Table, []Value) {
	var t *Table
	switch {
	case n == 0:
		t = &Table{}
	case n <= 2:
		r := &table2{}
		t, r.arr = &r.Table, r.v[:n:2]
	case n <= 4:
		r := &table4{}
		t, r.arr = &r.Table, r.v[:n:4]
	case n <= 8:
		r := &table8{}
		t, r.arr = &r.Table, r.v[:n:8]
	default:
		t = &Table{arr: make([]Value, n)}
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

// NewArray returns the table of a constructor {a, b, c}.
func NewArray(vs ...Value) Value {
	t, arr := newArray(len(vs))
	copy(arr, vs)
	return TableValue(t)
}

// NewArrayList returns a table with the items of list, which is copied.
func NewArrayList(list []Value) Value {
	t, arr := newArray(len(list))
	copy(arr, list)
	return TableValue(t)
}

// Len returns a border of t without metamethods: a count n with t[n] not nil and
// t[n+1] nil, or 0.
func (t *Table) Len() int {
	n := len(t.arr)
	if n == 0 || t.arr[n-1].n != tagNil {
		return n
	}
	low, high := 0, n // t[low] is not nil or low is 0; t[high] is nil
	for high-low > 1 {
		mid := int(uint(low+high) / 2)
		if t.arr[mid-1].n == tagNil {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}

// Int returns t[i] without metamethods.
func (t *Table) Int(i int) Value {
	if uint(i-1) < uint(len(t.arr)) {
		return t.arr[i-1]
	}
	return t.intSlow(i)
}

func (t *Table) intSlow(i int) Value {
	if t.hash == nil {
		return Nil
	}
	return t.hash.get(Int(i))
}

// SetInt sets t[i] without metamethods.
func (t *Table) SetInt(i int, v Value) {
	if uint(i-1) < uint(len(t.arr)) {
		t.arr[i-1].set(v)
		if v.n == tagNil && i == len(t.arr) {
			t.arr = t.arr[:i-1]
		}
		return
	}
	t.setIntSlow(i, v)
}

// Append sets t[n+1] for n items in the array part, as a constructor does.
func (t *Table) Append(v Value) { t.SetInt(len(t.arr)+1, v) }

func (t *Table) setIntSlow(i int, v Value) {
	n := len(t.arr)
	switch {
	case i == n+1 && n < cap(t.arr):
		if v.n != tagNil {
			t.arr = t.arr[:i]
			t.arr[n].set(v)
			t.arrayFilled()
		}
	case i == n+1:
		if v.n != tagNil {
			t.growArray(v)
		}
	case i > 0 && i <= cap(t.arr):
		if v.n != tagNil {
			t.arr = t.arr[:i]
			t.arr[i-1].set(v)
			t.arrayFilled()
		}
	default:
		t.setHash(Int(i), v)
	}
}

// arrayFilled keeps the invariant of the hash part when the array reached its
// capacity: the key after it may be in the hash.
func (t *Table) arrayFilled() {
	if t.hash != nil && t.hash.ints > 0 && len(t.arr) == cap(t.arr) {
		t.pullFromHash()
	}
}

// growArray appends v to a full array part.
func (t *Table) growArray(v Value) {
	n := len(t.arr)
	if n >= 64 && t.sparse() {
		t.rehash(Int(n+1), v)
		return
	}
	size := 2 * n
	if n < 4 {
		size = 4
	}
	arr := make([]Value, n+1, size)
	copy(arr, t.arr)
	arr[n] = v
	t.arr = arr
	if t.hash != nil && t.hash.ints > 0 {
		t.pullFromHash()
	}
}

// sparse reports whether less than half of the array part is in use, as in a
// queue whose head was cleared; such a table is better off in the hash part.
func (t *Table) sparse() bool {
	used := 0
	for i := range t.arr {
		if t.arr[i].n != tagNil {
			used++
		}
	}
	return used < len(t.arr)/2
}

// pullFromHash moves the keys that now belong to the array part out of the hash.
// The entries stay behind as empty places.
func (t *Table) pullFromHash() {
	take := func(e *entry, k int) {
		if k > len(t.arr) {
			t.arr = t.arr[:k]
		}
		t.arr[k-1] = e.value
		e.value = Nil
	}
	for {
		for i := range t.hash.entries {
			e := &t.hash.entries[i]
			if e.value.n != tagNil && isArrayKey(e.key) {
				if k := int(e.key.Num()); k <= cap(t.arr) {
					take(e, k)
				}
			}
		}
		n := len(t.arr)
		if n < cap(t.arr) {
			return
		}
		i := t.hash.find(Int(n + 1))
		if i < 0 || t.hash.entries[i].value.n == tagNil {
			return
		}
		arr := make([]Value, n, max(4, 2*n))
		copy(arr, t.arr)
		t.arr = arr
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

// reserve makes room for n items in the array part.
func (t *Table) reserve(n int) {
	if n > cap(t.arr) && (t.hash == nil || t.hash.ints == 0) {
		arr := make([]Value, len(t.arr), n)
		copy(arr, t.arr)
		t.arr = arr
	}
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
	n := uint32(len(next.keys) - 1)
	if n >= t.room {
		t.growRecord(int(n))
	}
	*t.rec.at(n) = v
	t.shape, t.shapeID = next, next.id
}

// growRecord makes room for more than n slots.
func (t *Table) growRecord(n int) {
	size := 2 * n
	if n < 4 {
		size = 4
	}
	vs := make([]Value, size)
	copy(vs, t.rec.slice(n))
	t.rec, t.room = slotsOf(vs), uint32(size)
}

// setHash sets a key that is not in the array or record part. A number key is
// normalised here (-0 is 0).
func (t *Table) setHash(k, v Value) {
	if k.IsNumber() && k.Num() == 0 {
		k = Int(0)
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
	if t.hash == nil {
		t.hash = newHash(2)
	}
	if h := t.hash; len(h.entries) < cap(h.entries) {
		h.add(k, v)
		return
	}
	t.rehash(k, v)
}

// rehash rebuilds the hash part (and the array part, when whole-number keys call
// for it) with room for the new key k, as Lua does when a part is full.
func (t *Table) rehash(k, v Value) {
	live, ints := 0, 0
	var nums [33]int
	if t.hash != nil {
		for i := range t.hash.entries {
			e := &t.hash.entries[i]
			if e.value.n == tagNil {
				continue
			}
			live++
			if isArrayKey(e.key) {
				ints++
				nums[bucket(int(e.key.Num()))]++
			}
		}
	}
	size := cap(t.arr)
	if ints > 0 || isArrayKey(k) {
		for i := range t.arr {
			if t.arr[i].n != tagNil {
				nums[bucket(i+1)]++
			}
		}
		if isArrayKey(k) {
			nums[bucket(int(k.Num()))]++
		}
		size = arraySize(&nums)
	}
	old := t.hash
	spill := 0
	if size < len(t.arr) {
		for i := size; i < len(t.arr); i++ {
			if t.arr[i].n != tagNil {
				spill++
			}
		}
	}
	t.hash = newHash((live + spill + 1) * 5 / 4)
	if size != cap(t.arr) {
		t.resizeArray(size)
	}
	if old != nil {
		t.reinsert(old)
	}
	t.Set(k, v)
	t.arrayFilled()
}

// reinsert adds the entries of a former hash part.
func (t *Table) reinsert(old *hashPart) {
	var hashes []uint64
	if t.hash.index != nil {
		hashes = old.hashes()
	}
	for i := range old.entries {
		e := &old.entries[i]
		switch {
		case e.value.n == tagNil:
		case isArrayKey(e.key):
			t.SetInt(int(e.key.Num()), e.value)
		case hashes == nil:
			t.hash.add(e.key, e.value)
		default:
			t.hash.addHashed(e.key, e.value, hashes[i])
		}
	}
}

// resizeArray gives the array part the capacity size; items beyond it move to
// the hash part, which has room for them.
func (t *Table) resizeArray(size int) {
	old := t.arr
	arr := make([]Value, min(len(old), size), size)
	copy(arr, old)
	t.arr = arr
	for i := size; i < len(old); i++ {
		if old[i].n != tagNil {
			t.hash.add(Int(i+1), old[i])
		}
	}
}
