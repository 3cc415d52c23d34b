package runtime

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// baseLib is the functions of the base library but the hot ones.
var baseLib = []libFunc{
	{"collectgarbage", baseCollectGarbage},
	{"dofile", unsupported("dofile")},
	{"gcinfo", baseGCInfo},
	{"getfenv", baseGetfenv},
	{"load", unsupported("load")},
	{"loadfile", unsupported("loadfile")},
	{"loadstring", unsupported("loadstring")},
	{"newproxy", baseNewProxy},
	{"print", Print},
	{"rawequal", baseRawEqual},
	{"rawlen", baseRawLen},
	{"rawset", baseRawSet},
	{"setfenv", baseSetfenv},
	{"unpack", baseUnpack},
	{"xpcall", baseXPCall},
}

// These are the same functions in every state, so that other code can know them.
var (
	nextFunction   = NewGoFunction("next", baseNext).Func()
	ipairsFunction = NewGoFunction("ipairs_aux", ipairsNext).Func()
	selectFunction = NewGoFunction("select", baseSelect).Func()
	errorFunction  = NewGoFunction("error", baseError).Func()
)

func openBase(st *State) {
	g := st.Globals
	g.SetStr("_G", TableValue(g))
	g.SetStr("_VERSION", String("Lua 5.1"))
	for _, f := range baseLib {
		g.SetStr(f.name, NewGoFunction(f.name, f.fn))
	}
	for _, f := range []*Function{nextFunction, selectFunction, errorFunction} {
		g.SetStr(f.name, FunctionValue(f))
	}
	for _, f := range baseBuiltins {
		g.SetStr(f.name, NewBuiltin(f.name, f.fn))
	}
	st.Loaded.SetStr("_G", TableValue(g))
}

// unsupported returns a function that says that it needs the evaluator.
func unsupported(name string) GoFunc {
	return func(th *Thread, args []Value) (Value, int) {
		th.Errorf("%s: compiling Lua at run time is not supported", name)
		return Nil, 0
	}
}

// Print is the function print: its arguments, as tostring shows them, tabs between
// and a newline behind, on the state's standard output.
func Print(th *Thread, args []Value) (Value, int) {
	var buf []byte
	for i, v := range args {
		if i > 0 {
			buf = append(buf, '\t')
		}
		buf = append(buf, th.ToStringMeta(v)...)
	}
	buf = append(buf, '\n')
	_, _ = stateWriter{th.State}.Write(buf)
	return Nil, 0
}

// ToStringMeta returns what tostring gives for v, which must be a string.
func (th *Thread) ToStringMeta(v Value) string {
	s, ok := toString(th.toStringValue(v))
	if !ok {
		th.Errorf("'tostring' must return a string to 'print'")
	}
	return s
}

// toStringValue is tostring: __tostring may give any value.
func (th *Thread) toStringValue(v Value) Value {
	switch {
	case v.IsString():
		return v
	case v.n >= numberMin && th.State.typeMeta[TypeNumber] == nil:
		return String(NumberString(v.Num()))
	}
	if h := th.metamethod(v, evToString); h.n != tagNil {
		r, _ := Call1(th, h, "", v)
		return r
	}
	return String(Describe(v))
}

// Describe returns what tostring gives for v without metamethods.
func Describe(v Value) string {
	switch v.Type() {
	case TypeNil:
		return "nil"
	case TypeBoolean:
		return strconv.FormatBool(v.n == tagTrue)
	case TypeNumber:
		return NumberString(v.Num())
	case TypeString:
		return v.Str()
	case TypeCData:
		return v.CData().String()
	case TypeLightUserdata:
		if v == LightNull {
			return "userdata: NULL"
		}
	}
	return fmt.Sprintf("%s: 0x%012x", TypeName(v), v.address())
}

// LightNull is the null light userdata: ngx.null and cjson.null.
var LightNull = LightUserdata(&nullByte)

var nullByte byte

func baseType(th *Thread, args []Value) (Value, int) {
	return typeNameValues[th.CheckAny(args, 0).Type()], 1
}

var typeNameValues = func() (vs [numTypes]Value) {
	for i, name := range typeNames {
		vs[i] = String(name)
	}
	return
}()

func baseNext(th *Thread, args []Value) (Value, int) {
	k, v, ok := th.CheckTable(args, 0).Next(ArgAt(args, 1))
	if !ok {
		th.Throw(String("invalid key to 'next'"))
	}
	if k.n == tagNil {
		return Nil, 1
	}
	return th.Return2(k, v)
}

func basePairs(th *Thread, args []Value) (Value, int) {
	v := th.CheckAny(args, 0)
	if h := th.metamethod(v, evPairs); h.n != tagNil {
		a, n := Call1(th, h, "", v)
		return th.Return3(a, th.Result(n, 1), th.Result(n, 2))
	}
	th.CheckTable(args, 0)
	return th.Return3(FunctionValue(nextFunction), v, Nil)
}

