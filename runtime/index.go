package runtime

// maxMetaChain is the number of __index or __newindex steps after which a chain
// counts as a loop.
const maxMetaChain = 100

// The exported accessors try the usual case and leave all else to one call in tail
// position with their own arguments: so they need no stack for them.

// Field returns v.name through the site's caches.
func Field(th *Thread, v Value, s *Site, where string) Value {
	if v.n == tagTable {
		t := v.Table()
		if c := s.own.Load(); uint32(c>>32) == t.shapeID {
			r := *t.rec.at(uint32(c))
			if r.n != tagNil || t.meta == nil {
				return r
			}
		}
	}
	return fieldMiss(th, v, s, where)
}

// fieldMiss is Field for a key that the record lacks, as far as the site knows.
//
//go:noinline
func fieldMiss(th *Thread, v Value, s *Site, where string) Value {
	if v.n == tagTable {
		if r, ok := s.follow(v.Table()); ok {
			return r
		}
	}
	return th.fieldSlow(v, s, where)
}

// fieldSlow is Field without caches; it fills them.
//
//go:noinline
func (th *Thread) fieldSlow(v Value, s *Site, where string) Value {
	if v.n == tagTable {
		t := v.Table()
		if slot := t.shape.findSite(s); slot >= 0 {
			s.own.Store(uint64(t.shapeID)<<32 | uint64(slot))
			if r := *t.rec.at(uint32(slot)); r.n != tagNil {
				return r
			}
		}
		s.learn(t)
		return th.indexSlow(v, s.key(), where)
	}
	h := th.metatable(v).metaField(evIndex)
	if h.n == tagTable {
		return Field(th, h, s, where)
	}
	return th.indexSlow(v, s.key(), where)
}

// findSite is find for a site's key, whose hash is kept.
func (s *Shape) findSite(site *Site) int {
	if len(s.keys) <= linearKeys {
		return s.find(site.key())
	}
	return s.findHashed(site.key(), uint32(site.hash()))
}

// Index returns v[k].
func Index(th *Thread, v, k Value, where string) Value {
	if v.n == tagTable {
		t := v.Table()
		f := k.Num()
		if i := int(f); float64(i) == f && uint(i-1) < uint(len(t.arr)) {
			if r := t.arr[i-1]; r.n != tagNil {
				return r
			}
		}
	}
	return indexMiss(th, v, k, where)
}

// indexMiss is Index for a key that is not in the array part.
//
//go:noinline
func indexMiss(th *Thread, v, k Value, where string) Value {
	if v.n == tagTable {
		t := v.Table()
		if slot := t.dictionary(k); slot != nil && slot.n != tagNil {
			return *slot
		}
		if r := t.Get(k); r.n != tagNil || t.meta == nil {
			return r
		}
	}
	return th.indexSlow(v, k, where)
}

// indexSlow is Index by way of metamethods.
//
//go:noinline
func (th *Thread) indexSlow(v, k Value, where string) Value {
	for level := 0; level < maxMetaChain; level++ {
		var h Value
		if v.n == tagTable {
			t := v.Table()
			if r := t.Get(k); r.n != tagNil {
				return r
			}
			if h = t.meta.metaField(evIndex); h.n == tagNil {
				return Nil
			}
		} else if h = th.metatable(v).metaField(evIndex); h.n == tagNil {
			th.indexError(v, where, k)
		}
		where = "" // what stands behind __index has no name
		if h.n == tagFunction {
			r, _ := Call2(th, h, "", v, k)
			return r
		}
		v = h
	}
	th.runtimeError("loop in gettable")
	return Nil
}

// IndexInt returns v[i].
func IndexInt(th *Thread, v Value, i int, where string) Value {
	if v.n == tagTable {
		t := v.Table()
		if uint(i-1) < uint(len(t.arr)) {
			if r := t.arr[i-1]; r.n != tagNil {
				return r
			}
		}
	}
	return indexMiss(th, v, Int(i), where)
}

// IndexNum returns v[f].
func IndexNum(th *Thread, v Value, f float64, where string) Value {
	if v.n == tagTable {
		t := v.Table()
		if i := int(f); float64(i) == f && uint(i-1) < uint(len(t.arr)) {
			if r := t.arr[i-1]; r.n != tagNil {
				return r
			}
		}
	}
	return indexMiss(th, v, Number(f), where)
}

// SetField sets o.name = v through the site's caches.
func SetField(th *Thread, o Value, s *Site, v Value, where string) {
	if o.n == tagTable {
		t := o.Table()
		if c := s.own.Load(); uint32(c>>32) == t.shapeID {
			slot := t.rec.at(uint32(c))
			if slot.n != tagNil || t.meta == nil || t.meta.lacks(evNewIndex) {
				slot.set(v)
				return
			}
		}
	}
	th.setFieldSlow(o, s, v, where)
}

// setFieldSlow is SetField without caches; it fills them.
//
//go:noinline
func (th *Thread) setFieldSlow(o Value, s *Site, v Value, where string) {
	if o.n == tagTable {
		t := o.Table()
		if t.meta == nil || t.meta.lacks(evNewIndex) {
			t.setSite(s, v)
			return
		}
	}
	th.setIndexSlow(o, s.key(), v, where)
}

