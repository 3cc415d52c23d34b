package runtime

import "sync/atomic"

// Site is the inline cache of one place in the source that names a constant
// key: t.name, t:name(), a global. Generated code has one package-level Site a
// place; all workers share it, so it is only touched atomically, and a stale or
// lost entry costs a lookup, never a wrong answer.
//
//	own    shape<<32 | slot: a table of this shape has the key in this slot
//	proto  shape<<40 | proto<<16 | slot: a table of this shape lacks the key, and its
//	       metatable's __index, a table of shape proto, has it in slot.
//	       A site that stores keeps its last "add the key" transition there instead:
//	       old shape<<40 | new shape<<16 | slot.
type Site struct {
	Key string

	own    atomic.Uint64
	proto  atomic.Uint64
	hashed atomic.Uint64 // hash of Key, 0 until it was needed
}

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
