package runtime

import (
	"math"
	"slices"
)

// tableLib is the functions of the table library but the hot ones. pack and unpack
// are there because OpenResty builds LuaJIT with its 5.2 switch.
var tableLib = []libFunc{
	{"concat", tableConcat},
	{"foreach", tableForeach},
	{"foreachi", tableForeachi},
	{"getn", tableGetn},
	{"maxn", tableMaxn},
	{"move", tableMove},
	{"pack", tablePack},
	{"sort", tableSort},
	{"unpack", baseUnpack},
}

var tableBuiltins = []builtin{
	{"insert", tableInsert},
	{"remove", tableRemove},
}

// tableModules are the functions that LuaJIT gives as modules of their own.
var tableModules = []libFunc{
	{"new", tableNew},
	{"clear", tableClear},
	{"clone", tableClone},
	{"isarray", tableIsArray},
	{"isempty", tableIsEmpty},
	{"nkeys", tableNkeys},
}

// openTable makes the table library. Like in LuaJIT, require "table.new" and its
// kind also enter the function in the library.
func openTable(st *State) {
	t := newLib(tableLib)
	t.addBuiltins(tableBuiltins)
	st.addLib("table", t)
	for _, m := range tableModules {
		f := NewGoFunction(m.name, m.fn)
		st.preload("table."+m.name, func(*Thread) Value {
			t.SetStr(m.name, f)
			return f
		})
	}
}

// EnterTableFunctions enters what require "table.NAME" would enter.
func (st *State) EnterTableFunctions(names ...string) {
	t := st.Globals.GetStr("table").Table()
	for _, m := range tableModules {
		if slices.Contains(names, m.name) {
			t.SetStr(m.name, NewGoFunction(m.name, m.fn))
		}
	}
}

func tableInsert(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 2 && a.IsTable() {
		t := a.Table()
		t.SetInt(t.Len()+1, b)
		return Nil, 0
	}
	if n != 3 || !a.IsTable() || !b.IsNumber() {
		args := th.argList(n, a, b, c)
		th.CheckTable(args, 0)
		if n != 3 {
			th.Errorf("wrong number of arguments to 'insert'")
		}
		b = Number(th.CheckNumber(args, 1))
	}
	t, pos := a.Table(), floatInt32(b.Num())
	size := t.Len()
	if pos >= 1 && pos <= size && size == len(t.arr) {
		t.SetInt(size+1, t.arr[size-1])
		if len(t.arr) == size+1 {
			copy(t.arr[pos:size], t.arr[pos-1:size-1])
			t.SetInt(pos, c)
			return Nil, 0
		}
	}
	for i := size + 1; i > pos; i-- {
		t.SetInt(i, t.Int(i-1))
	}
	t.SetInt(pos, c)
	return Nil, 0
}

// remove, move and foreachi get and set items without metamethods, and cut positions that
// are no whole numbers where they use them as keys, as LuaJIT's do.

func tableRemove(th *Thread, n int, a, b, _ Value) (Value, int) {
	// LuaJIT's remove, getn and foreach are Lua functions: they say "got nil" also
	// when there is no argument.
	if !a.IsTable() {
		th.CheckTable([]Value{a}, 0)
	}
	t := a.Table()
	size := th.lengthOf(a)
	pos := float64(size)
	if b.IsNil() {
		if size == 0 {
			return Nil, 0
		}
	} else {
		if !b.IsNumber() {
			b = Number(th.CheckNumber(th.argList(min(n, 2), a, b, Nil), 1))
		}
		if pos = b.Num(); !(pos >= 1 && pos <= float64(size)) {
			return Nil, 0
		}
	}
	v := t.Int(int(pos))
	if i := int(pos); float64(i) == pos && size == len(t.arr) {
		copy(t.arr[i-1:], t.arr[i:])
	} else {
		for f := pos + 1; f <= float64(size); f++ {
			t.SetInt(int(f-1), t.Int(int(f)))
		}
	}
	t.SetInt(size, Nil)
	return v, 1
}

// lengthOf returns #v for a table, by its __len when it has one.
func (th *Thread) lengthOf(v Value) int {
	if t := v.Table(); t.meta == nil {
		return t.Len()
	}
	f, ok := toNumber(Len(th, v, ""))
	if !ok {
		th.runtimeError("attempt to compare number with nil")
	}
	return floatInt32(f)
}

func tableConcat(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	sep := th.OptString(args, 1, "")
	from := floatInt32(th.OptNumber(args, 2, 1))
	to := t.Len()
	if !isAbsent(args, 3) {
		to = floatInt32(th.CheckNumber(args, 3))
	}
	if from > to {
		return String(""), 1
	}
	size := 0
	for i := from; i <= to; i++ {
		v := t.Int(i)
		if !isStringable(v) {
			th.Errorf("invalid value (%s) at index %d in table for 'concat'", TypeName(v), i)
		}
		size += concatLen(v)
	}
	if gaps := to - from; gaps > 0 && len(sep) > 0 {
		th.checkLength(len(sep))
		th.checkLength(gaps * len(sep))
	}
	size += len(sep) * (to - from)
	th.checkLength(size)
	if from == to && t.Int(from).IsString() {
		return t.Int(from), 1
	}
	buf := make([]byte, 0, size)
	for i := from; i <= to; i++ {
		if i > from {
			buf = append(buf, sep...)
		}
		buf = appendString(buf, t.Int(i))
	}
	return bytesValue(buf), 1
}

