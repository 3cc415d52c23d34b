// Package shdict is lua_shared_dict: a dictionary of strings, numbers, booleans
// and lists that all workers share, with expiry and with eviction of what was
// used longest ago. One mutex guards a dict, as in nginx: evicting in the right
// order needs one list of all entries, and an operation takes well under a
// microsecond.
package shdict

import (
	"errors"
	"strings"
	"sync"
)

// Kind is the type of a stored value.
type Kind uint8

const (
	Nil Kind = iota
	Bool
	Number
	String
	list
)

// Value is a stored value.
type Value struct {
	Kind Kind
	Num  float64 // Number; Bool: 0 or 1
	Str  string
}

// size is what the value takes in the zone.
func (v Value) size() int {
	switch v.Kind {
	case Bool:
		return 1
	case Number:
		return 8
	}
	return len(v.Str)
}

// The errors of the operations, as scripts see them.
var (
	ErrNoMemory  = errors.New("no memory")
	ErrExists    = errors.New("exists")
	ErrNotFound  = errors.New("not found")
	ErrIsList    = errors.New("value is a list")
	ErrNotList   = errors.New("value not a list")
	ErrNotNumber = errors.New("not a number")
	ErrNilValue  = errors.New("attempt to add or replace nil values")
)

// Sizes of ngx_lua's structures in front of a key, and of a list's elements.
const (
	entryHeader = 68
	listExtra   = 23
	elemHeader  = 21
)

// entry is one key.
type entry struct {
	key        string
	value      Value
	elems      *listElems // when value.Kind is list
	expires    int64      // milliseconds of the clock, 0 for never
	flags      int32
	page       int    // handle of the slab
	prev, next *entry // in order of use; the newest is root.next
}

// Dict is one zone.
type Dict struct {
	name string
	size int64
	now  func() int64

	mu      sync.Mutex
	entries map[string]*entry
	root    entry // ring of all entries
	slab    *slab
}

// New makes a zone of size bytes. now gives milliseconds. The error is for a
// size that has no room for an empty dict.
func New(name string, size int64, now func() int64) (*Dict, error) {
	d := &Dict{name: name, size: size, now: now, entries: make(map[string]*entry), slab: newSlab(size)}
	d.root.prev, d.root.next = &d.root, &d.root
	const logText = len(` in lua_shared_dict zone ""`) + 1
	if d.slab.alloc(zoneContext) < 0 || d.slab.alloc(logText+len(name)) < 0 {
		return nil, ErrNoMemory
	}
	return d, nil
}

// Name is the zone's name.
func (d *Dict) Name() string { return d.name }

// Capacity is the zone's size in bytes.
func (d *Dict) Capacity() int64 { return d.size }

// FreeSpace is the number of bytes in pages that nothing uses.
func (d *Dict) FreeSpace() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(d.slab.freeSize) * pageSize
}

func (d *Dict) unlink(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
}

func (d *Dict) pushFront(e *entry) {
	e.prev, e.next = &d.root, d.root.next
	e.prev.next, e.next.prev = e, e
}

func (d *Dict) touch(e *entry) {
	if d.root.next != e {
		d.unlink(e)
		d.pushFront(e)
	}
}

// remove frees an entry.
func (d *Dict) remove(e *entry) {
	if e.elems != nil {
		e.elems.clear(d)
	}
	d.unlink(e)
	delete(d.entries, e.key)
	d.slab.release(e.page)
}

// evict looks at the entries used longest ago: it drops up to two that have
// expired, and with force the very last one whatever it is.
func (d *Dict) evict(force bool) (freed int) {
	now := d.now()
	n := 1
	if force {
		n = 0
	}
	for ; n < 3; n++ {
		e := d.root.prev
		if e == &d.root {
			break
		}
		if n > 0 && (e.expires == 0 || e.expires > now) {
			break
		}
		d.remove(e)
		freed++
	}
	return freed
}

// lookup finds a key and makes it the newest.
func (d *Dict) lookup(key string) (e *entry, expired bool) {
	e = d.entries[key]
	if e == nil {
		return nil, false
	}
	d.touch(e)
	return e, e.expires != 0 && e.expires < d.now()
}

func (d *Dict) deadline(ttl int64) int64 {
	if ttl > 0 {
		return d.now() + ttl
	}
	return 0
}

// Get reads a key; a missing or expired one has Kind Nil.
func (d *Dict) Get(key string) (v Value, flags int32, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evict(false)
	e, expired := d.lookup(key)
	if e == nil || expired {
		return Value{}, 0, nil
	}
	if e.elems != nil {
		return Value{}, 0, ErrIsList
	}
	return e.value, e.flags, nil
}

// GetStale is Get that also gives expired values.
func (d *Dict) GetStale(key string) (v Value, flags int32, stale bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, expired := d.lookup(key)
	if e == nil {
		return Value{}, 0, false, nil
	}
	if e.elems != nil {
		return Value{}, 0, false, ErrIsList
	}
	return e.value, e.flags, expired, nil
}

