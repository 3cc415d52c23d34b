package runtime

import "sync/atomic"

// Site is the inline cache of one place in the source that names a constant
// key: t.name, t:name(), a global. Generated code has one package-level Site a
// place; all workers share it, so it is only touched atomically, and a stale or
// lost entry costs a lookup, never a wrong answer.
//
//	own     shape<<32 | slot: a table of this shape has the key in this slot
//	added   the shape that a store moved a table to, whose last key is the site's
//	chains  where tables that lack the key led along __index
type Site struct {
	Key string

	own    atomic.Uint64
	added  atomic.Pointer[Shape]
	chains atomic.Pointer[chains]
	misses atomic.Uint32 // times chains was replaced
	hashed atomic.Uint64 // hash of Key, 0 until it was needed
}

// chain is the way from a table of shape own along __index: the table at level i
// (from 1) has shape shapes[i-1]. The one at the last level has the key in slot, or,
// if not found, lacks it like the others and has no __index itself.
type chain struct {
	own    uint32
	depth  uint8
	found  bool
	slot   uint32
	shapes [maxChain + 1]uint32 // one more than needed, so that an index masked with 3 is in range
}

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

// follow looks the key up for t, which has no value for it in its record.
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
		u := t
		for d := range c.depth {
			u = u.indexTable()
			if u == nil || u.shapeID != c.shapes[d&3] {
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

// learn finds the way for t and remembers it, when there is one.
func (s *Site) learn(t *Table) {
	if s.misses.Load() > maxMisses {
		return
	}
	c := chain{own: t.shapeID}
	for u := t; ; {
		slot := u.shape.findSite(s)
		if u != t && slot >= 0 {
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
		c.shapes[c.depth] = next.shapeID
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