func tableForeach(th *Thread, args []Value) (Value, int) {
	pair := []Value{ArgAt(args, 0), ArgAt(args, 1)}
	t, f := th.CheckTable(pair, 0), th.CheckFunction(pair, 1)
	for k, v, pos := t.nextFrom(0); pos != 0; k, v, pos = t.nextFrom(pos) {
		if r, _ := Call2(th, f, "", k, v); !r.IsNil() {
			return r, 1
		}
	}
	return Nil, 0
}

func tableForeachi(th *Thread, args []Value) (Value, int) {
	pair := []Value{ArgAt(args, 0), ArgAt(args, 1)}
	t, f := th.CheckTable(pair, 0), th.CheckFunction(pair, 1)
	for i, n := 1, th.lengthOf(pair[0]); i <= n; i++ {
		if r, _ := Call2(th, f, "", Int(i), t.Int(i)); !r.IsNil() {
			return r, 1
		}
	}
	return Nil, 0
}

func tableGetn(th *Thread, args []Value) (Value, int) {
	v := ArgAt(args, 0)
	th.CheckTable([]Value{v}, 0)
	return Int(th.lengthOf(v)), 1
}

func tableMaxn(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	highest := 0.0
	for k, _, pos := t.nextFrom(0); pos != 0; k, _, pos = t.nextFrom(pos) {
		if k.IsNumber() {
			highest = max(highest, k.Num())
		}
	}
	return Number(highest), 1
}

func tableMove(th *Thread, args []Value) (Value, int) {
	args = append(append(make([]Value, 0, 5), args...), Nil, Nil, Nil, Nil, Nil)[:5]
	src := th.CheckTable(args, 0)
	from, end, to := th.CheckNumber(args, 1), th.CheckNumber(args, 2), th.CheckNumber(args, 3)
	dst := src
	if !isAbsent(args, 4) {
		dst = th.CheckTable(args, 4)
	}
	if !(end >= from) {
		return TableValue(dst), 1
	}
	d := to - from
	if to > end || to <= from || src != dst {
		for i := from; i <= end; i++ {
			dst.SetInt(int(i+d), src.Int(int(i)))
		}
	} else { // overlapping, upwards: from the end
		for i := end; i >= from; i-- {
			dst.SetInt(int(i+d), src.Int(int(i)))
		}
	}
	return TableValue(dst), 1
}

func tablePack(_ *Thread, args []Value) (Value, int) {
	v := NewArrayList(args)
	v.Table().SetStr("n", Int(len(args)))
	return v, 1
}

// maxPresize is the number of places table.new reserves at most in each part; a
// table grows beyond it when it is used.
const maxPresize = 1 << 20

// The sizes that LuaJIT refuses to make a table of.
const (
	maxArraySize = 1 << 27
	maxHashSize  = 1 << 26
)

func tableNew(th *Thread, args []Value) (Value, int) {
	narr := floatInt32(th.CheckNumber(args, 0))
	nrec := floatInt32(th.CheckNumber(args, 1))
	if narr > maxArraySize || nrec > maxHashSize {
		th.Throw(String("table overflow"))
	}
	size := func(n int) int { return max(0, min(n, maxPresize)) }
	return TableValue(NewTable(size(narr), size(nrec))), 1
}

func tableClear(th *Thread, args []Value) (Value, int) {
	th.CheckTable(args, 0).clear()
	return Nil, 0
}

// clear removes all entries and keeps the metatable and the sizes of the parts.
func (t *Table) clear() {
	t.fallBack()
	clear(t.arr)
	t.arr = t.arr[:0]
	t.state &^= holes
	t.places() // before the record is gone
	clear(t.rec.slice(len(t.shape.keys)))
	t.shape, t.shapeID, t.dead = emptyShape, emptyShape.id, 0
	t.hash = nil
}

func tableNkeys(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	_, n := t.arrayItems()
	if t.hash != nil && t.hash.zero.n != tagNil {
		n++
	}
	for _, _, pos := t.nextKeyed(keyedBase); pos != 0; _, _, pos = t.nextKeyed(pos) {
		n++
	}
	return Int(n), 1
}

// arrayItems returns the highest index of the array part that has a value, and
// how many have one.
func (t *Table) arrayItems() (highest, items int) {
	for i := range t.arr {
		if t.arr[i].n != tagNil {
			highest = i + 1
			items++
		}
	}
	return highest, items
}

// tableIsArray reports whether all keys are whole numbers, of any sign as in LuaJIT.
func tableIsArray(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	for k, _, pos := t.nextKeyed(keyedBase); pos != 0; k, _, pos = t.nextKeyed(pos) {
		if !k.IsNumber() || k.Num() != math.Floor(k.Num()) {
			return False, 1
		}
	}
	return True, 1
}

func tableIsEmpty(th *Thread, args []Value) (Value, int) {
	_, _, pos := th.CheckTable(args, 0).nextFrom(0)
	return Bool(pos == 0), 1
}

// tableClone copies the entries; the copy has no metatable.
func tableClone(th *Thread, args []Value) (Value, int) {
	return TableValue(th.CheckTable(args, 0).clone()), 1
}

func (t *Table) clone() *Table {
	fields := len(t.shape.keys)
	c := NewTable(cap(t.arr), fields)
	c.arr, c.state = c.arr[:len(t.arr)], t.state&^spare
	copy(c.arr, t.arr)
	copy(c.rec.slice(fields), t.rec.slice(fields))
	c.shape, c.shapeID, c.dead, c.hbits = t.shape, t.shapeID, t.dead, t.hbits
	if t.hash != nil {
		if t.hash.zero.n != tagNil {
			c.SetInt(0, t.hash.zero)
		}
		for i := range t.hash.entries {
			c.Set(t.hash.entries[i].key, t.hash.entries[i].value)
		}
	}
	return c
}
