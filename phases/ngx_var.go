package phases

import (
	rt "github.com/moonphase/moonphase/runtime"
)

// varGet is ngx.var.name and ngx.var[n].
func varGet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = padded(args, 2)
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
	args = padded(args, 3)
	r := requestOf(th)
	if !args[1].IsString() {
		th.Errorf("bad variable name")
	}
	value := ""
	if !args[2].IsNil() {
		value = luaText(th, args[2])
	}
	if err := r.SetVar(args[1].Str(), value, !args[2].IsNil()); err != nil {
		th.Errorf("%s", err)
	}
	return rt.Nil, 0
}

// ctxTable is ngx.ctx.
func ctxTable(th *rt.Thread) *rt.Table {
	c := luaCtx(th)
	if c.Phase == PhaseInit {
		th.Errorf(noRequest)
	}
	r := c.R
	switch {
	case r == nil && c.Table == nil:
		c.Table = rt.NewTable(0, 4)
		fallthrough
	case r == nil:
		return c.Table
	}
	l := luaNote.of(r)
	if l.ctx == nil {
		t := connCtxOf(r).copyFor(c.Worker)
		if t == nil {
			t = rt.NewTable(0, 4)
		}
		setLuaCtx(r, t)
	}
	return l.ctx
}

// setCtxTable is ngx.ctx = table.
func setCtxTable(th *rt.Thread, v rt.Value) {
	if !v.IsTable() {
		th.Errorf("ctx should be a table while getting a %s", rt.TypeName(v))
	}
	c := luaCtx(th)
	switch {
	case c.Phase == PhaseInit:
		th.Errorf(noRequest)
	case c.R != nil:
		setLuaCtx(c.R, v.Table())
	default:
		c.Table = v.Table()
	}
}

// argGet is ngx.arg[i]: the arguments of set_by_lua, or the chunk and the end mark
// of a body filter.
func argGet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = padded(args, 2)
	c := luaCtx(th)
	i := -1
	if args[1].IsNumber() {
		i = int(args[1].Num())
	}
	switch c.Phase {
	case PhaseInit:
		th.Errorf(noRequest)
	case PhaseSet:
		if i > 0 && i <= len(c.SetArgs) && c.SetArgs[i-1] != "" {
			return rt.String(c.SetArgs[i-1]), 1
		}
	case PhaseBodyFilter:
		switch i {
		case 1:
			return rt.String(string(c.Chunk)), 1
		case 2:
			return rt.Bool(c.EOF), 1
		}
	default:
		th.Errorf("API disabled in the current context")
	}
	return rt.Nil, 1
}

// argSet is ngx.arg[i] = value in a body filter.
func argSet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = padded(args, 3)
	c := luaCtx(th)
	if c.Phase == PhaseInit {
		return rt.Nil, 0
	}
	if c.Phase != PhaseBodyFilter {
		th.Errorf("API disabled in the context of %s", c.Phase.Directive())
	}
	switch i := th.CheckInt(args, 1); i {
	case 1:
		switch v := args[2]; {
		case v.IsString(), v.IsNumber():
			c.Chunk = []byte(luaText(th, v))
		case v.IsNil():
			c.Chunk = nil
		case v.IsTable():
			c.Chunk = th.AppendArray(nil, v.Table(), 2, rt.OnlyText)
		default:
			th.Errorf("bad chunk data type: %s", rt.TypeName(v))
		}
	case 2:
		c.EOF = args[2].Truthy()
	default:
		th.Errorf("bad index: %d", i)
	}
	return rt.Nil, 0
}
