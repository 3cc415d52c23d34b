package lua

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
)

func setSet(c *core.Compiler, d *conf.Directive) error {
	name, err := core.VariableName(d.Args[0])
	if err != nil {
		return err
	}
	v, err := c.DefineVar(name)
	if err != nil {
		return err
	}
	h, err := newHandler(c, d)
	if err != nil {
		return err
	}
	op := &setOp{index: v.Index, handler: h}
	for i := 2; i < len(d.Args); i++ {
		t, err := c.Template(d.Args[i])
		if err != nil {
			return err
		}
		op.args = append(op.args, t)
	}
	c.Emit(op)
	return nil
}

// setOp is set_by_lua* in a rewrite script.
type setOp struct {
	index   int
	handler *handler
	args    []core.Template
}

func (o *setOp) Exec(r *core.Request) int {
	args := make([]string, len(o.args))
	for i := range o.args {
		args[i] = o.args[i].Eval(r)
	}
	results, _, rc := runFilter(r, o.handler, caller.PhaseSet, func(ctx *runCtx) { ctx.setArgs = args })
	if rc != core.OK {
		r.ScriptStatus = 500
		return core.StopScript
	}
	value := ""
	if len(results) > 0 {
		value = varText(results[0])
	}
	r.SetIndexed(o.index, value)
	return 0
}

// varText is the text a variable gets from a result of set_by_lua; values
// that are no text give "".
func varText(v rt.Value) string {
	switch {
	case v.IsString():
		return v.Str()
	case v.IsNumber():
		return rt.NumberString(v.Num())
	}
	return ""
}
