package cosocket

import (
	"math"

	rt "github.com/moonphase/moonphase/runtime"
)

// appendData appends what send was given: a string, number, nil or boolean, or an
// array of strings, numbers and such arrays.
func appendData(th *rt.Thread, out []byte, args []rt.Value, i int) []byte {
	v := args[i]
	switch {
	case v.IsString():
		return append(out, v.Str()...)
	case v.IsNumber():
		return append(out, rt.NumberString(v.Num())...)
	case v.IsNil():
		return append(out, "nil"...)
	case v.IsBool():
		if v.Truthy() {
			return append(out, "true"...)
		}
		return append(out, "false"...)
	case v.IsTable():
		return appendTable(th, out, v.Table(), i)
	}
	th.ArgError(i, "string, number, boolean, nil, or array table expected, got "+rt.TypeName(v))
	return nil
}

func appendTable(th *rt.Thread, out []byte, t *rt.Table, arg int) []byte {
	n := arrayLen(th, t, arg)
	for i := 1; i <= n; i++ {
		switch v := t.Int(i); {
		case v.IsString():
			out = append(out, v.Str()...)
		case v.IsNumber():
			out = append(out, rt.NumberString(v.Num())...)
		case v.IsTable():
			out = appendTable(th, out, v.Table(), arg)
		default:
			th.ArgError(arg, "bad data type "+rt.TypeName(v)+" found")
		}
	}
	return out
}

// arrayLen is the largest key of a table that has only positive integers as keys.
func arrayLen(th *rt.Thread, t *rt.Table, arg int) int {
	largest := 0
	for k, _, _ := t.Next(rt.Nil); !k.IsNil(); k, _, _ = t.Next(k) {
		if !k.IsNumber() || k.Num() <= 0 || k.Num() != math.Trunc(k.Num()) {
			th.ArgError(arg, "non-array table found")
		}
		largest = max(largest, int(k.Num()))
	}
	return largest
}
