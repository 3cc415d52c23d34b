package golden

import (
	"fmt"
	"strings"
)

// fieldModel says what the programs of TestRandomFields print: Lua's rules for fields
// on Go maps.
type fieldModel struct {
	objects [fieldObjects]*fieldTable
	ids     int
	depth   int // of calls of functions by index
	out     strings.Builder
}

// fieldTable is a table: its keys are strings and, for list items, ints.
type fieldTable struct {
	id     int
	fields map[any]any // values are int, string, bool, *fieldTable and fieldFunc
	meta   *fieldTable
}

// fieldFunc is the function F[n].
type fieldFunc int

// fieldError is the panic of a Lua error.
type fieldError struct{}

func newFieldModel() *fieldModel { return &fieldModel{} }

func (m *fieldModel) born() *fieldTable {
	m.ids++
	return &fieldTable{id: m.ids, fields: map[any]any{}}
}

// rawset sets a field; nil takes it away.
func (t *fieldTable) rawset(k, v any) {
	if v == nil {
		delete(t.fields, k)
		return
	}
	t.fields[k] = v
}

// metamethod returns what the metatable of a value holds for an event.
func metamethod(v any, event string) any {
	if t, ok := v.(*fieldTable); ok && t.meta != nil {
		return t.meta.fields[event]
	}
	return nil
}

// index is v[k].
func (m *fieldModel) index(v, k any) any {
	for range 100 {
		var h any
		switch x := v.(type) {
		case *fieldTable:
			if r := x.fields[k]; r != nil {
				return r
			}
			if h = metamethod(x, "__index"); h == nil {
				return nil
			}
		case string:
			return nil // the string library has none of the keys
		default:
			panic(fieldError{})
		}
		if f, ok := h.(fieldFunc); ok {
			if m.depth++; m.depth > 1000 { // without end: a stack overflow
				panic(fieldError{})
			}
			defer func() { m.depth-- }()
			return m.call(f, v, k, nil)
		}
		v = h
	}
	panic(fieldError{})
}

// setIndex is v[k] = x.
func (m *fieldModel) setIndex(v, k, x any) {
	for range 100 {
		t, ok := v.(*fieldTable)
		if !ok {
			panic(fieldError{}) // a string has no __newindex either
		}
		h := metamethod(t, "__newindex")
		if h == nil || t.fields[k] != nil {
			t.rawset(k, x)
			return
		}
		if f, ok := h.(fieldFunc); ok {
			m.call(f, v, k, x)
			return
		}
		v = h
	}
	panic(fieldError{})
}

// call calls F[n] with arguments t, k, v.
func (m *fieldModel) call(f fieldFunc, t, k, v any) any {
	self := func() *fieldTable {
		if t, ok := t.(*fieldTable); ok {
			return t
		}
		panic(fieldError{})
	}
	raw := func(t *fieldTable, v any) {
		if k == nil {
			panic(fieldError{})
		}
		t.rawset(k, v)
	}
	_, named := k.(string)
	switch f {
	case 1:
		return "f1"
	case 2:
		if t, ok := k.(*fieldTable); ok {
			return fmt.Sprint("f2", t.id)
		}
		if f, ok := k.(fieldFunc); ok {
			return fmt.Sprint("f2", int(f))
		}
		return "f2" + show(k)
	case 3:
		if v != nil {
			raw(self(), v)
		}
		return "f3"
	case 4:
		return m.objects[1].fields[k]
	case 5:
		if v != nil {
			raw(m.objects[2], v)
		}
		return 5
	case 6:
		if named {
			if v == nil {
				v = "lazy"
			}
			raw(self(), v)
		}
		return v
	case 7:
		if named {
			return m.index(m.objects[3], k)
		}
		return "f7"
	}
	panic("no such function")
}

// apply is f(self, v) for any f.
func (m *fieldModel) apply(f, self, v any) any {
	if f, ok := f.(fieldFunc); ok {
		return m.call(f, self, v, nil)
	}
	if h, ok := metamethod(f, "__call").(fieldFunc); ok {
		return m.call(h, f, self, v)
	}
	panic(fieldError{})
}

// value decodes an operand, as val does.
func (m *fieldModel) value(c int) any {
	switch {
	case c <= 0:
		return nil
	case c > 300:
		return c == 301
	case c > 200:
		return fieldFunc(c - 200)
	case c > 100:
		return m.objects[c-101]
	case c > 50:
		return fmt.Sprint("s", c)
	}
	return c
}