// setSite sets a field without metamethods and fills the site's caches.
func (t *Table) setSite(s *Site, v Value) {
	if next := s.added.Load(); next != nil && next.from == t.shapeID && t.hash == nil && v.n != tagNil {
		t.addSlot(next, v)
		return
	}
	old := t.shapeID
	if slot := t.shape.findSite(s); slot >= 0 {
		s.own.Store(uint64(old)<<32 | uint64(slot))
		t.rec.at(uint32(slot)).set(v)
		return
	}
	t.setField(s.key(), v)
	if t.shapeID != old {
		s.added.Store(t.shape)
	}
}

// SetIndex sets o[k] = v.
func SetIndex(th *Thread, o, k, v Value, where string) {
	if o.n == tagTable && v.n != tagNil {
		t := o.Table()
		f := k.Num()
		if i := int(f); float64(i) == f && uint(i-1) < uint(len(t.arr)) {
			if slot := &t.arr[i-1]; slot.n != tagNil || t.meta == nil {
				slot.set(v)
				return
			}
		}
	}
	setIndexMiss(th, o, k, v, where)
}

// setIndexMiss is SetIndex for a place that the array part does not have.
//
//go:noinline
func setIndexMiss(th *Thread, o, k, v Value, where string) {
	if o.n == tagTable {
		t := o.Table()
		if k.n >= numberMin {
			f := k.Num()
			if i := int(f); float64(i) == f {
				setIntMiss(th, o, i, v, where)
				return
			}
		}
		if slot := t.dictionary(k); slot != nil && (slot.n != tagNil || t.meta == nil) {
			slot.set(v)
			return
		}
		if t.meta == nil {
			th.RawSet(t, k, v)
			return
		}
	}
	th.setIndexSlow(o, k, v, where)
}

// setIndexSlow is SetIndex by way of metamethods.
//
//go:noinline
func (th *Thread) setIndexSlow(o, k, v Value, where string) {
	for level := 0; level < maxMetaChain; level++ {
		var h Value
		if o.n == tagTable {
			t := o.Table()
			if t.meta == nil {
				th.RawSet(t, k, v)
				return
			}
			if h = t.meta.metaField(evNewIndex); h.n == tagNil || t.Get(k).n != tagNil {
				th.RawSet(t, k, v)
				return
			}
		} else if h = th.metamethod(o, evNewIndex); h.n == tagNil {
			th.indexError(o, where, k)
		}
		where = ""
		if h.n == tagFunction {
			Call3(th, h, "", o, k, v)
			return
		}
		o = h
	}
	th.runtimeError("loop in settable")
}

// SetIndexInt sets o[i] = v.
func SetIndexInt(th *Thread, o Value, i int, v Value, where string) {
	if o.n == tagTable && v.n != tagNil {
		t := o.Table()
		if uint(i-1) < uint(len(t.arr)) {
			if slot := &t.arr[i-1]; slot.n != tagNil || t.meta == nil {
				slot.set(v)
				return
			}
		}
	}
	setIntMiss(th, o, i, v, where)
}

// setIntMiss is SetIndexInt for a place that the array part does not have.
//
//go:noinline
func setIntMiss(th *Thread, o Value, i int, v Value, where string) {
	if o.n == tagTable {
		t := o.Table()
		if t.meta == nil {
			n := len(t.arr)
			if i-1 == n && n < cap(t.arr) && v.n != tagNil {
				t.arr = t.arr[:n+1]
				t.arr[n].set(v)
				return
			}
			t.SetInt(i, v)
			return
		}
	}
	th.setIndexSlow(o, Int(i), v, where)
}

// SetIndexNum sets o[f] = v.
func SetIndexNum(th *Thread, o Value, f float64, v Value, where string) {
	if i := int(f); float64(i) == f {
		SetIndexInt(th, o, i, v, where)
		return
	}
	SetIndex(th, o, Number(f), v, where)
}

// RawSet sets t[k] = v without metamethods, raising the errors for nil and NaN keys.
func (th *Thread) RawSet(t *Table, k, v Value) {
	if k.n == tagNil {
		th.runtimeError("table index is nil")
	}
	if k.IsNumber() && k.Num() != k.Num() {
		th.runtimeError("table index is NaN")
	}
	t.Set(k, v)
}

// Env is the environment of a chunk's functions; setfenv and module change Table.
type Env struct {
	Table *Table
}

// Global returns the global variable of the site's name.
func Global(th *Thread, env *Env, s *Site) Value {
	t := env.Table
	if c := s.own.Load(); uint32(c>>32) == t.shapeID {
		if r := *t.rec.at(uint32(c)); r.n != tagNil {
			return r
		}
	}
	return Field(th, TableValue(t), s, "")
}

// SetGlobal sets the global variable of the site's name.
func SetGlobal(th *Thread, env *Env, s *Site, v Value) {
	SetField(th, TableValue(env.Table), s, v, "")
}

// Len returns #v.
func Len(th *Thread, v Value, where string) Value {
	switch {
	case v.n == tagTable:
		t := v.Table()
		if t.meta == nil {
			return Int(t.Len())
		}
		if h := t.meta.metaField(evLen); h.n != tagNil {
			r, _ := Call2(th, h, "", v, v)
			return r
		}
		return Int(t.Len())
	case v.IsString():
		return Int(int(v.n & lengthMask))
	}
	h := th.metamethod(v, evLen)
	if h.n == tagNil {
		th.typeError("get length of", v, where)
	}
	r, _ := Call2(th, h, "", v, v)
	return r
}
