package runtime

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Shape is the hidden class of a table's record part: an ordered list of string
// keys, slot i of the record holding the value of key i. Shapes are immutable,
// shared by all Lua states and never freed; adding a key to a table moves it
// along a transition to the shape that has one key more.
type Shape struct {
	id     uint32
	from   uint32  // id of the shape that has the last key less
	keys   []Value // shares its backing array with the first child
	hashes []uint32

	// events[ev] is 1 + the slot of the metamethod key, or 0. It makes a
	// metatable's "does it have __index" one load, with nothing to invalidate.
	events [numEvents]uint8

	last  atomic.Pointer[Shape]      // most recent child, to find it without the lock
	index atomic.Pointer[shapeIndex] // of big shapes, built after a few lookups
	looks atomic.Uint32              // lookups so far, until index is built
	next  map[string]*Shape          // all children; under shapes.mu
	data  int                        // children whose key came from data; under shapes.mu
}

// Limits. None of them is a limit of the language: what has no place in a record goes to
// the hash part.
const (
	maxRecord  = 200     // keys in a record, so that 1 + a slot fits a byte
	maxShapes  = 1 << 18 // shapes that stores make, some 100 MB; those of constructors do not count
	linearKeys = 8       // shapes up to this size are searched without an index
)

// shapes is the global registry. The lock is only taken to follow a transition
// that is not the shape's most recent one.
var shapes = struct {
	mu   sync.Mutex
	seen uint32 // shapes so far
	made uint32 // of them by stores to new fields
	data uint32 // of them from data
}{seen: 1}

// emptyShape is the shape of a table without record keys. Shape id 0 is never
// used: it marks an empty cache.
var emptyShape = &Shape{id: 1}

// hashSeed is common to all hashes of long strings: shapes and sites outlive states.
var hashSeed = maphash.MakeSeed()

// hashString returns the hash of a string key.
func hashString(s string) uint64 {
	if len(s) <= 16 {
		return hashShort(s)
	}
	return maphash.String(hashSeed, s)
}

// NewShape returns the shape of a constructor with these keys, which must be different
// and at most 200, in this order. Programs have as many constructors as they like.
func NewShape(keys ...string) *Shape {
	if len(keys) > maxRecord {
		panic("runtime: a record cannot have so many fields")
	}
	shapes.mu.Lock()
	defer shapes.mu.Unlock()
	s := emptyShape
	for _, k := range keys {
		s = s.transition(String(k))
	}
	return s
}

// with returns the shape that has key (kept as it is: keys come from the program's
// text, where equal constants share their bytes, which makes find fast) after s's keys,
// or nil when the table should use its hash part: too many keys, or too many shapes.
func (s *Shape) with(key Value) *Shape {
	if c := s.last.Load(); c != nil && sameString(c.keys[len(s.keys)], key) {
		return c
	}
	if len(s.keys) >= maxRecord {
		return nil
	}
	shapes.mu.Lock()
	defer shapes.mu.Unlock()
	if s.next[key.Str()] == nil {
		if shapes.made >= maxShapes {
			return nil
		}
		shapes.made++
	}
	return s.transition(key)
}

// transition returns the child for key, which is made if need be, and makes it the most
// recent one. The caller holds shapes.mu.
func (s *Shape) transition(key Value) *Shape {
	c := s.next[key.Str()]
	if c == nil {
		c = s.child(key)
		if s.next == nil {
			s.next = make(map[string]*Shape, 1)
		}
		s.next[c.lastKey().Str()] = c
	}
	s.last.Store(c)
	return c
}

// lastKey returns the key that the transition to s added.
func (s *Shape) lastKey() Value { return s.keys[len(s.keys)-1] }

// child makes the shape for one more key. The caller holds shapes.mu.
func (s *Shape) child(key Value) *Shape {
	shapes.seen++
	hash := uint32(hashString(key.Str()))
	c := &Shape{id: shapes.seen, from: s.id, events: s.events}
	if len(s.next) == 0 {
		c.keys = append(s.keys, key)
		c.hashes = append(s.hashes, hash)
	} else { // the spare capacity belongs to the first child
		n := len(s.keys)
		c.keys = append(s.keys[:n:n], key)
		c.hashes = append(s.hashes[:n:n], hash)
	}
	if ev, ok := eventOf[key.Str()]; ok {
		c.events[ev] = uint8(len(c.keys))
		if ev == evMode || ev == evGC {
			awaitsCollector.Store(true)
		}
	}
	return c
}

// shapeIndex is an open-addressing table from a key's hash to 1 + its slot.
type shapeIndex struct {
	mask  uint32
	slots []uint8
}

// find returns the slot of key, or -1.
func (s *Shape) find(key Value) int {
	n := len(s.keys)
	if n <= linearKeys {
		for i := range s.keys {
			if sameString(s.keys[i], key) {
				return i
			}
		}
		return -1
	}
	return s.findHashed(key, uint32(hashString(key.Str())))
}

// findHashed is find for a key whose hash is known.
func (s *Shape) findHashed(key Value, hash uint32) int {
	index := s.index.Load()
	if index == nil {
		if len(s.keys) > linearKeys && s.looks.Add(1) > 4 {
			index = s.buildIndex()
		} else {
			for i, h := range s.hashes {
				if h == hash && sameString(s.keys[i], key) {
					return i
				}
			}
			return -1
		}
	}
	for i := hash & index.mask; ; i = (i + 1) & index.mask {
		slot := index.slots[i]
		if slot == 0 {
			return -1
		}
		if sameString(s.keys[slot-1], key) {
			return int(slot - 1)
		}
	}
}

// buildIndex makes s's index and publishes it; two workers may both do so.
func (s *Shape) buildIndex() *shapeIndex {
	size := uint32(16)
	for size < 2*uint32(len(s.keys)) {
		size *= 2
	}
	index := &shapeIndex{mask: size - 1, slots: make([]uint8, size)}
	for slot, h := range s.hashes {
		i := h & index.mask
		for index.slots[i] != 0 {
			i = (i + 1) & index.mask
		}
		index.slots[i] = uint8(slot + 1)
	}
	s.index.Store(index)
	return index
}

// sameString reports whether two string values have the same bytes.
func sameString(a, b Value) bool {
	return a.n == b.n && (a.p == b.p || a.Str() == b.Str())
}
