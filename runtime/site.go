package runtime

import "sync/atomic"

// Site is the inline cache of one place in the source that names a constant
// key: t.name, t:name(), a global. Generated code has one package-level Site a
// place; all workers share it, so it is only touched atomically, and a stale or
// lost entry costs a lookup, never a wrong answer.
//
//	own     shape<<32 | slot: a table of this shape has the key in this slot
//	added   the shape that a store moved a table to, whose last key is the site's
//	chains  where tables that have no value for the key led along __index
//
// An entry may only say what holds for every table of its shapes at any time, and these
// facts are all that there are:
//
//   - A shape has the key in the slot where it was found, or lacks it, for ever.
//   - A table of a shape that has the key has it nowhere else. One that lacks it may
//     have it in its hash part, so without a test of hash nothing follows.
//   - Whether a slot holds nil is a fact of one table at one time. Who uses an entry
//     looks at the value and goes on, as Lua does, where it is nil.
//   - Which metatable a table has, and what stands under __index and __newindex there,
//     is found anew each time (indexTable, lacks). So setmetatable, rawset, next with
//     stores, table.clear and changes of classes have nothing to invalidate.
type Site struct {
	Key string

	own    atomic.Uint64
	added  atomic.Pointer[Shape]
	chains atomic.Pointer[chains]
	misses atomic.Uint32 // times chains was replaced
	hashed atomic.Uint64 // hash of Key, 0 until it was needed
}

// chain is the way from a table of shape own along __index. The table at the last level
// has the key in slot, or, if not found, lacks it like those between and has no __index
// itself. The first table has the key in slot first-1, with nil there, or lacks it too if
// first is 0.
type chain struct {
	own    uint32
	depth  uint8
	found  bool
	first  uint16
	slot   uint32
	levels [maxChain + 1]level // one more than needed, so that an index masked with 3 is in range
}

// level is a step of a chain: a metatable of shape meta has __index in slot, a table of
// shape shape.
type level struct{ meta, slot, shape uint32 }

// chains is an immutable set of ways: a polymorphic cache.
type chains struct {
	n   int
	way [4]chain
}

const (
	maxChain  = 3   // levels of __index that a chain follows
	maxMisses = 256 // replacements after which a site keeps the chains that it has
)

// NewSite returns a site for key.
func NewSite(key string) *Site { return &Site{Key: key} }

// key returns the site's key as a Value.
func (s *Site) key() Value { return String(s.Key) }

// hash returns the hash of the site's key.
func (s *Site) hash() uint64 {
	h := s.hashed.Load()
	if h == 0 {
		h = hashString(s.Key)
		s.hashed.Store(h)
	}
	return h
}

// follow looks the key up for t by the ways that are known.
func (s *Site) follow(t *Table) (v Value, ok bool) {
	cs := s.chains.Load()
	if cs == nil || t.hash != nil {
		return Value{}, false
	}
next:
	for i := range cs.n {
		c := &cs.way[i]
		if c.own != t.shapeID {
			continue
		}
		if c.first != 0 {
			if v = *t.rec.at(uint32(c.first - 1)); v.n != tagNil {
				return v, true
			}
		}
		u := t
		for d := range c.depth {
			l := &c.levels[d&3]
			m := u.meta
			if m == nil || m.shapeID != l.meta {
				continue next
			}
			h := m.rec.at(l.slot)
			if h.n != tagTable {
				continue next
			}
			if u = h.Table(); u.shapeID != l.shape {
				continue next
			}
			if u.hash != nil && !(c.found && d+1 == c.depth) {
				continue next
			}
		}
		if c.found {
			if v = *u.rec.at(c.slot); v.n != tagNil {
				return v, true
			}
		} else if u.meta == nil || u.meta.shape.events[evIndex] == 0 && u.meta.hash == nil {
			return Value{}, true
		}
	}
	return Value{}, false
}

// indexTable returns the table that is t's __index, nil when there is none.
func (t *Table) indexTable() *Table {
	if t.meta == nil {
		return nil
	}
	return t.meta.metaIndex()
}

// metaIndex returns the __index of the metatable m when it is a table in m's
// record, else nil.
func (m *Table) metaIndex() *Table {
	slot := m.shape.events[evIndex]
	if slot == 0 {
		return nil
	}
	h := m.rec.at(uint32(slot - 1))
	if h.n != tagTable {
		return nil
	}
	return h.Table()
}

// learn finds the way for t, which has no value for the key, and remembers it, when
// there is one.
func (s *Site) learn(t *Table) {
	if s.misses.Load() > maxMisses {
		return
	}
	c := chain{own: t.shapeID}
	for u := t; ; {
		slot := u.shape.findSite(s)
		if u == t {
			c.first = uint16(slot + 1)
		} else if slot >= 0 {
			if u.rec.at(uint32(slot)).n == tagNil {
				return // the way would go on from here only while this is nil
			}
			c.found, c.slot = true, uint32(slot)
			break
		}
		if u.hash != nil {
			return
		}
		next := u.indexTable()
		if next == nil {
			if u.meta.metaField(evIndex).n != tagNil {
				return
			}
			break
		}
		if c.depth == maxChain {
			return
		}
		m := u.meta.shape
		c.levels[c.depth] = level{m.id, uint32(m.events[evIndex] - 1), next.shapeID}
		c.depth++
		u = next
	}
	cs := &chains{n: 1}
	cs.way[0] = c
	if old := s.chains.Load(); old != nil {
		cs.n += copy(cs.way[1:], old.way[:old.n])
	}
	s.misses.Add(1)
	s.chains.Store(cs)
}
