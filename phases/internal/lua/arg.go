package lua

import (
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// argGet is ngx.arg[i]: the arguments of set_by_lua, or the chunk and the end mark
// of a body filter.
func argGet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 2)
	c := ctxOf(th)
	i := -1
	if args[1].IsNumber() {
		i = int(args[1].Num())
	}
	switch c.Phase {
	case caller.PhaseInit:
		th.Errorf(caller.NoRequest)
	case caller.PhaseSet:
		if i > 0 && i <= len(c.setArgs) && c.setArgs[i-1] != "" {
			return rt.String(c.setArgs[i-1]), 1
		}
	case caller.PhaseBodyFilter:
		switch i {
		case 1:
			return rt.String(string(c.chunk)), 1
		case 2:
			return rt.Bool(c.eof), 1
		}
	default:
		th.Errorf("API disabled in the current context")
	}
	return rt.Nil, 1
}

// argSet is ngx.arg[i] = value in a body filter.
func argSet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 3)
	c := ctxOf(th)
	if c.Phase == caller.PhaseInit {
		return rt.Nil, 0
	}
	if c.Phase != caller.PhaseBodyFilter {
		th.Errorf("API disabled in the context of %s", c.Phase.Directive())
	}
	switch i := th.CheckInt(args, 1); i {
	case 1:
		switch v := args[2]; {
		case v.IsString(), v.IsNumber():
			c.chunk = []byte(lib.Text(th, v))
		case v.IsNil():
			c.chunk = nil
		case v.IsTable():
			c.chunk = th.AppendArray(nil, v.Table(), 2, rt.OnlyText)
		default:
			th.Errorf("bad chunk data type: %s", rt.TypeName(v))
		}
	case 2:
		c.eof = args[2].Truthy()
	default:
		th.Errorf("bad index: %d", i)
	}
	return rt.Nil, 0
}
