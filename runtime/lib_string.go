package runtime

import "math"

// builtin is an entry of a library that takes its arguments in registers.
type builtin struct {
	name string
	fn   Func
}

// addBuiltins enters hot library functions in t.
func (t *Table) addBuiltins(funcs []builtin) {
	for _, f := range funcs {
		t.SetStr(f.name, NewBuiltin(f.name, f.fn))
	}
}

// stringLib is the functions of the string library but the hot ones.
var stringLib = []libFunc{
	{"dump", stringDump},
	{"format", stringFormat},
	{"gmatch", stringGmatch},
	{"gsub", stringGsub},
	{"rep", stringRep},
	{"reverse", stringReverse},
}

var stringBuiltins = []builtin{
	{"byte", stringByte},
	{"char", stringChar},
	{"find", stringFind},
	{"len", stringLen},
	{"lower", stringLower},
	{"match", stringMatch},
	{"sub", stringSub},
	{"upper", stringUpper},
}

// openString makes the string library, which is also where methods of strings are found.
func openString(st *State) {
	t := newLib(stringLib)
	t.addBuiltins(stringBuiltins)
	meta := NewTable(0, 1)
	meta.SetStr("__index", TableValue(t))
	st.SetTypeMeta(TypeString, meta)
	st.addLib("string", t)
}

// argList returns the arguments of a function in one slice, for its slow path.
func (th *Thread) argList(n int, a, b, c Value) []Value {
	args := make([]Value, max(n, 3))
	args[0], args[1], args[2] = a, b, c
	if n > 3 {
		copy(args[3:], th.extra)
	}
	return args[:n]
}

// floatInt32 cuts a float to LuaJIT's integer on x64: 32 bits, -2^31 for what does
// not fit.
func floatInt32(f float64) int {
	if f > -1<<31-1 && f < 1<<31 {
		return int(f)
	}
	return math.MinInt32
}

// stringArgs returns the string a and the numbers b and c as positions, def for
// an absent c.
func (th *Thread) stringArgs(n int, a, b, c Value, def int) (s string, i, j int) {
	args := th.argList(n, a, b, c)
	s = th.CheckString(args, 0)
	i = floatInt32(th.CheckNumber(args, 1))
	j = floatInt32(th.OptNumber(args, 2, float64(def)))
	return s, i, j
}

// substring returns s from position i to j in Lua's counting.
func substring(s string, i, j int) string {
	if j < 0 {
		j += len(s) + 1
	} else if j > len(s) {
		j = len(s)
	}
	if i < 0 {
		i += len(s) + 1
	}
	if i < 1 {
		i = 1
	}
	if i > j {
		return ""
	}
	return s[i-1 : j]
}

func stringSub(th *Thread, n int, a, b, c Value) (Value, int) {
	if a.IsString() && b.IsNumber() {
		if c.IsNumber() {
			return String(substring(a.Str(), floatInt32(b.Num()), floatInt32(c.Num()))), 1
		}
		if c.IsNil() {
			return String(substring(a.Str(), floatInt32(b.Num()), -1)), 1
		}
	}
	s, i, j := th.stringArgs(n, a, b, c, -1)
	return String(substring(s, i, j)), 1
}

// maxValues is the number of values that a library function may take and return,
// LuaJIT's LUAI_MAXCSTACK.
const maxValues = 8000

func stringByte(th *Thread, n int, a, b, c Value) (Value, int) {
	if a.IsString() && (b.IsNil() || b.IsNumber()) && (c.IsNil() || c.IsNumber()) {
		i := 1
		if b.IsNumber() {
			i = floatInt32(b.Num())
		}
		j := i
		if c.IsNumber() {
			j = floatInt32(c.Num())
		}
		return th.byteValues(a.Str(), i, j, n)
	}
	args := th.argList(n, a, b, c)
	s := th.CheckString(args, 0)
	i := floatInt32(th.OptNumber(args, 1, 1))
	return th.byteValues(s, i, floatInt32(th.OptNumber(args, 2, float64(i))), n)
}

