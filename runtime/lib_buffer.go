package runtime

// strBuffer is the Go side of a string.buffer object: the bytes of data from pos on.
type strBuffer struct {
	data []byte
	pos  int
	codec
}

var bufferMethods = []libFunc{
	{"put", bufferPut},
	{"putf", bufferPutf},
	{"putcdata", bufferPutCData},
	{"set", bufferSet},
	{"get", bufferGet},
	{"skip", bufferSkip},
	{"reset", bufferReset},
	{"free", bufferFree},
	{"reserve", bufferReserve},
	{"commit", bufferCommit},
	{"ref", bufferRef},
	{"tostring", bufferToString},
	{"encode", bufferEncode},
	{"decode", bufferDecode},
	{"__tostring", bufferToString},
	{"__len", bufferLen},
	{"__concat", bufferConcat},
}

// openBuffer makes the module string.buffer known.
func openBuffer(st *State) {
	st.preload("string.buffer", func(*Thread) Value {
		meta := newLib(bufferMethods)
		meta.SetStr("__index", TableValue(meta))
		meta.SetStr("__metatable", String("buffer"))
		t := NewTable(0, 4)
		t.SetStr("new", NewGoFunction("new", func(th *Thread, args []Value) (Value, int) {
			return NewUserdata(newStrBuffer(th, args), meta), 1
		}))
		t.SetStr("encode", NewGoFunction("encode", bufferEncodeValue))
		t.SetStr("decode", NewGoFunction("decode", bufferDecodeString))
		return TableValue(t)
	})
}

// newStrBuffer returns a buffer for the arguments of buffer.new: a size, which may be
// left out, and options.
func newStrBuffer(th *Thread, args []Value) *strBuffer {
	b := &strBuffer{}
	i := 0
	if len(args) > 0 && !args[0].IsTable() {
		if !args[0].IsNil() {
			size := th.rangeArg(args, 0)
			b.data = make([]byte, 0, min(size, maxPresize))
		}
		i = 1
	}
	if !isAbsent(args, i) {
		b.options(th, th.CheckTable(args, i))
	}
	return b
}

// rangeArg returns argument i, a size in bytes.
func (th *Thread) rangeArg(args []Value, i int) int {
	n := floatInt(th.CheckNumber(args, i))
	if n < 0 || n > maxString {
		th.ArgError(i, "number out of range")
	}
	return n
}

// bufferArg returns the buffer in argument 0.
func (th *Thread) bufferArg(args []Value) *strBuffer {
	if len(args) > 0 {
		if b := toBuffer(args[0]); b != nil {
			return b
		}
	}
	th.ArgTypeError(args, 0, "buffer")
	return nil
}

// toBuffer returns the buffer that v is, or nil.
func toBuffer(v Value) *strBuffer {
	if !v.IsUserdata() {
		return nil
	}
	b, _ := v.Userdata().Data.(*strBuffer)
	return b
}

// bytes returns what the buffer holds.
func (b *strBuffer) bytes() []byte { return b.data[b.pos:] }

// take removes and returns the first n bytes.
func (b *strBuffer) take(n int) Value {
	rest := b.bytes()
	if n < len(rest) {
		b.pos += n
		return String(string(rest[:n]))
	}
	if cap(b.data) <= 2*len(rest) { // hand the memory over instead of copying it
		*b = strBuffer{codec: b.codec}
		return bytesValue(rest)
	}
	b.data, b.pos = b.data[:0], 0
	return String(string(rest))
}

// compact moves the content to the front when most of the memory before it is unused.
func (b *strBuffer) compact() {
	if b.pos > len(b.data)/2 {
		b.data = b.data[:copy(b.data, b.data[b.pos:])]
		b.pos = 0
	}
}

func bufferPut(th *Thread, args []Value) (Value, int) {
	b := th.bufferArg(args)
	b.compact()
	data := b.data
	for i := 1; i < len(args); i++ {
		v := args[i]
		if isStringable(v) {
			th.checkLength(len(data) - b.pos + concatLen(v))
			data = appendString(data, v)
			continue
		}
		other := toBuffer(v)
		switch {
		case other == b:
			th.ArgError(i, "cannot put buffer into itself")
		case other != nil:
			th.checkLength(len(data) - b.pos + len(other.bytes()))
			data = append(data, other.bytes()...)
		case th.metamethod(v, evToString).IsNil():
			th.ArgTypeError(args, i, "string/number/__tostring")
		default:
			b.data = data // the metamethod may look at it
			s := th.ToStringMeta(v)
			th.checkLength(len(b.data) - b.pos + len(s))
			data = append(b.data, s...)
		}
	}
	b.data = data
	return args[0], 1
}

