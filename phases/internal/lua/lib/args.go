package lib

import (
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// Text is the string form that the API uses where LuaJIT code calls tostring.
func Text(th *rt.Thread, v rt.Value) string {
	if v.IsString() {
		return v.Str()
	}
	return th.ToStringMeta(v)
}

// TextOrEmpty is Text, with "" for nil and false.
func TextOrEmpty(th *rt.Thread, v rt.Value) string {
	if !v.Truthy() {
		return ""
	}
	return Text(th, v)
}

// TextOrNil is Text, with "nil" for nil as tostring gives it.
func TextOrNil(th *rt.Thread, v rt.Value) string {
	if v.IsNil() {
		return "nil"
	}
	return Text(th, v)
}

// OptBool is argument i, which must be a boolean where it is given.
func OptBool(th *rt.Thread, args []rt.Value, i int) bool {
	if i >= len(args) {
		return false
	}
	if !args[i].IsBool() {
		th.ArgTypeError(args, i, "boolean")
	}
	return args[i].Truthy()
}

// Padded adds nil to arguments that are fewer than n: a script can call the
// functions in a metatable itself.
func Padded(args []rt.Value, n int) []rt.Value {
	for len(args) < n {
		args = append(args[:len(args):len(args)], rt.Nil)
	}
	return args
}

// RaiseAt raises a message with the position of a level of the stack: 1 is the
// code that called the running function.
func RaiseAt(th *rt.Thread, level int, message string) {
	th.Throw(rt.String(th.Where(level) + message))
}

// One is what functions return for success where ngx_lua returns 1.
func One() (rt.Value, int) { return rt.Int(1), 1 }

// ClearTable removes all entries of a table.
func ClearTable(t *rt.Table) {
	for k, _, _ := t.Next(rt.Nil); !k.IsNil(); k, _, _ = t.Next(k) {
		t.Set(k, rt.Nil)
	}
}

var processStart = time.Now()

// MonotonicMillis is a clock that does not jump, in milliseconds.
func MonotonicMillis() int64 { return time.Since(processStart).Milliseconds() }
