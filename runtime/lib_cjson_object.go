package runtime

import "strings"

// Objects that come from JSON are records, so that a script's obj.name finds its
// field by an inline cache. Shapes live for ever, and JSON is data: big objects are
// dictionaries, and only so many shapes are made from data.
const (
	maxJSONRecord   = 32      // fields of an object that becomes a record
	maxDataShapes   = 1 << 14 // shapes made from data, in the process
	maxDataChildren = 32      // of one shape
)

// newJSONObject returns the table of an object, given as key, value, key, value...
func newJSONObject(pairs []Value) *Table {
	n := len(pairs) / 2
	if n > maxJSONRecord {
		t := NewTable(0, 0)
		t.hash, t.hbits = newHash(n), hashBits(n)
		t.setPairs(pairs)
		return t
	}
	t, slots := newRecord(n)
	shape := emptyShape
	i := 0
	for ; i < len(pairs); i += 2 {
		next := shape.withData(pairs[i])
		if next == nil {
			break
		}
		slots[len(shape.keys)] = pairs[i+1]
		shape = next
	}
	t.shape, t.shapeID = shape, shape.id
	t.setPairs(pairs[i:]) // of a key that was there before too
	return t
}

func (t *Table) setPairs(pairs []Value) {
	for i := 0; i < len(pairs); i += 2 {
		t.Set(pairs[i], pairs[i+1])
	}
}

// withData is with for a key that comes from data; nil also when s has the key, or
// when data has made enough shapes.
func (s *Shape) withData(key Value) *Shape {
	if c := s.last.Load(); c != nil && sameString(c.keys[len(s.keys)], key) {
		return c
	}
	shapes.mu.Lock()
	defer shapes.mu.Unlock()
	if s.next[key.Str()] == nil {
		if s.data >= maxDataChildren || shapes.data >= maxDataShapes || s.find(key) >= 0 {
			return nil
		}
		s.data++
		shapes.data++
		key = String(strings.Clone(key.Str())) // a shape must not keep the text alive
	}
	return s.transition(key)
}