// byteValues returns the bytes from i to j of s to a caller that passed n arguments.
func (th *Thread) byteValues(s string, i, j, n int) (Value, int) {
	s = substring(s, i, j)
	if s == "" {
		return Nil, 0
	}
	if len(s)+n > maxValues {
		th.Errorf("string slice too long")
	}
	th.roomForResults(len(s))
	for k := 1; k < len(s); k++ {
		th.ret[k] = Int(int(s[k]))
	}
	return Int(int(s[0])), len(s)
}

// roomForResults makes room for n results in th.ret.
func (th *Thread) roomForResults(n int) {
	if n > len(th.ret) {
		th.ret = make([]Value, 2*n)
	}
}

// allBytes holds every byte once: the strings of one byte are pieces of it.
var allBytes = func() string {
	var b [256]byte
	for i := range b {
		b[i] = byte(i)
	}
	return string(b[:])
}()

func stringChar(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 1 && a.IsNumber() {
		if i := floatInt32(a.Num()); uint(i) < 256 {
			return String(allBytes[i : i+1]), 1
		}
	}
	args := th.argList(n, a, b, c)
	buf := make([]byte, n)
	for i := range args {
		k := floatInt32(th.CheckNumber(args, i))
		if uint(k) > 255 {
			th.ArgError(i, "invalid value")
		}
		buf[i] = byte(k)
	}
	return bytesValue(buf), 1
}

func stringLen(th *Thread, n int, a, _, _ Value) (Value, int) {
	if a.IsString() {
		return Int(len(a.Str())), 1
	}
	// LuaJIT says "got nil" also when there is no argument.
	return Int(len(th.CheckString(th.argList(max(n, 1), a, Nil, Nil), 0))), 1
}

func stringLower(th *Thread, n int, a, _, _ Value) (Value, int) {
	return th.mapCase(n, a, 'A'), 1
}

func stringUpper(th *Thread, n int, a, _, _ Value) (Value, int) {
	return th.mapCase(n, a, 'a'), 1
}

// mapCase flips the case of the letters of a from first to first+25.
func (th *Thread) mapCase(n int, a Value, first byte) Value {
	if !a.IsString() {
		a = String(th.CheckString(th.argList(n, a, Nil, Nil), 0))
	}
	s := a.Str()
	for i := range len(s) {
		if s[i]-first < 26 {
			buf := []byte(s)
			for ; i < len(buf); i++ {
				if buf[i]-first < 26 {
					buf[i] ^= 0x20
				}
			}
			return bytesValue(buf)
		}
	}
	return a
}

func stringReverse(th *Thread, args []Value) (Value, int) {
	s := th.CheckString(args, 0)
	buf := make([]byte, len(s))
	for i := range len(s) {
		buf[len(s)-1-i] = s[i]
	}
	return bytesValue(buf), 1
}

func stringRep(th *Thread, args []Value) (Value, int) {
	s := th.CheckString(args, 0)
	n := floatInt32(th.CheckNumber(args, 1))
	sep := th.OptString(args, 2, "")
	if n <= 0 || len(s)+len(sep) == 0 {
		return String(""), 1
	}
	if n > 1 && n > stringLimit/(len(s)+len(sep)) {
		th.noMemory()
	}
	if n == 1 {
		return String(s), 1
	}
	unit := len(s) + len(sep)
	size := n*unit - len(sep)
	buf := make([]byte, 0, size)
	buf = append(append(buf, s...), sep...)
	for len(buf) < size {
		buf = append(buf, buf[:min(len(buf), size-len(buf))]...)
	}
	return bytesValue(buf[:size]), 1
}

// stringDump raises LuaJIT's error for functions without bytecode, which here is all of them.
func stringDump(th *Thread, args []Value) (Value, int) {
	th.CheckFunction(args, 0)
	th.Errorf("unable to dump given function")
	return Nil, 0
}

// formatScratch is the size in bytes of the stack buffer of string.format.
const formatScratch = 256

func stringFormat(th *Thread, args []Value) (Value, int) {
	f := formatter{th: th, args: args, next: 1, dst: make([]byte, 0, formatScratch)}
	f.run(th.CheckString(args, 0))
	return String(string(f.dst)), 1
}
