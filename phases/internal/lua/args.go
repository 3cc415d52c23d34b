package lua

import (
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// queryArgument is an argument that is a query string or a table of arguments.
func queryArgument(th *rt.Thread, args []rt.Value, i int) string {
	switch v := args[i]; {
	case v.IsString(), v.IsNumber():
		return lib.Text(th, v)
	case v.IsTable():
		return encodeArgs(th, v.Table())
	}
	th.ArgError(i, "string, number, or table expected, but got "+rt.TypeName(args[i]))
	return ""
}

func ngxEncodeArgs(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("expecting 1 argument but seen %d", len(args))
	}
	return rt.String(encodeArgs(th, th.CheckTable(args, 0))), 1
}

// encodeArgs makes a query string of a table; the order is the table's. Of a table
// as value all elements count, whatever their keys.
func encodeArgs(th *rt.Thread, t *rt.Table) string {
	var b []byte
	for k, v, _ := t.Next(rt.Nil); !k.IsNil(); k, v, _ = t.Next(k) {
		if !k.IsString() {
			th.Errorf("attempt to use a non-string key in the \"args\" option table")
		}
		if !v.IsTable() {
			b = appendArg(th, b, k.Str(), v)
			continue
		}
		for i, elem, _ := v.Table().Next(rt.Nil); !i.IsNil(); i, elem, _ = v.Table().Next(i) {
			b = appendArg(th, b, k.Str(), elem)
		}
	}
	return string(b)
}

// appendArg appends one key with a value that is not a table.
func appendArg(th *rt.Thread, b []byte, key string, v rt.Value) []byte {
	switch {
	case v.IsString(), v.IsNumber():
		b = appendArgKey(b, key)
		b = append(b, '=')
		return ngxtext.AppendEscaped(b, lib.Text(th, v), escapeTypeComponent)
	case v.IsBool() && v.Truthy():
		return appendArgKey(b, key)
	case v.IsBool():
		return b
	}
	th.Errorf("attempt to use %s as query arg value", rt.TypeName(v))
	return nil
}

func appendArgKey(b []byte, key string) []byte {
	if len(b) > 0 {
		b = append(b, '&')
	}
	return ngxtext.AppendEscaped(b, key, escapeTypeComponent)
}

func ngxDecodeArgs(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 && len(args) != 2 {
		th.Errorf("expecting 1 or 2 arguments but seen %d", len(args))
	}
	s := th.CheckString(args, 0)
	return decodeArgs(th, ctxOf(th), s, th.OptInt(args, 1, maxArgs), rt.NewTable(0, 4))
}

// decodeArgs reads a query string into t.
func decodeArgs(th *rt.Thread, c *runCtx, s string, limit int, t *rt.Table) (rt.Value, int) {
	truncated := ngxtext.EachArg(s, limit, func(key, value string, hasValue bool) {
		v := rt.True
		if hasValue {
			v = rt.String(value)
		}
		addMulti(t, rt.String(key), v)
	})
	if truncated {
		c.Logf(errlog.Debug, "lua hit query args limit %d", limit)
		return th.Return2(rt.TableValue(t), rt.String("truncated"))
	}
	return rt.TableValue(t), 1
}

// addMulti sets t[k] = v, collecting the values of a repeated key in an array.
func addMulti(t *rt.Table, k, v rt.Value) {
	switch old := t.Get(k); {
	case old.IsNil():
		t.Set(k, v)
	case old.IsTable():
		old.Table().Append(v)
	default:
		t.Set(k, rt.NewArray(old, v))
	}
}

// ngxReqArgs is the functions of ngx.req on arguments.
var ngxReqArgs = lib.Functions{
	{"get_uri_args", ngxGetURIArgs},
	{"set_uri_args", ngxSetURIArgs},
	{"get_post_args", ngxGetPostArgs},
}

// ngxGetURIArgs is ngx.req.get_uri_args(limit, table).
func ngxGetURIArgs(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := requestOf(th)
	limit := headerLimit(th, args)
	t := rt.NewTable(0, 4)
	if v := rt.ArgAt(args, 1); v.IsTable() {
		t = v.Table()
		lib.ClearTable(t)
	}
	return decodeArgs(th, ctxOf(th), r.Args, limit, t)
}

func ngxSetURIArgs(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("expecting 1 argument but seen %d", len(args))
	}
	r := caller.Request(th, caller.NoRequestObject)
	r.SetArgs(escapeBytes(queryArgument(th, args, 0), func(c byte) bool { return c <= ' ' || c == 0x7F }), true)
	return rt.Nil, 0
}

// ngxGetPostArgs is ngx.req.get_post_args(limit).
func ngxGetPostArgs(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) > 1 {
		th.Errorf("expecting 0 or 1 arguments but seen %d", len(args))
	}
	r := caller.Request(th, caller.NoRequestObject)
	limit := maxArgs
	if len(args) == 1 { // nil does not stand for the default
		limit = th.CheckInt(args, 0)
	}
	b := r.RequestBody()
	switch {
	case b.Discarded:
		return rt.TableValue(rt.NewTable(0, 0)), 1
	case !b.Exists():
		th.Errorf("no request body found; maybe you should turn on lua_need_request_body?")
	case b.File != "":
		return lib.Fail(th, "request body in temp file not supported")
	}
	return decodeArgs(th, ctxOf(th), string(b.Data), limit, rt.NewTable(0, 4))
}
