package phases

import (
	"github.com/moonphase/moonphase/phases/conf"
	rt "github.com/moonphase/moonphase/runtime"
)

func setLuaSet(c *compiler, d *conf.Directive) error {
	name, err := variableName(d.Args[0])
	if err != nil {
		return err
	}
	v, err := c.defineVar(name)
	if err != nil {
		return err
	}
	h, err := newLuaHandler(c, d)
	if err != nil {
		return err
	}
	op := &setLuaOp{index: v.index, handler: h}
	for i := 2; i < len(d.Args); i++ {
		t, err := c.template(d.Args[i])
		if err != nil {
			return err
		}
		op.args = append(op.args, t)
	}
	c.emit(op)
	return nil
}

// setLuaOp is set_by_lua* in a rewrite script.
type setLuaOp struct {
	index   int
	handler *luaHandler
	args    []template
}

func (o *setLuaOp) exec(r *Request) int {
	args := make([]string, len(o.args))
	for i := range o.args {
		args[i] = o.args[i].eval(r)
	}
	results, _, rc := runFilter(r, o.handler, PhaseSet, func(ctx *LuaCtx) { ctx.SetArgs = args })
	if rc != rcOK {
		r.scriptStatus = 500
		return stopScript
	}
	value := ""
	if len(results) > 0 {
		value = luaVarText(results[0])
	}
	r.setIndexed(o.index, value)
	return 0
}

// luaVarText is the text a variable gets from a result of set_by_lua; values
// that are no text give "".
func luaVarText(v rt.Value) string {
	switch {
	case v.IsString():
		return v.Str()
	case v.IsNumber():
		return rt.NumberString(v.Num())
	}
	return ""
}
