package lua

import (
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// varGet is ngx.var.name and ngx.var[n].
func varGet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 2)
	r := requestOf(th)
	switch name := args[1]; {
	case name.IsString():
		if v, ok := r.Var(name.Str()); ok {
			return rt.String(v), 1
		}
	case name.IsNumber():
		if i := int(name.Num()); i > 0 && i < len(r.Captures) { // of the last regex of the configuration
			return rt.String(r.Captures[i]), 1
		}
	default:
		th.Errorf("bad variable name")
	}
	return rt.Nil, 1
}

// varSet is ngx.var.name = value.
func varSet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 3)
	r := requestOf(th)
	if !args[1].IsString() {
		th.Errorf("bad variable name")
	}
	value := ""
	if !args[2].IsNil() {
		value = lib.Text(th, args[2])
	}
	if err := r.SetVar(args[1].Str(), value, !args[2].IsNil()); err != nil {
		th.Errorf("%s", err)
	}
	return rt.Nil, 0
}
