package runtime

// Iter runs a generic for. It lives on the Go stack of the loop, and knows next and the
// iterator of ipairs, so that these loops make no calls.
type Iter struct {
	K, V Value // the first two values of this round

	kind iterKind
	n    int // results of this round's call
	pos  int // position of the traversal
	t    *Table
	f, s Value
	name string
}

type iterKind uint8

const (
	iterCall iterKind = iota
	iterNext
	iterIpairs
	iterWrap // the function of a coroutine.wrap
)

// ForIn begins a generic for over the values f, s, c of its expression list.
func ForIn(th *Thread, f, s, c Value, where string) Iter {
	it := Iter{f: f, s: s, K: c, name: where}
	if f.n == tagFunction && f.Func().wraps != nil {
		it.kind = iterWrap
	} else if f.n == tagFunction && s.n == tagTable {
		switch f.Func() {
		case nextFunction:
			if c.n == tagNil {
				it.kind, it.t = iterNext, s.Table()
			}
		case ipairsFunction:
			if c.n >= numberMin && c.Num() == 0 {
				it.kind, it.t = iterIpairs, s.Table()
			}
		}
	}
	return it
}

// Next moves on to the next round; false ends the loop. It polls.
func (it *Iter) Next(th *Thread) bool {
	th.Poll()
	switch it.kind {
	case iterNext:
		k, v, pos := it.t.nextFrom(it.pos)
		it.K, it.V, it.pos = k, v, pos
		return pos != 0
	case iterIpairs:
		it.pos++
		if i := it.pos; i <= len(it.t.arr) {
			it.V = it.t.arr[i-1]
		} else {
			it.V = it.t.Int(i)
		}
		it.K = Int(it.pos)
		return it.V.n != tagNil
	}
	if it.kind == iterWrap { // fewer frames: each return after a switch is mispredicted
		handle := it.f.Func().wraps
		err := th.beginResume(handle, 2, it.s, it.K, Value{})
		var v Value
		var n int
		if err == nil {
			handle.co.runner.enter()
			v, n, err = th.endResume(handle)
		}
		if err != nil {
			v, n = th.iterFailed(handle.co, err)
		}
		it.K, it.V, it.n = v, th.Result(n, 1), n
		return v.n != tagNil
	}
	v, n := Call2(th, it.f, it.name, it.s, it.K)
	it.K, it.V, it.n = v, th.Result(n, 1), n
	return v.n != tagNil
}

// Result returns value i >= 2 of this round.
func (it *Iter) Result(th *Thread, i int) Value {
	if it.kind == iterNext || it.kind == iterIpairs {
		return Nil
	}
	return th.Result(it.n, i)
}

// nextFrom returns the first entry at or after a position of the traversal and the position after
// it; 0 at the end. Position 0 is key 0, i is key i in the array; then they count through the
// record and the hash.
func (t *Table) nextFrom(pos int) (k, v Value, next int) {
	if pos == 0 {
		if pos = 1; t.hash != nil && t.hash.zero.n != tagNil {
			return Int(0), t.hash.zero, 1
		}
	}
	for ; pos <= len(t.arr); pos++ {
		if v := t.arr[pos-1]; v.n != tagNil {
			return Int(pos), v, pos + 1
		}
	}
	// Positions from here on are made independent of the array's length, which may
	// shrink during a traversal, by starting at a fixed bound.
	return t.nextKeyed(max(pos, keyedBase))
}

// keyedBase is the position of the first record slot.
const keyedBase = 1 << 40

func (t *Table) nextKeyed(pos int) (k, v Value, next int) {
	i := pos - keyedBase
	fields := len(t.shape.keys)
	for ; i < fields; i++ {
		if v := *t.rec.at(uint32(i)); v.n != tagNil {
			return t.shape.keys[i], v, keyedBase + i + 1
		}
	}
	if t.hash != nil {
		order := t.hashOrder()
		for i -= fields; i < len(t.hash.entries); i++ {
			e := &t.hash.entries[i]
			if order != nil {
				e = &t.hash.entries[order.at[i]]
			}
			if e.value.n != tagNil {
				return e.key, e.value, keyedBase + fields + i + 1
			}
		}
	}
	return Nil, Nil, 0
}

// Next returns the entry after key k in the order of a traversal, nil for k to
// begin; ok is false when k is not a key of t. At the end the key is nil.
func (t *Table) Next(k Value) (key, value Value, ok bool) {
	pos, ok := t.position(k)
	if !ok {
		return Nil, Nil, false
	}
	key, value, _ = t.nextFrom(pos)
	return key, value, true
}

// position returns the position of the traversal after key k.
func (t *Table) position(k Value) (int, bool) {
	switch {
	case k.n == tagNil:
		return 0, true
	case k.IsNumber():
		f := k.Num()
		if i := int(f); float64(i) == f && uint(i) <= uint(cap(t.arr)) && cap(t.arr) > 0 {
			return i + 1, true
		}
		if f == 0 {
			k = Int(0)
		}
	case k.IsString():
		if slot := t.shape.find(k); slot >= 0 {
			return keyedBase + slot + 1, true
		}
	}
	if t.hash != nil {
		if i := t.hash.find(k); i >= 0 {
			if order := t.hashOrder(); order != nil {
				i = int(order.rank[i])
			}
			return keyedBase + len(t.shape.keys) + i + 1, true
		}
	}
	return 0, false
}
