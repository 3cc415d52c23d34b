package lib

import rt "github.com/moonphase/moonphase/runtime"

// Functions is a list of functions to put into a table.
type Functions []struct {
	Name string
	Fn   rt.GoFunc
}

// Fail returns nil and a message.
func Fail(th *rt.Thread, message string) (rt.Value, int) {
	return th.Return2(rt.Nil, rt.String(message))
}
