package lua

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/lua/lrucache"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// openModules enters the modules that OpenResty ships, as far as they are part of
// the server here, in package.loaded.
func (api *ngxAPI) openModules() {
	api.loaded("ngx", api.ngx)
	part := rt.NewTable(0, 1)
	part.SetStr("version", rt.String(restyCoreVersion))
	for _, name := range restyCoreParts {
		api.loaded(name, part)
	}
	api.loaded("resty.core.base", api.restyCoreBase())
	api.loaded("resty.core.time", restyCoreTime.Table(0))
	api.loaded("resty.core.utils", restyCoreUtils.Table(0))
	api.loaded("ngx.re", ngxReModule.Table(0))
	api.loaded("ngx.balancer", ngxBalancer.Table(0))
	api.loaded("ngx.base64", ngxBase64.Table(0))
	api.loaded("ngx.errlog", ngxErrlog.Table(0))
	api.loaded("ngx.process", ngxProcess.Table(0))
	api.loaded("ngx.req", ngxReqModule.Table(0))
	api.loaded("ngx.semaphore", semaphoreModule())
	api.loaded("ngx.ssl", sslTable())
	api.loaded("ngx.ssl.clienthello", ngxSSLClientHello.Table(0))
	api.loaded("ngx.ssl.session", ngxSSLSession.Table(0))
	api.loaded("ngx.resp", ngxRespModule.Table(0))
	api.loaded("resty.lrucache", lrucache.Module())
	api.loaded("resty.lrucache.pureffi", lrucache.Module())
	api.loaded("resty.string", restyString.Table(0))
	for _, d := range digests {
		api.loaded("resty."+d.name, digestModule(d))
	}
}

func (api *ngxAPI) loaded(name string, t *rt.Table) {
	api.st.Loaded.Set(rt.String(name), rt.TableValue(t))
}

// restyCoreVersion is the lua-resty-core that goes with ngx_lua 0.10.23.
const restyCoreVersion = "0.1.25"

// restyCoreParts are the modules of lua-resty-core that only patch the ngx table,
// which has it all already.
var restyCoreParts = []string{"resty.core", "resty.core.base64", "resty.core.ctx", "resty.core.exit",
	"resty.core.hash", "resty.core.misc", "resty.core.ndk", "resty.core.phase", "resty.core.regex",
	"resty.core.request", "resty.core.response", "resty.core.shdict", "resty.core.uri",
	"resty.core.var", "resty.core.worker"}

// restyCoreBase is the part of resty.core.base that is not about FFI buffers.
func (api *ngxAPI) restyCoreBase() *rt.Table {
	t := lib.Functions{
		{"new_tab", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			return rt.TableValue(rt.NewTable(max(th.CheckInt(args, 0), 0), max(th.CheckInt(args, 1), 0))), 1
		}},
		{"clear_tab", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			clearTable(th.CheckTable(args, 0))
			return rt.Nil, 0
		}},
		{"allows_subsystem", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			for _, v := range args {
				if rt.EqString(v, "http") {
					return rt.Nil, 0
				}
			}
			th.Errorf("unsupported subsystem: http")
			return rt.Nil, 0
		}},
		{"get_request", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			c := ctxOf(th)
			if c.r == nil {
				return rt.Nil, 1
			}
			return rt.NewUserdata(c.r, nil), 1
		}},
	}.Table(9)
	t.SetStr("version", rt.String(restyCoreVersion))
	for _, c := range []struct {
		name  string
		value int
	}{{"FFI_OK", 0}, {"FFI_ERROR", -1}, {"FFI_AGAIN", -2}, {"FFI_BUSY", -3}, {"FFI_DONE", -4},
		{"FFI_DECLINED", -5}, {"FFI_NO_REQ_CTX", -100}, {"FFI_BAD_CONTEXT", -101}} {
		t.SetStr(c.name, rt.Int(c.value))
	}
	return t
}

var processStart = time.Now()

// monotonicMillis is a clock that does not jump, in milliseconds.
func monotonicMillis() int64 { return time.Since(processStart).Milliseconds() }

// restyCoreTime is resty.core.time.
var restyCoreTime = lib.Functions{
	{"monotonic_msec", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Number(float64(monotonicMillis())), 1
	}},
	{"monotonic_time", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Number(float64(monotonicMillis()) / 1000), 1
	}},
}

