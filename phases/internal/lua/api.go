package lua

import (
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxre"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxshared"
	"github.com/moonphase/moonphase/phases/regex"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/cosocket"
)

// ngxAPI is the ngx table's side of one worker: the Host of its Lua state.
type ngxAPI struct {
	worker *worker
	st     *rt.State
	ngx    *rt.Table

	outBuf    []byte // what ngx.say puts together
	re        *ngxre.Lib
	timers    timerSet
	vms       vmPool
	reqHeads  *rt.Table // metatable of what ngx.req.get_headers returns
	respHeads *rt.Table
	pools     *cosocket.Pools
	sockets   *cosocket.Lib
}

// apiOf is the API of the worker that runs th.
func apiOf(th *rt.Thread) *ngxAPI { return th.State.Host.(*ngxAPI) }

// openNgx gives the Lua state of a worker the ngx table and the modules that are
// part of the server.
func openNgx(st *rt.State, w *worker) {
	api := &ngxAPI{worker: w, st: st}
	st.Host, st.Defect = api, logDefect
	ngx := rt.NewTable(0, 128)
	api.ngx = ngx
	for _, l := range []lib.Functions{ngxOutput, ngxControl, ngxTime, ngxText, ngxLogLib} {
		l.AddTo(ngx)
	}
	for _, c := range ngxConstants {
		ngx.SetStr(c.name, rt.Int(c.value))
	}
	ngx.SetStr("null", rt.LightNull)
	sub := func(name string, t *rt.Table) { ngx.SetStr(name, rt.TableValue(t)) }
	req := ngxReq.Table(32)
	ngxReqHeaders.AddTo(req)
	ngxReqArgs.AddTo(req)
	ngxReqBody.AddTo(req)
	sub("req", req)
	sub("resp", ngxResp.Table(2))
	m := main.Of(w.cycle)
	patterns := ngxre.Options{Cache: m.regexCacheMaxEntries.V, Match: m.regexMatchLimit.V}
	if w.cycle.Stack.Has(compat.PCRE2) {
		patterns.Dialect = regex.PCRE2
	}
	api.re = ngxre.New(patterns)
	sub("re", api.re.Table())
	sub("timer", ngxTimer.Table(0))
	sub("worker", ngxWorker.Table(0))
	sub("location", ngxLocation.Table(0))
	sub("thread", ngxThread.Table(0))
	api.openSockets()
	sub("config", api.configTable())
	sub("shared", ngxshared.Table(m.dicts))
	sub("var", magic(varGet, varSet))
	sub("header", magic(headerGet, headerSet))
	sub("arg", magic(argGet, argSet))
	api.reqHeads = rt.NewTable(0, 1)
	api.reqHeads.SetStr("__index", rt.NewGoFunction("__index", headersIndex))
	api.respHeads = api.reqHeads

	meta := rt.NewTable(0, 2)
	meta.SetStr("__index", rt.NewGoFunction("__index", ngxIndex))
	meta.SetStr("__newindex", rt.NewGoFunction("__newindex", ngxNewIndex))
	ngx.SetMeta(meta)

	st.Globals.SetStr("ngx", rt.TableValue(ngx))
	st.Globals.SetStr("print", rt.NewGoFunction("print", ngxPrintLog))
	api.openNdk()
	api.openModules()
	st.EnterTableFunctions("new", "clear") // lua-resty-core has asked for them
	st.Globals.GetStr("coroutine").Table().SetStr("isyieldable", rt.Nil)
	guard := rt.NewTable(0, 1)
	guard.SetStr("__newindex", rt.NewGoFunction("__newindex", globalWrite))
	st.Globals.SetMeta(guard)
}

// globalWrite sets a new global variable, and warns of it where requests share it.
func globalWrite(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 3)
	th.RawSet(th.CheckTable(args, 0), args[1], args[2])
	if c := ctxOf(th); c.Phase != caller.PhaseInit && c.Phase != caller.PhaseInitWorker && c.LogEnabled(errlog.Warn) {
		c.Log(errlog.Warn, "[lua] _G write guard:12: __newindex(): writing a global Lua variable ('"+lib.TextOrNil(th, args[1])+
			"') which may lead to race conditions between concurrent requests, so prefer the use of 'local' variables\n"+
			th.Traceback("", 1))
	}
	return rt.Nil, 0
}

// magic makes a table whose fields are functions' doing.
func magic(get, set rt.GoFunc) *rt.Table {
	meta := rt.NewTable(0, 2)
	meta.SetStr("__index", rt.NewGoFunction("__index", get))
	meta.SetStr("__newindex", rt.NewGoFunction("__newindex", set))
	t := rt.NewTable(0, 0)
	t.SetMeta(meta)
	return t
}

