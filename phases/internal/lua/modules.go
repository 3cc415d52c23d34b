package lua

import (
	"os"
	"syscall"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxbalancer"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxpipe"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxsemaphore"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxssl"
	"github.com/moonphase/moonphase/phases/internal/lua/resty"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// openModules enters the modules that OpenResty ships, as far as they are part of
// the server here, in package.loaded.
func (api *ngxAPI) openModules() {
	version := api.worker.cycle.Stack.RestyCore
	for _, family := range []map[string]*rt.Table{resty.Modules(version), ngxssl.Modules(version), {
		"ngx":           api.ngx,
		"ngx.re":        api.re.Module(),
		"ngx.balancer":  ngxbalancer.Module(),
		"ngx.errlog":    ngxErrlog.Table(0),
		"ngx.process":   ngxProcess.Table(0),
		"ngx.req":       ngxReqModule.Table(0),
		"ngx.pipe":      ngxpipe.Module(version),
		"ngx.semaphore": ngxsemaphore.Module(version),
		"ngx.resp":      ngxRespModule.Table(0),
	}} {
		for name, t := range family {
			api.st.Loaded.Set(rt.String(name), rt.TableValue(t))
		}
	}
}

// ngxErrlog is the ngx.errlog module.
var ngxErrlog = lib.Functions{
	{"raw_log", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		level, msg := rt.ArgAt(args, 0), rt.ArgAt(args, 1)
		switch {
		case !level.IsNumber():
			th.Errorf("bad argument #1 to 'raw_log' (must be a number)")
		case !msg.IsString():
			th.Errorf("bad argument #2 to 'raw_log' (must be a string)")
		case level.Num() < 0 || level.Num() > float64(errlog.Debug):
			th.Errorf("bad log level")
		}
		ctxOf(th).Log(errlog.Level(level.Num()), msg.Str())
		return rt.Nil, 0
	}},
	{"get_sys_filter_level", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		c := ctxOf(th)
		for level := errlog.Debug; level > errlog.Stderr; level-- {
			if c.LogEnabled(level) {
				return rt.Int(int(level)), 1
			}
		}
		return rt.Int(int(errlog.Stderr)), 1
	}},
	{"set_filter_level", noCapturedLog},
	{"get_logs", noCapturedLog},
}

// noCapturedLog answers for lua_capture_error_log, which needs a patched nginx.
func noCapturedLog(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return lib.Fail(th, "missing the capture error log patch for nginx")
}

// ngxProcess is the ngx.process module.
var ngxProcess = lib.Functions{
	{"type", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		cycle := apiOf(th).worker.cycle
		switch {
		case ctxOf(th).Phase == caller.PhaseInit:
			return rt.String("master"), 1
		case !cycle.Main.MasterProcess.OrDefault(true):
			return rt.String("single"), 1
		}
		return rt.String("worker"), 1
	}},
	{"get_master_pid", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return rt.Int(os.Getpid()), 1 }},
	{"enable_privileged_agent", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		if ctxOf(th).Phase != caller.PhaseInit {
			return lib.Fail(th, "API disabled in the current context")
		}
		return lib.Fail(th, "missing privileged agent process patch in the nginx core")
	}},
	{"signal_graceful_exit", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		p, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = signalQuit(p)
		}
		if err != nil {
			th.Errorf("%s", err)
		}
		return rt.Nil, 0
	}},
}

// ngxReqModule is the ngx.req module.
var ngxReqModule = lib.Functions{{"add_header", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := requestOf(th)
	name, v := rt.ArgAt(args, 0), rt.ArgAt(args, 1)
	if name.IsNil() {
		th.Errorf("bad 'name' argument: string expected, got nil")
	}
	if v.IsNil() {
		th.Errorf("bad 'value' argument: string or table expected, got nil")
	}
	key := escapeHeaderName(lib.Text(th, name))
	values := headerValues(th, v)
	if len(values) == 0 {
		th.Errorf("bad 'value' argument: non-empty table expected")
	}
	if oneValueHeaders.Has(key) {
		if !setRequestHeader(r, key, values) {
			th.Errorf("failed to set header")
		}
		return rt.Nil, 0
	}
	for _, value := range values {
		r.In.Add(key, value)
	}
	return rt.Nil, 0
}}}

// ngxRespModule is the ngx.resp module.
var ngxRespModule = lib.Functions{
	{"add_header", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		r := requestOf(th)
		v := rt.ArgAt(args, 1)
		if v.IsNil() {
			th.Errorf("invalid header value")
		}
		key := escapeHeaderName(headerName(r, lib.TextOrNil(th, rt.ArgAt(args, 0))))
		if values := headerValues(th, v); len(values) > 0 && !addResponseHeader(&r.Out, key, values) {
			th.Errorf("failed to set header")
		}
		return rt.Nil, 0
	}},
	{"bypass_if_checks", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		caller.Request(th, caller.NoRequest).Out.PassedOn = true
		return rt.Nil, 0
	}},
	{"set_status", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		setStatus(th, rt.ArgAt(args, 0))
		if reason := rt.ArgAt(args, 1); reason.IsString() {
			r := requestOf(th)
			r.Out.StatusLine = ngxtext.Itoa(int64(r.Out.Status)) + " " + reason.Str()
		}
		return rt.Nil, 0
	}},
}

// signalQuit asks the server to drain and end.
func signalQuit(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }
