package runtime

import "math"

// This file holds what only generated code calls: entry points that save it
// temporaries and closures.

// Extra returns argument i >= 3 of a function called with n arguments; at its
// entry only.
func Extra(th *Thread, n, i int) Value {
	if i >= n {
		return Nil
	}
	return th.extra[i-3]
}

// Finish completes a call that may have left a tail call to its caller.
func (th *Thread) Finish(v Value, n int) (Value, int) {
	if n >= 0 {
		return v, n
	}
	return th.runTail()
}

// And and Or are the logical operators on operands that cost nothing to evaluate.
func And(a, b Value) Value {
	if a.Truthy() {
		return b
	}
	return a
}

// Or returns a unless it is nil or false, then b.
func Or(a, b Value) Value {
	if a.Truthy() {
		return a
	}
	return b
}

// Gt is a > b.
func Gt(th *Thread, a, b Value) bool { return Lt(th, b, a) }

// Ge is a >= b.
func Ge(th *Thread, a, b Value) bool { return Le(th, b, a) }

// ModInt is the remainder that has the sign of b, which is not 0.
func ModInt(a, b int) int {
	r := a % b
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}

// maxLoop bounds the limit of a loop over integers: doubles are exact up to here.
const maxLoop = 1 << 53

// ForLimitUp is the last integer that an int loop counting up to f reaches.
func ForLimitUp(f float64) int {
	switch {
	case f >= maxLoop:
		return maxLoop
	case f >= -maxLoop:
		return int(math.Floor(f))
	}
	return math.MinInt // below every start, or not a number
}

// ForLimitDown is ForLimitUp for a loop that counts down.
func ForLimitDown(f float64) int {
	switch {
	case f <= -maxLoop:
		return -maxLoop
	case f <= maxLoop:
		return int(math.Ceil(f))
	}
	return math.MaxInt
}

// ForStep reports whether a loop at i goes on: up to limit, or down to it when the sign bit of
// step is set. A step of 0 goes up for ever, as in LuaJIT.
func ForStep(i, limit, step float64) bool {
	if math.Signbit(step) {
		return i >= limit
	}
	return i <= limit
}

// Append is t[#t+1] = v.
func Append(th *Thread, t, v Value, where string) {
	if t.n == tagTable {
		if t := t.Table(); t.meta == nil {
			t.SetInt(t.Len()+1, v)
			return
		}
	}
	n := Len(th, t, where)
	SetIndex(th, t, Add(th, n, Int(1), ""), v, where)
}

// SetList stores list from position from on: the end of a mixed constructor.
func SetList(v Value, from int, list []Value) {
	t := v.Table()
	if n := from + len(list); n > cap(t.arr)+1 {
		t.fallBack()
		t.places() // brings hbits up to date
		t.resize(n, t.hbits)
	}
	for i, v := range list {
		t.SetInt(from+i, v)
	}
}

// Prepend returns fixed followed by args.
func Prepend(args []Value, fixed ...Value) []Value {
	list := make([]Value, 0, len(fixed)+len(args))
	list = append(list, fixed...)
	return append(list, args...)
}

// List returns the n results of the call that just returned v.
func (th *Thread) List(v Value, n int) []Value { return List(th, v, n) }

// ForIn begins a generic for over the results of the call that just returned v.
func (th *Thread) ForIn(v Value, n int) Iter {
	return ForIn(th, v, th.Result(n, 1), th.Result(n, 2), "")
}

// SelectArgs is select(i, ...) on the varargs args; sel is what the global
// holds, called if it is not the library's function.
func SelectArgs(th *Thread, sel, i Value, args []Value) (Value, int) {
	if sel.n != tagFunction || sel.Func() != selectFunction || i.n < numberMin {
		return CallList(th, sel, "global select", Prepend(args, i))
	}
	f := i.Num()
	switch {
	case f >= 1 && f < float64(len(args)+1):
		return th.ReturnList(args[int(f)-1:])
	case f > float64(len(args)):
		return Nil, 0
	}
	return CallList(th, sel, "global select", Prepend(args, i))
}

// SelectCount is select("#", ...) on the varargs args.
func SelectCount(th *Thread, sel Value, args []Value) (Value, int) {
	if sel.n != tagFunction || sel.Func() != selectFunction {
		return CallList(th, sel, "global select", Prepend(args, String("#")))
	}
	return Int(len(args)), 1
}

// GetEnv is getfenv(1) in a function with the environment env; fn is what the
// global getfenv holds.
func GetEnv(th *Thread, fn Value, env *Env) (Value, int) {
	if fn.n != tagFunction || fn.Func().proto != nil || fn.Func().name != "getfenv" {
		return Call1(th, fn, "global getfenv", Int(1))
	}
	return TableValue(env.Table), 1
}

// SetEnv is setfenv(1, t) in a function with the environment env.
func SetEnv(th *Thread, fn Value, env *Env, t Value) (Value, int) {
	if fn.n != tagFunction || fn.Func().proto != nil || fn.Func().name != "setfenv" || t.n != tagTable {
		return Call2(th, fn, "global setfenv", Int(1), t)
	}
	env.Table = t.Table()
	return Nil, 0
}

// Imaginary is the literal 1i, a complex number of the ffi.
func Imaginary(th *Thread, _ float64) Value {
	th.runtimeError("complex numbers are not supported")
	return Nil
}

// BuildTable makes a table of constant data: the sizes of its array part and its hash
// part, then key, value, key, value, ... A nil key is the next position; a []any value is a
// table.
func BuildTable(rows []any) Value {
	t := NewTable(rows[0].(int), 0)
	t.hbits = hashBits(rows[1].(int))
	pos := 0
	for i := 2; i < len(rows); i += 2 {
		if rows[i] == nil {
			pos++
			t.SetInt(pos, dataValue(rows[i+1]))
			continue
		}
		t.Set(dataValue(rows[i]), dataValue(rows[i+1]))
	}
	return TableValue(t)
}

func dataValue(v any) Value {
	switch v := v.(type) {
	case nil:
		return Nil
	case bool:
		return Bool(v)
	case float64:
		return Number(v)
	case string:
		return String(v)
	case []any:
		return BuildTable(v)
	}
	panic("runtime: bad constant in table data")
}