func baseIpairs(th *Thread, args []Value) (Value, int) {
	v := th.CheckAny(args, 0)
	if h := th.metamethod(v, evIpairs); h.n != tagNil {
		a, n := Call1(th, h, "", v)
		return th.Return3(a, th.Result(n, 1), th.Result(n, 2))
	}
	th.CheckTable(args, 0)
	return th.Return3(FunctionValue(ipairsFunction), v, Int(0))
}

func ipairsNext(th *Thread, args []Value) (Value, int) {
	i := th.CheckInt(args, 1) + 1
	v := th.CheckTable(args, 0).Int(i)
	if v.n == tagNil {
		return Nil, 1
	}
	return th.Return2(Int(i), v)
}

func basePCall(th *Thread, n int, a, b, c Value) (Value, int) {
	if n == 0 {
		th.ArgError(0, "value expected")
	}
	n, f, a, b, c := th.shiftArgs(n, a, b, c)
	v, r, err := th.protectedCall(Nil, f, n, a, b, c)
	if err != nil {
		return th.Return2(False, err.Value)
	}
	return th.prepend(True, v, r)
}

// shiftArgs takes the first argument away.
func (th *Thread) shiftArgs(n int, a, b, c Value) (int, Value, Value, Value, Value) {
	d := Nil
	if n > 3 {
		d = th.extra[0]
		copy(th.extra, th.extra[1:])
		th.extra = th.extra[:len(th.extra)-1]
	}
	return n - 1, a, b, c, d
}

func baseXPCall(th *Thread, args []Value) (Value, int) {
	if len(args) == 0 {
		th.ArgError(0, "value expected")
	}
	handler := th.CheckFunction(args, 1)
	n, a, b, c := th.spread(args[2:])
	v, r, err := th.protectedCall(handler, args[0], n, a, b, c)
	if err != nil {
		return th.Return2(False, err.Value)
	}
	return th.prepend(True, v, r)
}

func baseError(th *Thread, args []Value) (Value, int) {
	v := ArgAt(args, 0)
	level := th.OptInt(args, 1, 1)
	if s, ok := toString(v); ok && level > 0 {
		panic(&Error{Value: String(th.Where(level) + s), Args: []Value{v}})
	}
	th.Throw(v)
	return Nil, 0
}

func baseAssert(th *Thread, args []Value) (Value, int) {
	if v := th.CheckAny(args, 0); v.Truthy() {
		return th.ReturnList(args)
	}
	if len(args) < 2 {
		th.Errorf("assertion failed!")
	}
	if s, ok := toString(args[1]); ok { // LuaJIT adds the position, unlike Lua
		panic(&Error{Value: String(th.Where(1) + s), Args: slices.Clone(args)})
	}
	th.Throw(args[len(args)-1]) // what is on top of LuaJIT's stack
	return Nil, 0
}

func baseToString(th *Thread, args []Value) (Value, int) {
	return th.toStringValue(th.CheckAny(args, 0)), 1
}

func baseToNumber(th *Thread, args []Value) (Value, int) {
	base := th.OptInt(args, 1, 10)
	if base == 10 {
		v := th.CheckAny(args, 0)
		if v.n >= numberMin {
			return v, 1
		}
		if v.n == tagCData {
			return Number(v.CData().Float()), 1
		}
		if f, ok := toNumber(v); ok {
			return Number(f), 1
		}
		return Nil, 1
	}
	s := th.CheckString(args, 0)
	if base < 2 || base > 36 {
		th.ArgError(1, "base out of range")
	}
	s, _, _ = strings.Cut(s, "\x00") // a string of C
	f, ok := parseBase(trimSpace(s), base)
	if !ok {
		return Nil, 1
	}
	return Number(f), 1
}

// parseBase reads a whole number in a base as C's strtoul does: 0x may lead in base 16, and
// what does not fit 64 bits gives the greatest such number.
func parseBase(s string, base int) (float64, bool) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if base == 16 && len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		s = s[2:]
	}
	if s == "" {
		return 0, false
	}
	sum := uint64(0)
	for i := range len(s) {
		d := digit(s[i])
		if d >= base {
			return 0, false
		}
		high, low := bits.Mul64(sum, uint64(base))
		if sum = low + uint64(d); high != 0 || sum < low {
			sum = math.MaxUint64
		}
	}
	f := float64(sum)
	if neg {
		f = -f
	}
	return f, true
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'z':
		return int(c|0x20-'a') + 10
	}
	return 99
}

func baseRawGet(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	return t.Get(th.CheckAny(args, 1)), 1
}

func baseRawSet(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	k := th.CheckAny(args, 1)
	th.RawSet(t, k, th.CheckAny(args, 2))
	return args[0], 1
}