// Mode says how Store treats present and absent keys.
type Mode uint8

const (
	Set     Mode = 0
	Add     Mode = 1 // only when absent
	Replace Mode = 2 // only when present
	Safe    Mode = 4 // never evicts what has not expired
)

// Store writes a key; ttl is in milliseconds, 0 for ever. A value of Kind Nil
// deletes. forcible tells that entries that had not expired were dropped.
func (d *Dict) Store(mode Mode, key string, v Value, ttl int64, flags int32) (forcible bool, err error) {
	if v.Kind == Nil && mode&(Add|Replace) != 0 {
		return false, ErrNilValue
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evict(false)
	e, expired := d.lookup(key)
	present := e != nil && !expired
	switch {
	case mode&Replace != 0 && !present:
		return false, ErrNotFound
	case mode&Add != 0 && present:
		return false, ErrExists
	}
	if e != nil {
		if v.Kind != Nil && e.elems == nil && e.value.size() == v.size() {
			e.set(v, d.deadline(ttl), flags)
			return false, nil
		}
		d.remove(e)
	}
	if v.Kind == Nil {
		return false, nil
	}
	page, forcible := d.allocate(entryHeader+len(key)+v.size(), mode&Safe == 0)
	if page < 0 {
		return forcible, ErrNoMemory
	}
	e = d.insert(key, page)
	e.set(v, d.deadline(ttl), flags)
	return forcible, nil
}

// set writes the value; the copy does not keep a longer string alive.
func (e *entry) set(v Value, expires int64, flags int32) {
	v.Str = strings.Clone(v.Str)
	e.value, e.expires, e.flags = v, expires, flags
}

func (d *Dict) insert(key string, page int) *entry {
	e := &entry{key: strings.Clone(key), page: page}
	d.entries[e.key] = e
	d.pushFront(e)
	return e
}

// allocate takes room, making some by eviction if it may: at most 30 rounds.
func (d *Dict) allocate(size int, evict bool) (page int, forcible bool) {
	if page = d.slab.alloc(size); page >= 0 || !evict {
		return page, false
	}
	for range 30 {
		if d.evict(true) == 0 {
			break
		}
		forcible = true
		if page = d.slab.alloc(size); page >= 0 {
			break
		}
	}
	return page, forcible
}

// Incr adds to a number. init, when not nil, is the value of an absent key, and
// ttl its time to live in milliseconds.
func (d *Dict) Incr(key string, by float64, init *float64, ttl int64) (n float64, forcible bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evict(false)
	e, expired := d.lookup(key)
	if e != nil && !expired {
		if e.value.Kind != Number {
			return 0, false, ErrNotNumber
		}
		e.value.Num += by
		return e.value.Num, false, nil
	}
	if init == nil {
		return 0, false, ErrNotFound
	}
	if e != nil && (e.elems != nil || e.value.size() != 8) {
		d.remove(e)
		e = nil
	}
	if e == nil {
		var page int
		page, forcible = d.allocate(entryHeader+len(key)+8, true)
		if page < 0 {
			return 0, forcible, ErrNoMemory
		}
		e = d.insert(key, page)
	}
	e.set(Value{Kind: Number, Num: by + *init}, d.deadline(ttl), 0)
	return e.value.Num, forcible, nil
}

// TTL is the time a key still has, in milliseconds: negative when it has expired
// and is still there, 0 when it never does.
func (d *Dict) TTL(key string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[key]
	switch {
	case e == nil:
		return 0, ErrNotFound
	case e.expires == 0:
		return 0, nil
	}
	return e.expires - d.now(), nil
}

// Expire sets the time to live of a key, in milliseconds; 0 is for ever.
func (d *Dict) Expire(key string, ttl int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[key]
	if e == nil {
		return ErrNotFound
	}
	e.expires = d.deadline(ttl)
	return nil
}

// FlushAll lets every entry expire.
func (d *Dict) FlushAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for e := d.root.next; e != &d.root; e = e.next {
		e.expires = 1
	}
	d.evict(true)
}

// FlushExpired frees up to limit expired entries, all of them when limit is 0.
func (d *Dict) FlushExpired(limit int) (freed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	for e := d.root.prev; e != &d.root; {
		prev := e.prev
		if e.expires != 0 && e.expires <= now {
			d.remove(e)
			if freed++; freed == limit {
				break
			}
		}
		e = prev
	}
	return freed
}

// Keys lists up to limit keys that have not expired, all when limit is 0, the
// one used longest ago first.
func (d *Dict) Keys(limit int) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	var keys []string
	for e := d.root.prev; e != &d.root; e = e.prev {
		if e.expires == 0 || e.expires > now {
			keys = append(keys, e.key)
			if len(keys) == limit {
				break
			}
		}
	}
	return keys
}
