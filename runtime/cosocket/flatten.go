package cosocket

import (
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
		return th.AppendArray(out, v.Table(), i, rt.OnlyText)
	}
	th.ArgError(i, "string, number, boolean, nil, or array table expected, got "+rt.TypeName(v))
	return nil
}