func baseRawEqual(th *Thread, args []Value) (Value, int) {
	a := th.CheckAny(args, 0)
	return Bool(RawEq(a, th.CheckAny(args, 1))), 1
}

func baseRawLen(th *Thread, args []Value) (Value, int) {
	v := ArgAt(args, 0)
	switch {
	case v.n == tagTable:
		return Int(v.Table().Len()), 1
	case v.IsString():
		return Int(len(v.Str())), 1
	}
	th.ArgTypeError(args, 0, "table or string")
	return Nil, 0
}

func baseGetMetatable(th *Thread, args []Value) (Value, int) {
	m := th.metatable(th.CheckAny(args, 0))
	if m == nil {
		return Nil, 1
	}
	if v := m.metaField(evMetatable); v.n != tagNil {
		return v, 1
	}
	return TableValue(m), 1
}

func baseSetMetatable(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	m := ArgAt(args, 1)
	if len(args) < 2 || m.n != tagNil && m.n != tagTable {
		th.ArgError(1, "nil or table expected")
	}
	if t.meta.metaField(evMetatable).n != tagNil {
		th.Errorf("cannot change a protected metatable")
	}
	if m.n == tagNil {
		t.meta = nil
	} else {
		t.meta = m.Table()
	}
	return args[0], 1
}

func baseSelect(th *Thread, args []Value) (Value, int) {
	if len(args) > 0 && EqString(args[0], "#") {
		return Int(len(args) - 1), 1
	}
	i := th.CheckInt(args, 0)
	if i < 0 {
		i += len(args)
	}
	if i <= 0 {
		th.ArgError(0, "index out of range")
	}
	if i >= len(args) {
		return Nil, 0
	}
	return th.ReturnList(args[i:])
}

// maxUnpack is the number of results from which unpack gives up, near LuaJIT's.
const maxUnpack = 8000

func baseUnpack(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	from := th.OptInt(args, 1, 1)
	to := 0
	if isAbsent(args, 2) {
		to = t.Len()
	} else {
		to = th.CheckInt(args, 2)
	}
	if from > to {
		return Nil, 0
	}
	n := to - from + 1
	if n <= 0 || n >= maxUnpack {
		th.Errorf("too many results to unpack")
	}
	if n > len(th.ret) {
		th.ret = make([]Value, 2*n)
	}
	for i := 1; i < n; i++ {
		th.ret[i].set(t.Int(from + i))
	}
	return t.Int(from), n
}

func baseNewProxy(th *Thread, args []Value) (Value, int) {
	v := ArgAt(args, 0)
	switch {
	case v == False || v.n == tagNil:
		return NewUserdata(nil, nil), 1
	case v == True:
		return NewUserdata(nil, NewTable(0, 0)), 1
	case v.n == tagUserdata:
		return NewUserdata(nil, v.Userdata().Meta), 1
	}
	th.ArgError(0, "boolean or proxy expected")
	return Nil, 0
}

// envOf returns the environment of the function or stack level in argument 0.
func (th *Thread) envOf(args []Value) *Env {
	v := ArgAt(args, 0)
	if v.n == tagFunction {
		return th.functionEnv(v.Func())
	}
	level := th.OptInt(args, 0, 1)
	if level < 0 {
		th.ArgError(0, "invalid level")
	}
	if level == 0 {
		return th.State.globalEnv()
	}
	frames := th.frames(level + 1)
	if level >= len(frames) {
		th.ArgError(0, "invalid level")
	}
	if n := frames[level].env; n > 0 {
		return th.envFrames[len(th.envFrames)-n]
	}
	if c := frames[level].chunk; c != nil {
		if env := th.chunkEnv(c); env != nil {
			return env
		}
	}
	return th.State.globalEnv()
}

// functionEnv returns the environment of f: that of its chunk.
func (th *Thread) functionEnv(f *Function) *Env {
	if f.env != nil {
		return f.env
	}
	if f.proto != nil && f.proto.Chunk != nil {
		if env := th.chunkEnv(f.proto.Chunk); env != nil {
			return env
		}
	}
	return th.State.globalEnv()
}

func (st *State) globalEnv() *Env { return &Env{Table: st.Globals} }

func baseGetfenv(th *Thread, args []Value) (Value, int) {
	return TableValue(th.envOf(args).Table), 1
}

func baseSetfenv(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 1)
	if v := args[0]; v.n == tagFunction && v.Func().proto == nil {
		th.Errorf("'setfenv' cannot change environment of given object")
	}
	if v := args[0]; v.IsNumber() && v.Num() == 0 {
		th.Errorf("setfenv: changing the environment of a thread (level 0) is not supported")
	}
	env := th.envOf(args)
	env.Table = t
	if args[0].n == tagFunction {
		return args[0], 1
	}
	return Nil, 0
}
