package phases

import (
	"os"

	rt "github.com/moonphase/moonphase/runtime"
)

// ngxWorker is the ngx.worker table. All workers live in one process.
var ngxWorker = lib{
	{"exiting", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Bool(apiOf(th).timers.exiting), 1
	}},
	{"pid", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return rt.Int(os.Getpid()), 1 }},
	{"pids", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		if p := luaCtx(th).Phase; p == PhaseInit || p == PhaseInitWorker {
			return fail(th, "API disabled in the current context")
		}
		return rt.NewArray(rt.Int(os.Getpid())), 1
	}},
	{"id", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		w := apiOf(th).worker
		if luaCtx(th).Phase == PhaseInit && w.Cycle.Main.MasterProcess.orDefault(true) {
			return rt.Nil, 1 // nginx's master runs init_by_lua
		}
		return rt.Int(w.ID), 1
	}},
	{"count", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Int(max(apiOf(th).worker.Cycle.Main.WorkerProcesses.v, 1)), 1
	}},
}

// What this server says it is compatible with.
const (
	nginxVersionNumber = 1022001 // 1.22.1
	ngxLuaVersion      = 10023   // 0.10.23
)

// configTable is the ngx.config table.
func (api *ngxAPI) configTable() *rt.Table {
	t := rt.NewTable(0, 6)
	t.SetStr("subsystem", rt.String("http"))
	t.SetStr("debug", rt.False)
	t.SetStr("nginx_version", rt.Int(nginxVersionNumber))
	t.SetStr("ngx_lua_version", rt.Int(ngxLuaVersion))
	lib{
		{"prefix", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			return rt.String(apiOf(th).worker.Cycle.Prefix), 1
		}},
		{"nginx_configure", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			return rt.String(configureArguments(apiOf(th).worker.Cycle.modules)), 1
		}},
	}.addTo(t)
	return t
}

// openNdk makes the ndk table: ndk.set_var calls the functions that set_*
// directives of other modules are made of.
func (api *ngxAPI) openNdk() {
	ndk := rt.NewTable(0, 1)
	set := magic(ndkGet, func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		th.Errorf("not allowed")
		return rt.Nil, 0
	})
	ndk.SetStr("set_var", rt.TableValue(set))
	api.st.Globals.SetStr("ndk", rt.TableValue(ndk))
	api.st.Loaded.SetStr("ndk", rt.TableValue(ndk))
}

// ndkFunctions are the set_* directives that ndk.set_var knows.
var ndkFunctions = map[string]func(s string) string{
	"set_escape_uri":    func(s string) string { return luaEscapeURI(s, escapeTypeComponent) },
	"set_unescape_uri":  unescapeArg,
	"set_quote_sql_str": quoteSQL,
	"set_encode_base64": func(s string) string { return encodeBase64(s, true) },
	"set_decode_base64": func(s string) string { d, _ := decodeBase64(s); return d },
}

// ndkGet is ndk.set_var.name.
func ndkGet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = padded(args, 2)
	name := textOrNil(th, args[1])
	f := ndkFunctions[name]
	if f == nil {
		th.Errorf("ndk.set_var: directive \"%s\" not found or does not use ndk_set_var_value", name)
	}
	return rt.NewGoFunction(name, func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		if luaCtx(th).Phase == PhaseInit {
			th.Errorf(noRequest)
		}
		return rt.String(f(textOrNil(th, rt.ArgAt(args, 0)))), 1
	}), 1
}
