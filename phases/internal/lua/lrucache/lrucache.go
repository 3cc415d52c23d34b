// Package lrucache is resty.lrucache in Go.
package lrucache

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// lruCache is an object of resty.lrucache: a table of a fixed number of entries
// that drops the one used longest ago.
type lruCache struct {
	size  int
	index *rt.Table // key to the entry's userdata
	count int
	root  lruEntry // ring; root.next is the newest
}

type lruEntry struct {
	key, value rt.Value
	expires    time.Time // zero: never
	flags      int
	prev, next *lruEntry
}

func newLRUCache(size int) *lruCache {
	c := &lruCache{size: size, index: rt.NewTable(0, 0)}
	c.root.prev, c.root.next = &c.root, &c.root
	return c
}

func (c *lruCache) find(key rt.Value) *lruEntry {
	if v := c.index.Get(key); v.IsUserdata() {
		return v.Userdata().Data.(*lruEntry)
	}
	return nil
}

func (e *lruEntry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

func (c *lruCache) pushFront(e *lruEntry) {
	e.prev, e.next = &c.root, c.root.next
	e.prev.next, e.next.prev = e, e
}

func (c *lruCache) remove(e *lruEntry) {
	e.unlink()
	c.index.Set(e.key, rt.Nil)
	c.count--
}

func (c *lruCache) set(key, value rt.Value, ttl float64, flags int) {
	e := c.find(key)
	if e == nil {
		if c.count == c.size {
			c.remove(c.root.prev)
		}
		e = &lruEntry{key: key}
		c.index.Set(key, rt.NewUserdata(e, nil))
		c.count++
	} else {
		e.unlink()
	}
	c.pushFront(e)
	e.value, e.flags, e.expires = value, flags, time.Time{}
	if ttl > 0 {
		e.expires = time.Now().Add(time.Duration(ttl * float64(time.Second)))
	}
}

// lruOf is the cache that a method was called on.
func lruOf(th *rt.Thread, args []rt.Value) *lruCache {
	if v := th.CheckTable(args, 0).Int(1); v.IsUserdata() {
		if c, ok := v.Userdata().Data.(*lruCache); ok {
			return c
		}
	}
	th.ArgError(0, "lrucache object expected")
	return nil
}

// lruMethods is the methods of a cache.
var lruMethods = lib.Functions{
	{"get", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		c := lruOf(th, args)
		e := c.find(rt.ArgAt(args, 1))
		if e == nil {
			return rt.Nil, 1
		}
		e.unlink()
		c.pushFront(e)
		if !e.expires.IsZero() && time.Now().After(e.expires) {
			return th.Return3(rt.Nil, e.value, rt.Int(e.flags))
		}
		return th.Return3(e.value, rt.Nil, rt.Int(e.flags))
	}},
	{"set", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		c := lruOf(th, args)
		key := rt.ArgAt(args, 1)
		if key.IsNil() {
			th.Errorf("table index is nil")
		}
		flags := 0
		if v := rt.ArgAt(args, 4); v.IsNumber() && v.Num() >= 0 {
			flags = int(v.Num())
		}
		ttl := 0.0
		if v := rt.ArgAt(args, 3); v.Truthy() {
			ttl = th.CheckNumber(args, 3)
		}
		c.set(key, rt.ArgAt(args, 2), ttl, flags)
		return rt.Nil, 0
	}},
	{"delete", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		c := lruOf(th, args)
		e := c.find(rt.ArgAt(args, 1))
		if e == nil {
			return rt.False, 1
		}
		c.remove(e)
		return rt.True, 1
	}},
	{"count", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return rt.Int(lruOf(th, args).count), 1 }},
	{"capacity", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return rt.Int(lruOf(th, args).size), 1 }},
	{"get_keys", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		c := lruOf(th, args)
		limit := th.OptInt(args, 1, 0)
		t := rt.NewTable(0, 0)
		if v := rt.ArgAt(args, 2); v.IsTable() {
			t = v.Table()
		}
		n := 0
		for e := c.root.next; e != &c.root && (limit <= 0 || n < limit); e = e.next {
			n++
			t.SetInt(n, e.key)
		}
		t.SetInt(n+1, rt.Nil)
		return rt.TableValue(t), 1
	}},
	{"flush_all", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		c := lruOf(th, args)
		c.index, c.count = rt.NewTable(0, 0), 0
		c.root.prev, c.root.next = &c.root, &c.root
		return rt.Nil, 0
	}},
}

// Module is the resty.lrucache module.
func Module() *rt.Table {
	meta := rt.NewTable(0, 1)
	meta.SetStr("__index", rt.TableValue(lruMethods.Table(0)))
	t := lib.Functions{{"new", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		size := th.CheckInt(args, 0)
		if size < 1 {
			return lib.Fail(th, "size too small")
		}
		object := rt.NewTable(1, 0)
		object.SetInt(1, rt.NewUserdata(newLRUCache(size), nil))
		object.SetMeta(meta)
		return rt.TableValue(object), 1
	}}}.Table(1)
	t.SetStr("_VERSION", rt.String("0.13"))
	return t
}