// ngxIndex reads the fields of ngx that are made up on the spot.
func ngxIndex(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 2)
	if !args[1].IsString() {
		return rt.Nil, 1
	}
	switch name := args[1].Str(); name {
	case "ctx":
		return rt.TableValue(ctxTable(th)), 1
	case "status":
		return rt.Int(getStatus(th)), 1
	case "headers_sent":
		return rt.Bool(requestOf(th).HeadersSent), 1
	case "is_subrequest":
		return rt.Bool(requestOf(th).IsSubrequest()), 1
	}
	return rt.Nil, 1
}

func ngxNewIndex(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 3)
	if args[1].IsString() {
		switch args[1].Str() {
		case "ctx":
			setCtxTable(th, args[2])
			return rt.Nil, 0
		case "status":
			setStatus(th, args[2])
			return rt.Nil, 0
		}
	}
	th.RawSet(th.CheckTable(args, 0), args[1], args[2])
	return rt.Nil, 0
}

// gate raises the error of a call in a phase that does not allow a group; missing is
// the text for code that runs for no request at all.
func gate(th *rt.Thread, g caller.Group, missing string) *runCtx {
	caller.Gate(th, g, missing)
	return ctxOf(th)
}

// requestOf is the request of the running code, which must have a real one.
func requestOf(th *rt.Thread) *core.Request { return caller.Request(th, caller.NoRequest) }

// ngxConstants are the numbers in the ngx table.
var ngxConstants = []struct {
	name  string
	value int
}{
	{"OK", 0}, {"ERROR", -1}, {"AGAIN", -2}, {"DONE", -4}, {"DECLINED", -5},
	{"HTTP_GET", 2}, {"HTTP_HEAD", 4}, {"HTTP_POST", 8}, {"HTTP_PUT", 16}, {"HTTP_DELETE", 32},
	{"HTTP_MKCOL", 64}, {"HTTP_COPY", 128}, {"HTTP_MOVE", 256}, {"HTTP_OPTIONS", 512},
	{"HTTP_PROPFIND", 1024}, {"HTTP_PROPPATCH", 2048}, {"HTTP_LOCK", 4096}, {"HTTP_UNLOCK", 8192},
	{"HTTP_PATCH", 16384}, {"HTTP_TRACE", 32768},
	{"HTTP_CONTINUE", 100}, {"HTTP_SWITCHING_PROTOCOLS", 101}, {"HTTP_OK", 200}, {"HTTP_CREATED", 201},
	{"HTTP_ACCEPTED", 202}, {"HTTP_NO_CONTENT", 204}, {"HTTP_PARTIAL_CONTENT", 206},
	{"HTTP_SPECIAL_RESPONSE", 300}, {"HTTP_MOVED_PERMANENTLY", 301}, {"HTTP_MOVED_TEMPORARILY", 302},
	{"HTTP_SEE_OTHER", 303}, {"HTTP_NOT_MODIFIED", 304}, {"HTTP_TEMPORARY_REDIRECT", 307},
	{"HTTP_PERMANENT_REDIRECT", 308}, {"HTTP_BAD_REQUEST", 400}, {"HTTP_UNAUTHORIZED", 401},
	{"HTTP_PAYMENT_REQUIRED", 402}, {"HTTP_FORBIDDEN", 403}, {"HTTP_NOT_FOUND", 404},
	{"HTTP_NOT_ALLOWED", 405}, {"HTTP_NOT_ACCEPTABLE", 406}, {"HTTP_REQUEST_TIMEOUT", 408},
	{"HTTP_CONFLICT", 409}, {"HTTP_GONE", 410}, {"HTTP_UPGRADE_REQUIRED", 426},
	{"HTTP_TOO_MANY_REQUESTS", 429}, {"HTTP_ILLEGAL", 451}, {"HTTP_CLOSE", 444},
	{"HTTP_INTERNAL_SERVER_ERROR", 500}, {"HTTP_METHOD_NOT_IMPLEMENTED", 501},
	{"HTTP_NOT_IMPLEMENTED", 501}, {"HTTP_BAD_GATEWAY", 502}, {"HTTP_SERVICE_UNAVAILABLE", 503},
	{"HTTP_GATEWAY_TIMEOUT", 504}, {"HTTP_VERSION_NOT_SUPPORTED", 505}, {"HTTP_INSUFFICIENT_STORAGE", 507},
	{"STDERR", 0}, {"EMERG", 1}, {"ALERT", 2}, {"CRIT", 3}, {"ERR", 4}, {"WARN", 5},
	{"NOTICE", 6}, {"INFO", 7}, {"DEBUG", 8},
}
