package shdict

import "strings"

// elem is one element of a list.
type elem struct {
	value      Value
	page       int
	prev, next *elem
}

// listElems is the value of a list entry.
type listElems struct {
	first, last *elem
	n           int
}

func (l *listElems) clear(d *Dict) {
	for x := l.first; x != nil; x = x.next {
		d.slab.release(x.page)
	}
	*l = listElems{}
}

func (l *listElems) insert(x *elem, front bool) {
	l.n++
	switch {
	case l.first == nil:
		l.first, l.last = x, x
	case front:
		x.next, l.first.prev = l.first, x
		l.first = x
	default:
		x.prev, l.last.next = l.last, x
		l.last = x
	}
}

func (l *listElems) take(front bool) *elem {
	x := l.last
	if front {
		x = l.first
	}
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		l.first = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		l.last = x.prev
	}
	l.n--
	return x
}

// Push adds a string or number to the front or back of a list and gives the new
// length. It makes the list when the key is absent, and never evicts.
func (d *Dict) Push(key string, v Value, front bool) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evict(false)
	e, expired := d.lookup(key)
	switch {
	case e != nil && expired && e.elems == nil:
		d.remove(e)
		e = nil
	case e != nil && expired:
		e.elems.clear(d)
		e.expires = 0
	case e != nil && e.elems == nil:
		return 0, ErrNotList
	}
	if e == nil {
		page := d.slab.alloc(entryHeader + listExtra + len(key))
		if page < 0 {
			return 0, ErrNoMemory
		}
		e = d.insert(key, page)
		e.value.Kind, e.elems = list, &listElems{}
	}
	page := d.slab.alloc(elemHeader + v.size())
	if page < 0 {
		if e.elems.n == 0 {
			d.remove(e)
		}
		return 0, ErrNoMemory
	}
	v.Str = strings.Clone(v.Str)
	e.elems.insert(&elem{value: v, page: page}, front)
	return e.elems.n, nil
}

// Pop takes the first or last element; Kind Nil when there is no list.
func (d *Dict) Pop(key string, front bool) (Value, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evict(false)
	e, expired := d.lookup(key)
	if e == nil || expired {
		return Value{}, nil
	}
	if e.elems == nil {
		return Value{}, ErrNotList
	}
	x := e.elems.take(front)
	d.slab.release(x.page)
	if e.elems.n == 0 {
		d.remove(e)
	}
	return x.value, nil
}

// Len is the length of a list, 0 when it is absent.
func (d *Dict) Len(key string) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evict(false)
	e, expired := d.lookup(key)
	if e == nil || expired {
		return 0, nil
	}
	if e.elems == nil {
		return 0, ErrNotList
	}
	return e.elems.n, nil
}
