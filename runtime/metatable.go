package runtime

// event is a metamethod.
type event uint8

const (
	evIndex event = iota
	evNewIndex
	evCall
	evEq
	evLt
	evLe
	evConcat
	evLen
	evAdd
	evSub
	evMul
	evDiv
	evMod
	evPow
	evUnm
	evToString
	evPairs
	evIpairs
	evMetatable
	evMode
	evGC
	evName
	numEvents
)

var eventNames = [numEvents]Value{
	evIndex: String("__index"), evNewIndex: String("__newindex"), evCall: String("__call"),
	evEq: String("__eq"), evLt: String("__lt"), evLe: String("__le"),
	evConcat: String("__concat"), evLen: String("__len"),
	evAdd: String("__add"), evSub: String("__sub"), evMul: String("__mul"),
	evDiv: String("__div"), evMod: String("__mod"), evPow: String("__pow"), evUnm: String("__unm"),
	evToString: String("__tostring"), evPairs: String("__pairs"), evIpairs: String("__ipairs"),
	evMetatable: String("__metatable"), evMode: String("__mode"), evGC: String("__gc"),
	evName: String("__name"),
}

// eventOf finds the event of a metamethod's name.
var eventOf = func() map[string]event {
	m := make(map[string]event, numEvents)
	for ev, name := range eventNames {
		m[name.Str()] = event(ev)
	}
	return m
}()

// metaField returns the metamethod ev of the metatable m, nil when there is none.
// m may be nil.
func (m *Table) metaField(ev event) Value {
	if m == nil {
		return Nil
	}
	if slot := m.shape.events[ev]; slot != 0 {
		return *m.rec.at(uint32(slot - 1))
	}
	if m.hash != nil {
		return m.hash.get(eventNames[ev])
	}
	return Nil
}

// lacks reports whether the metatable m, not nil, has surely no metamethod ev.
func (m *Table) lacks(ev event) bool { return m.shape.events[ev] == 0 && m.hash == nil }

// metatable returns v's metatable, nil when it has none.
func (th *Thread) metatable(v Value) *Table {
	switch v.n {
	case tagTable:
		return v.Table().meta
	case tagUserdata:
		return v.Userdata().Meta
	case tagCData:
		if s := v.CData().Struct; s != nil {
			return s.Meta
		}
	}
	return th.State.typeMeta[v.Type()]
}

// metamethod returns v's metamethod ev, nil when it has none.
func (th *Thread) metamethod(v Value, ev event) Value {
	return th.metatable(v).metaField(ev)
}

// Meta returns t's metatable or nil.
func (t *Table) Meta() *Table { return t.meta }

// SetMeta sets t's metatable; nil takes it away.
func (t *Table) SetMeta(m *Table) { t.meta = m }

// SetTypeMeta sets the metatable that all values of a type other than table and
// userdata share, as debug.setmetatable does.
func (st *State) SetTypeMeta(ty Type, m *Table) { st.typeMeta[ty] = m }

// TypeMeta returns the metatable that all values of a type share, or nil.
func (st *State) TypeMeta(ty Type) *Table { return st.typeMeta[ty] }
