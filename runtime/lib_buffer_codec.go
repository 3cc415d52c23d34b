package runtime

import (
	"encoding/binary"
	"math"
)

// The serialisation of string.buffer: LuaJIT's format, byte for byte where its tables
// and ours have the same parts. A value is a tag and its content; counts, lengths and
// indexes are "U124" numbers of one, two or five bytes.
const (
	tagEncNil      = 0x00
	tagEncFalse    = 0x01
	tagEncTrue     = 0x02
	tagEncNull     = 0x03
	tagEncInt      = 0x06 // 32 bits; written by LuaJIT builds with integer numbers only
	tagEncNum      = 0x07
	tagEncTable    = 0x08 // plus the flags below
	tagEncDictMeta = 0x0e
	tagEncDictStr  = 0x0f
	tagEncInt64    = 0x10
	tagEncUint64   = 0x11
	tagEncString   = 0x20 // plus the length

	encHash   = 0x01 // a hash part follows
	encArray0 = 0x02 // an array part follows that begins with index 0
	encArray1 = 0x04 // ... with index 1; its count includes index 0
)

// maxCodecDepth is how deep tables may nest.
const maxCodecDepth = 100

// codec holds the dictionaries of a buffer: strings and metatables that are written
// as their index.
type codec struct {
	strings     []Value
	metas       []*Table
	stringIndex map[string]int
	metaIndex   map[*Table]int
}

// options takes the dictionaries from the options of buffer.new.
func (c *codec) options(th *Thread, options *Table) {
	list := func(name string) *Table {
		v := options.GetStr(name)
		if v.IsNil() {
			return &Table{}
		}
		if !v.IsTable() {
			th.Errorf("bad options table")
		}
		return v.Table()
	}
	dict := list("dict")
	c.stringIndex = map[string]int{}
	for i := 1; i <= dict.Len(); i++ {
		v := dict.Int(i)
		if !v.IsString() {
			th.Errorf("bad options table")
		}
		c.stringIndex[v.Str()] = len(c.strings)
		c.strings = append(c.strings, v)
	}
	metas := list("metatable")
	c.metaIndex = map[*Table]int{}
	for i := 1; i <= metas.Len(); i++ {
		v := metas.Int(i)
		if !v.IsTable() {
			th.Errorf("bad options table")
		}
		c.metaIndex[v.Table()] = len(c.metas)
		c.metas = append(c.metas, v.Table())
	}
}

// encoder appends values to buf.
type encoder struct {
	*codec
	th  *Thread
	buf []byte
}

func (e *encoder) u124(n int) {
	switch {
	case n < 0xe0:
		e.buf = append(e.buf, byte(n))
	case n < 0x1fe0:
		n -= 0xe0
		e.buf = append(e.buf, 0xe0|byte(n>>8), byte(n))
	default:
		e.buf = binary.LittleEndian.AppendUint32(append(e.buf, 0xff), uint32(n))
	}
}

func (e *encoder) word(tag byte, u uint64) {
	e.buf = binary.LittleEndian.AppendUint64(append(e.buf, tag), u)
}

func (e *encoder) value(v Value, depth int) {
	switch v.Type() {
	case TypeNil:
		e.buf = append(e.buf, tagEncNil)
	case TypeBoolean:
		if v.Truthy() {
			e.buf = append(e.buf, tagEncTrue)
		} else {
			e.buf = append(e.buf, tagEncFalse)
		}
	case TypeNumber:
		u := math.Float64bits(v.Num())
		if v.Num() != v.Num() {
			u = 0xfff8 << 48
		}
		e.word(tagEncNum, u)
	case TypeString:
		e.th.checkLength(len(e.buf) + len(v.Str()))
		e.u124(tagEncString + len(v.Str()))
		e.buf = append(e.buf, v.Str()...)
	case TypeTable:
		e.table(v.Table(), depth+1)
	case TypeCData:
		tag := byte(tagEncInt64)
		if v.CData().Unsigned {
			tag = tagEncUint64
		}
		e.word(tag, v.CData().Bits)
	default:
		if v != LightNull {
			e.th.Errorf("cannot serialize '%s'", TypeName(v))
		}
		e.buf = append(e.buf, tagEncNull)
	}
}

func (e *encoder) table(t *Table, depth int) {
	if depth > maxCodecDepth {
		e.th.Errorf("too deep to serialize")
	}
	if i, ok := e.metaIndex[t.meta]; ok && t.meta != nil {
		e.buf = append(e.buf, tagEncDictMeta)
		e.u124(i)
	}
	e.th.checkLength(len(e.buf))
	tag := byte(tagEncTable)
	highest, _ := t.arrayItems()
	zero := t.hash != nil && !t.hash.zero.IsNil()
	array := highest > 0 || zero
	first, fields := 1, 0
	switch {
	case zero:
		tag |= encArray0
		first = 0
	case array:
		tag |= encArray1
	}
	for _, _, pos := t.nextKeyed(keyedBase); pos != 0; _, _, pos = t.nextKeyed(pos) {
		fields++
	}
	if fields > 0 {
		tag |= encHash
	}
	e.buf = append(e.buf, tag)
	if array {
		e.u124(highest + 1)
	}
	if fields > 0 {
		e.u124(fields)
	}
	if array {
		for i := first; i <= highest; i++ {
			e.value(t.Int(i), depth)
		}
	}
	for k, v, pos := t.nextKeyed(keyedBase); pos != 0; k, v, pos = t.nextKeyed(pos) {
		e.key(k, depth)
		e.value(v, depth)
	}
}

// key appends a table key, a string of the dictionary by its index.
func (e *encoder) key(k Value, depth int) {
	if k.IsString() {
		if i, ok := e.stringIndex[k.Str()]; ok {
			e.buf = append(e.buf, tagEncDictStr)
			e.u124(i)
			return
		}
	}
	e.value(k, depth)
}

// decoder reads values from src.
type decoder struct {
	*codec
	th  *Thread
	src string
	pos int
}

// next returns the next n bytes.
func (d *decoder) next(n int) string {
	if n > len(d.src)-d.pos {
		d.th.Errorf("unexpected end of buffer")
	}
	d.pos += n
	return d.src[d.pos-n : d.pos]
}

func (d *decoder) u124() int {
	b := int(d.next(1)[0])
	switch {
	case b < 0xe0:
		return b
	case b != 0xff:
		return (b&0x1f)<<8 + int(d.next(1)[0]) + 0xe0
	}
	return int(binary.LittleEndian.Uint32([]byte(d.next(4))))
}

func (d *decoder) word() uint64 { return binary.LittleEndian.Uint64([]byte(d.next(8))) }

func (d *decoder) value(depth int) Value {
	switch tag := d.u124(); {
	case tag >= tagEncString:
		return String(d.next(tag - tagEncString))
	case tag == tagEncNum:
		return canonicalNumber(math.Float64frombits(d.word()))
	case tag == tagEncNil:
		return Nil
	case tag <= tagEncTrue:
		return Bool(tag == tagEncTrue)
	case tag == tagEncNull:
		return LightNull
	case tag == tagEncInt:
		return Int(int(int32(binary.LittleEndian.Uint32([]byte(d.next(4))))))
	case tag == tagEncInt64:
		return Int64(int64(d.word()))
	case tag == tagEncUint64:
		return Uint64(d.word())
	case tag == tagEncDictStr:
		return d.strings[d.index(len(d.strings))]
	case tag == tagEncDictMeta:
		meta := d.metas[d.index(len(d.metas))]
		tag = d.u124()
		if tag < tagEncTable || tag >= tagEncDictMeta {
			d.badTag(tag)
		}
		t := d.table(tag, depth+1)
		t.SetMeta(meta)
		return TableValue(t)
	case tag >= tagEncTable && tag < tagEncDictMeta:
		return TableValue(d.table(tag, depth+1))
	default:
		d.badTag(tag)
	}
	return Nil
}

func (d *decoder) badTag(tag int) { d.th.Errorf("cannot deserialize tag 0x%02x", tag) }

// index reads the index of a dictionary entry.
func (d *decoder) index(size int) int {
	i := d.u124()
	if i >= size {
		d.th.Errorf("cannot deserialize dictionary index %d", i+1)
	}
	return i
}

func (d *decoder) table(tag, depth int) *Table {
	if depth > maxCodecDepth {
		d.th.Errorf("too deep to serialize")
	}
	items, fields := 0, 0
	if tag&(encArray0|encArray1) != 0 {
		items = d.u124()
	}
	if tag&encHash != 0 {
		fields = d.u124()
	}
	// Every item takes a byte at least, which bounds what a false count can ask for.
	if items-1 > len(d.src)-d.pos || fields > len(d.src)-d.pos {
		d.th.Errorf("unexpected end of buffer")
	}
	t := NewTable(max(items-1, 0), 0)
	first := 0
	if tag&encArray1 != 0 {
		first = 1
	}
	for i := first; i < items; i++ {
		t.SetInt(i, d.value(depth))
	}
	for range fields {
		k := d.value(depth)
		switch {
		case k.IsNil():
			d.th.Errorf("table index is nil")
		case k.IsNumber() && k.Num() != k.Num():
			d.th.Errorf("table index is NaN")
		case !t.Get(k).IsNil():
			d.th.Errorf("duplicate table key")
		}
		t.Set(k, d.value(depth))
	}
	return t
}
