// Package lib makes Lua tables of Go functions.
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

// Table makes a table of the functions.
func (l Functions) Table(extra int) *rt.Table {
	t := rt.NewTable(0, len(l)+extra)
	l.AddTo(t)
	return t
}

// AddTo puts the functions into a table that is there.
func (l Functions) AddTo(t *rt.Table) {
	for _, f := range l {
		t.SetStr(f.Name, rt.NewGoFunction(f.Name, f.Fn))
	}
}