// show is how a value is printed.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case *fieldTable:
		return fmt.Sprint("t", v.id)
	case fieldFunc:
		return fmt.Sprint("F", int(v))
	}
	return fmt.Sprint(v)
}

// step runs a place and prints its result.
func (m *fieldModel) step(p fieldPlace, o, v, w int) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(fieldError); !ok {
				panic(r)
			}
			m.out.WriteString("error\n")
		}
	}()
	r := m.run(p, o, m.value(v), m.value(w))
	m.out.WriteString(show(r) + "\n")
}

// run is the meaning of a place's kind; see fieldKinds and fieldCommon.
func (m *fieldModel) run(p fieldPlace, slot int, v, w any) any {
	o := m.objects[slot]
	switch p.kind {
	case "get", "index", "global":
		return m.index(o, p.k)
	case "two":
		x := m.index(o, p.k)
		return show(x) + show(m.index(o, p.l))
	case "set", "setindex", "setglobal":
		m.setIndex(o, p.k, v)
	case "inc":
		n, _ := m.index(o, p.k).(int)
		m.setIndex(o, p.k, n+1)
		return m.index(o, p.k)
	case "move":
		m.setIndex(o, p.k, m.index(o, p.l))
	case "call":
		if _, ok := m.index(o, p.k).(fieldFunc); ok {
			return m.apply(m.index(o, p.k), o, v)
		}
		return "none"
	case "record", "object", "grown":
		t := m.born()
		switch p.kind {
		case "record":
			t.rawset(p.k, v)
			t.rawset(p.l, w)
		case "object":
			t.rawset(p.k, v)
			t.meta, _ = w.(*fieldTable)
		case "grown":
			t.rawset(p.l, w)
			t.rawset(p.k, w)
		}
		m.objects[slot] = t
	case "rawget":
		return o.fields[p.k]
	case "rawset":
		o.rawset(p.k, v)
	case "meta":
		o.meta, _ = v.(*fieldTable)
	case "class":
		m.setIndex(o, "__index", o)
	case "add":
		return m.apply(metamethod(o, "__add"), o, 1)
	case "apply":
		if f, ok := metamethod(o, "__call").(fieldFunc); ok {
			return m.call(f, o, v, nil)
		}
		panic(fieldError{})
	default:
		return m.whole(p.kind, slot, v)
	}
	return nil
}

// whole runs the kinds that go through a whole table.
func (m *fieldModel) whole(kind string, slot int, v any) any {
	o := m.objects[slot]
	n := 0 // items of the list
	for o.fields[n+1] != nil {
		n++
	}
	switch kind {
	case "sweep", "bump", "empty":
		for k, x := range o.fields {
			_, named := k.(string)
			i, number := x.(int)
			switch {
			case kind == "empty", kind == "sweep" && named && number && i%2 == 0:
				delete(o.fields, k)
			case kind == "bump" && number:
				o.fields[k] = i + 1
			}
		}
	case "clear":
		clear(o.fields)
	case "insert":
		if v != nil {
			o.fields[n+1] = v
		}
	case "remove":
		x := o.fields[n]
		delete(o.fields, n)
		return x
	case "fill", "unfill":
		for i := range 12 {
			delete(o.fields, fmt.Sprint("x", i+1))
			if kind == "fill" {
				o.fields[fmt.Sprint("x", i+1)] = i + 1
			}
		}
	case "copy":
		t := m.born()
		for k, x := range o.fields {
			t.fields[k] = x
		}
		m.objects[slot] = t
	default:
		panic("no such kind")
	}
	return nil
}

// dump prints the objects at the end.
func (m *fieldModel) dump() {
	for _, o := range m.objects {
		m.out.WriteString(fmt.Sprint("t", o.id))
		for _, k := range fieldKeys {
			m.out.WriteString(" " + show(o.fields[k]))
		}
		items, sum := 0, 0
		for o.fields[items+1] != nil {
			items++
		}
		for _, x := range o.fields {
			if i, ok := x.(int); ok {
				sum += i
			}
		}
		fmt.Fprintf(&m.out, "\t%d\t%d\t%d\n", items, len(o.fields), sum)
	}
}