var restyCoreUtils = lib.Functions{{"str_replace_char", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s, find, with := th.CheckString(args, 0), th.CheckString(args, 1), th.CheckString(args, 2)
	if find == "" || with == "" {
		return rt.String(s), 1
	}
	return rt.String(strings.ReplaceAll(s, find[:1], with[:1])), 1
}}}

// ngxBase64 is the ngx.base64 module.
var ngxBase64 = lib.Functions{
	{"encode_base64url", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		v := rt.ArgAt(args, 0)
		if !v.IsString() {
			return lib.Fail(th, "must provide a string")
		}
		return rt.String(base64.RawURLEncoding.EncodeToString([]byte(v.Str()))), 1
	}},
	{"decode_base64url", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		v := rt.ArgAt(args, 0)
		if !v.IsString() {
			return lib.Fail(th, "must provide a string")
		}
		std := strings.NewReplacer("-", "+", "_", "/", "+", "!", "/", "!").Replace(v.Str())
		s, ok := ngxtext.DecodeBase64(std)
		if !ok {
			return lib.Fail(th, "invalid input")
		}
		return rt.String(s), 1
	}},
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
		ctxOf(th).log(errlog.Level(level.Num()), msg.Str())
		return rt.Nil, 0
	}},
	{"get_sys_filter_level", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		c := ctxOf(th)
		for level := errlog.Debug; level > errlog.Stderr; level-- {
			if c.logEnabled(level) {
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
		case ctxOf(th).phase == PhaseInit:
			return rt.String("master"), 1
		case !cycle.Main.MasterProcess.OrDefault(true):
			return rt.String("single"), 1
		}
		return rt.String("worker"), 1
	}},
	{"get_master_pid", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return rt.Int(os.Getpid()), 1 }},
	{"enable_privileged_agent", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		if ctxOf(th).phase != PhaseInit {
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
	key := escapeHeaderName(textOf(th, name))
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
		key := escapeHeaderName(headerName(r, textOrNil(th, rt.ArgAt(args, 0))))
		if values := headerValues(th, v); len(values) > 0 && !addResponseHeader(&r.Out, key, values) {
			th.Errorf("failed to set header")
		}
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

// restyString is the resty.string module.
var restyString = lib.Functions{
	{"to_hex", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.String(hex.EncodeToString([]byte(th.CheckString(args, 0)))), 1
	}},
	{"atoi", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		s := strings.TrimLeft(th.CheckString(args, 0), " \t\r\n")
		end := 0
		for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
			end++
		}
		n, _ := rt.ParseNumber(strings.TrimPrefix(s[:end], "+"))
		return rt.Number(n), 1
	}},
}

// digest is one of the resty.md5, resty.sha1 ... modules.
type digest struct {
	name string
	new  func() hash.Hash
}

var digests = []digest{{"md5", md5.New}, {"sha1", sha1.New}, {"sha224", sha256.New224}, {"sha256", sha256.New}, {"sha384", sha512.New384}, {"sha512", sha512.New}}

// digestModule makes a module with new(), whose objects have update, final and
// reset.
func digestModule(d digest) *rt.Table {
	methods := rt.NewTable(0, 3)
	meta := rt.NewTable(0, 1)
	meta.SetStr("__index", rt.TableValue(methods))
	lib.Functions{
		{"update", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			h := hashOf(th, args)
			s := th.CheckString(args, 1)
			if n := th.OptInt(args, 2, len(s)); n >= 0 && n < len(s) {
				s = s[:n]
			}
			h.Write([]byte(s))
			return rt.True, 1
		}},
		{"final", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			return rt.String(string(hashOf(th, args).Sum(nil))), 1
		}},
		{"reset", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			hashOf(th, args).Reset()
			return rt.True, 1
		}},
	}.AddTo(methods)
	return lib.Functions{{"new", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		t := rt.NewTable(1, 0)
		t.SetInt(1, rt.NewUserdata(d.new(), nil))
		t.SetMeta(meta)
		return rt.TableValue(t), 1
	}}}.Table(0)
}

func hashOf(th *rt.Thread, args []rt.Value) hash.Hash {
	if v := th.CheckTable(args, 0).Int(1); v.IsUserdata() {
		if h, ok := v.Userdata().Data.(hash.Hash); ok {
			return h
		}
	}
	th.ArgError(0, "digest object expected")
	return nil
}

// signalQuit asks the server to drain and end.
func signalQuit(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }
