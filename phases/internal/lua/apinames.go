package lua

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
)

// APINames lists, sorted, what scripts find below ngx and ndk and in the native modules of ngx and resty:
// "ngx.re.match", "ngx.ssl.clear_certs", and methods as "tcpsock:connect", "ngx.shared.DICT:get".
func APINames(modules []*core.Module) ([]string, error) {
	w, err := lonelyWorker(modules, nil, "events {} http { lua_shared_dict d 16k; }")
	if err != nil {
		return nil, err
	}
	defer w.state.Close()
	w.baton.Acquire()
	defer w.baton.Release()
	run := &entryRun{thread: w.state.NewThread(), ctx: newCtx(w, caller.PhaseTimer)}
	run.thread.Host = &run.ctx
	var names []string
	_, failure, abort := run.call(rt.NewGoFunction("names", func(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
		names = collectNames(th)
		return rt.Nil, 0
	}))
	if failure != nil {
		return nil, failure
	}
	slices.Sort(names)
	return slices.Compact(names), abort
}

// madeUp are the fields of ngx that are there only when somebody asks for them.
var madeUp = []string{"ngx.ctx", "ngx.headers_sent", "ngx.is_subrequest", "ngx.status"}

// collectNames looks into the tables of a worker, and into objects that it makes.
func collectNames(th *rt.Thread) (names []string) {
	globals := th.State.Globals
	names = append(names, madeUp...)
	for _, top := range []string{"ngx", "ndk"} {
		names = append(names, members(globals.GetStr(top).Table(), top+".")...)
	}
	call := func(f rt.Value, args ...rt.Value) rt.Value {
		v, _ := rt.CallList(th, f, "", args)
		return v
	}
	field := func(v rt.Value, path string) rt.Value {
		for key := range strings.SplitSeq(path, ".") {
			v = rt.Index(th, v, rt.String(key), "")
		}
		return v
	}
	loaded := map[string]rt.Value{}
	for _, name := range th.State.NativeModules() {
		if strings.HasPrefix(name, "ngx.") || strings.HasPrefix(name, "resty.") {
			loaded[name] = call(globals.GetStr("require"), rt.String(name))
			if loaded[name].IsTable() {
				names = append(append(names, name), members(loaded[name].Table(), name+".")...)
			}
		}
	}
	ngx := globals.GetStr("ngx")
	for prefix, object := range map[string]rt.Value{
		"tcpsock": call(field(ngx, "socket.tcp")), "udpsock": call(field(ngx, "socket.udp")),
		"ngx.shared.DICT":      field(ngx, "shared.d"),
		"ngx.semaphore sem":    call(field(loaded["ngx.semaphore"], "new"), rt.Int(0)),
		"resty.lrucache cache": call(field(loaded["resty.lrucache"], "new"), rt.Int(1)),
	} {
		if methods := object.Table().Meta().GetStr("__index"); methods.IsTable() {
			names = append(names, members(methods.Table(), prefix+":")...)
		}
	}
	return names
}

// members lists the keys of a table and, one level further in, those of the tables in it.
func members(t *rt.Table, prefix string) (names []string) {
	for k, v, _ := t.Next(rt.Nil); !k.IsNil(); k, v, _ = t.Next(k) {
		if !k.IsString() {
			continue
		}
		names = append(names, prefix+k.Str())
		if v.IsTable() && strings.Count(prefix, ".") == 1 && prefix[len(prefix)-1] == '.' {
			names = append(names, members(v.Table(), prefix+k.Str()+".")...)
		}
	}
	return names
}
