package lua

import (
	"github.com/moonphase/moonphase/phases/internal/configure"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// configTable is the ngx.config table.
func (api *ngxAPI) configTable() *rt.Table {
	stack := api.worker.cycle.Stack
	t := rt.NewTable(0, 6)
	t.SetStr("subsystem", rt.String("http"))
	t.SetStr("debug", rt.False)
	t.SetStr("nginx_version", rt.Int(int(stack.Nginx)))
	t.SetStr("ngx_lua_version", rt.Int(int(stack.Lua)))
	lib.Functions{
		{"prefix", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			return rt.String(apiOf(th).worker.cycle.Prefix), 1
		}},
		{"nginx_configure", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			return rt.String(configure.Arguments(apiOf(th).worker.cycle.Modules)), 1
		}},
	}.AddTo(t)
	return t
}
