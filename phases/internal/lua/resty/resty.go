// Package resty is what OpenResty's own Lua libraries offer that needs no request:
// the parts of resty.core, resty.string and the digests, ngx.base64.
package resty

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/lua/lrucache"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// Modules are the modules by name; version is that of lua-resty-core.
func Modules(version string) map[string]*rt.Table {
	m := map[string]*rt.Table{
		"resty.core.base":        coreBase(version),
		"resty.core.time":        coreTime.Table(0),
		"resty.core.utils":       coreUtils.Table(0),
		"resty.lrucache":         lrucache.Module(),
		"resty.lrucache.pureffi": lrucache.Module(),
		"resty.string":           restyString.Table(0),
		"ngx.base64":             base64URL.Table(0),
	}
	part := rt.NewTable(0, 1)
	part.SetStr("version", rt.String(version))
	for _, name := range coreParts {
		m[name] = part
	}
	for _, d := range digests {
		m["resty."+d.name] = digestModule(d)
	}
	return m
}

// coreParts are the modules of lua-resty-core that only patch the ngx table, which has
// it all already.
var coreParts = []string{"resty.core", "resty.core.base64", "resty.core.ctx", "resty.core.exit",
	"resty.core.hash", "resty.core.misc", "resty.core.ndk", "resty.core.phase", "resty.core.regex",
	"resty.core.request", "resty.core.response", "resty.core.shdict", "resty.core.uri",
	"resty.core.var", "resty.core.worker"}

// coreBase is the part of resty.core.base that is not about FFI buffers.
func coreBase(version string) *rt.Table {
	t := lib.Functions{
		{"new_tab", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			return rt.TableValue(rt.NewTable(max(th.CheckInt(args, 0), 0), max(th.CheckInt(args, 1), 0))), 1
		}},
		{"clear_tab", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			lib.ClearTable(th.CheckTable(args, 0))
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
			c := caller.Of(th)
			if c.Request == nil {
				return rt.Nil, 1
			}
			return rt.NewUserdata(c.Request, nil), 1
		}},
	}.Table(9)
	t.SetStr("version", rt.String(version))
	for _, c := range []struct {
		name  string
		value int
	}{{"FFI_OK", 0}, {"FFI_ERROR", -1}, {"FFI_AGAIN", -2}, {"FFI_BUSY", -3}, {"FFI_DONE", -4},
		{"FFI_DECLINED", -5}, {"FFI_NO_REQ_CTX", -100}, {"FFI_BAD_CONTEXT", -101}} {
		t.SetStr(c.name, rt.Int(c.value))
	}
	return t
}

// coreTime is resty.core.time.
var coreTime = lib.Functions{
	{"monotonic_msec", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Number(float64(lib.MonotonicMillis())), 1
	}},
	{"monotonic_time", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Number(float64(lib.MonotonicMillis()) / 1000), 1
	}},
}

var coreUtils = lib.Functions{{"str_replace_char", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s, find, with := th.CheckString(args, 0), th.CheckString(args, 1), th.CheckString(args, 2)
	if find == "" || with == "" {
		return rt.String(s), 1
	}
	return rt.String(strings.ReplaceAll(s, find[:1], with[:1])), 1
}}}

// base64URL is the ngx.base64 module.
var base64URL = lib.Functions{
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