func bufferPutf(th *Thread, args []Value) (Value, int) {
	b := th.bufferArg(args)
	f := formatter{th: th, args: args, next: 2}
	f.run(th.CheckString(args, 1))
	b.compact()
	th.checkLength(len(b.data) - b.pos + len(f.dst))
	b.data = append(b.data, f.dst...)
	return args[0], 1
}

func bufferSet(th *Thread, args []Value) (Value, int) {
	b := th.bufferArg(args)
	b.data, b.pos = append(b.data[:0], th.CheckString(args, 1)...), 0
	return args[0], 1
}

func bufferGet(th *Thread, args []Value) (Value, int) {
	b := th.bufferArg(args)
	if len(args) < 2 {
		return b.take(len(b.bytes())), 1
	}
	results := make([]Value, 0, 4)
	for i := 1; i < len(args); i++ {
		n := len(b.bytes())
		if !args[i].IsNil() {
			n = th.rangeArg(args, i)
		}
		results = append(results, b.take(n))
	}
	return th.ReturnList(results)
}

func bufferSkip(th *Thread, args []Value) (Value, int) {
	b := th.bufferArg(args)
	b.pos += min(th.rangeArg(args, 1), len(b.bytes()))
	return args[0], 1
}

func bufferReset(th *Thread, args []Value) (Value, int) {
	b := th.bufferArg(args)
	b.data, b.pos = b.data[:0], 0
	return args[0], 1
}

func bufferFree(th *Thread, args []Value) (Value, int) {
	b := th.bufferArg(args)
	*b = strBuffer{codec: b.codec}
	return Nil, 0
}

// needsFFI raises the error of the methods that hand out or take C pointers.
func (th *Thread) needsFFI(method string) (Value, int) {
	th.Errorf("buffer:%s needs the ffi library, which is not supported", method)
	return Nil, 0
}

func bufferReserve(th *Thread, _ []Value) (Value, int)  { return th.needsFFI("reserve") }
func bufferCommit(th *Thread, _ []Value) (Value, int)   { return th.needsFFI("commit") }
func bufferRef(th *Thread, _ []Value) (Value, int)      { return th.needsFFI("ref") }
func bufferPutCData(th *Thread, _ []Value) (Value, int) { return th.needsFFI("putcdata") }

func bufferToString(th *Thread, args []Value) (Value, int) {
	return String(string(th.bufferArg(args).bytes())), 1
}

func bufferLen(th *Thread, args []Value) (Value, int) {
	return Int(len(th.bufferArg(args).bytes())), 1
}

// bufferConcat is the .. operator, in which a buffer counts as its content.
func bufferConcat(th *Thread, args []Value) (Value, int) {
	text := func(v Value) Value {
		if b := toBuffer(v); b != nil {
			return String(string(b.bytes()))
		}
		return v
	}
	return Concat(th, text(args[0]), text(args[1]), ""), 1
}

func bufferEncode(th *Thread, args []Value) (Value, int) {
	b := th.bufferArg(args)
	e := encoder{codec: &b.codec, th: th}
	e.value(th.CheckAny(args, 1), 0)
	b.compact()
	th.checkLength(len(b.data) - b.pos + len(e.buf))
	b.data = append(b.data, e.buf...)
	return args[0], 1
}

func bufferDecode(th *Thread, args []Value) (Value, int) {
	b := th.bufferArg(args)
	d := decoder{codec: &b.codec, th: th, src: string(b.bytes())}
	v := d.value(0)
	b.pos += d.pos
	return v, 1
}

func bufferEncodeValue(th *Thread, args []Value) (Value, int) {
	e := encoder{codec: &codec{}, th: th}
	e.value(th.CheckAny(args, 0), 0)
	return bytesValue(e.buf), 1
}

func bufferDecodeString(th *Thread, args []Value) (Value, int) {
	if len(args) == 0 || !args[0].IsString() {
		th.ArgTypeError(args, 0, "string")
	}
	d := decoder{codec: &codec{}, th: th, src: args[0].Str()}
	v := d.value(0)
	if d.pos < len(d.src) {
		th.Errorf("left-over data in buffer")
	}
	return v, 1
}
