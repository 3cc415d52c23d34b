package phases

import (
	"strings"

	rt "github.com/moonphase/moonphase/runtime"
)

// ngxResp is the ngx.resp table.
var ngxResp = lib{{"get_headers", ngxRespGetHeaders}}

// headerGet is ngx.header.name.
func headerGet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := requestOf(th)
	name := headerName(r, luaText(th, args[1]))
	if classify(name) != outOther {
		if v, ok := r.Out.Get(name); ok && v != "" {
			return rt.String(v), 1
		}
		return rt.Nil, 1
	}
	found := rt.Nil
	for i := range r.Out.Headers {
		h := &r.Out.Headers[i]
		if !equalFold(h.Name, name) {
			continue
		}
		switch v := rt.String(h.Value); {
		case found.IsNil():
			found = v
		case found.IsTable():
			found.Table().Append(v)
		default:
			found = rt.NewArray(found, v)
		}
	}
	return found, 1
}

// headerName turns the underscores of a name into hyphens, unless
// lua_transform_underscores_in_response_headers is off.
func headerName(r *Request, name string) string {
	if strings.IndexByte(name, '_') >= 0 && r.Loc.transformUnderscores.v {
		return strings.ReplaceAll(name, "_", "-")
	}
	return name
}

// headerSet is ngx.header.name = value.
func headerSet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := requestOf(th)
	name := luaText(th, args[1])
	if r.HeadersSent {
		r.Log(LogErr, "attempt to set ngx.header.HEADER after sending out response headers")
		return rt.Nil, 0
	}
	name = escapeHeaderName(headerName(r, name))
	r.lua.headersSet = true
	v := args[2]
	if classify(name) == outContentLength && !v.IsNil() {
		checkLength(th, luaText(th, v))
	}
	if !v.IsTable() {
		if v.IsNil() {
			r.Out.Del(name)
		} else {
			r.Out.setLua(name, escapeHeaderValue(luaText(th, v)))
		}
		return rt.Nil, 0
	}
	list := v.Table()
	n := list.Len()
	if n == 0 {
		r.Out.Del(name)
	}
	for i := 1; i <= n; i++ {
		s := escapeHeaderValue(luaText(th, list.Int(i)))
		if i == 1 {
			r.Out.setLua(name, s)
		} else {
			r.Out.Add(name, s)
		}
	}
	return rt.Nil, 0
}

// checkLength raises an error for a Content-Length that is no number; an empty one
// removes the header.
func checkLength(th *rt.Thread, value string) {
	if _, ok := parseDecimal(value); !ok && value != "" {
		th.Errorf("failed to set header")
	}
}

// setLua is Set for a value of a script: "" removes the header, and a line that is
// there keeps its name.
func (o *Response) setLua(name, value string) {
	if value == "" {
		o.Del(name)
		return
	}
	switch classify(name) {
	case outLastModified: // kept as it is written, whatever the status
		o.Set(name, value)
		o.Headers.Set(name, value)
		return
	case outOther:
		for i := range o.Headers {
			if equalFold(o.Headers[i].Name, name) {
				name = o.Headers[i].Name
				break
			}
		}
	}
	o.Set(name, value)
}

// headerNameChars has the characters that stay in a header's name.
const headerNameChars = "!#$%&'*+-.^_`|~" +
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// escapeHeaderName escapes what cannot stand in a header's name, as %XX.
func escapeHeaderName(s string) string {
	return escapeBytes(s, func(c byte) bool { return strings.IndexByte(headerNameChars, c) < 0 })
}

// escapeHeaderValue escapes control characters other than the tab.
func escapeHeaderValue(s string) string {
	return escapeBytes(s, func(c byte) bool { return c < ' ' && c != '\t' || c == 0x7F })
}

func escapeBytes(s string, bad func(c byte) bool) string {
	n := 0
	for i := 0; i < len(s); i++ {
		if bad(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := 0; i < len(s); i++ {
		if c := s[i]; bad(c) {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// ngxRespGetHeaders is ngx.resp.get_headers(limit, raw).
func ngxRespGetHeaders(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := realRequest(th, noRequestObject)
	raw := rt.ArgAt(args, 1).Truthy()
	g := headerGatherer{what: "response", limit: headerLimit(th, args), raw: raw, t: rt.NewTable(0, len(r.Out.Headers)+4)}
	o := &r.Out
	if o.ContentType != "" {
		g.add("content-type", o.contentType())
	}
	if !o.customLength {
		if v, ok := o.Get("Content-Length"); ok {
			g.add("content-length", v)
		}
	}
	if o.LastModified >= 0 && !o.Headers.Has("Last-Modified") {
		g.add("last-modified", formatHTTPTime(o.LastModified))
	}
	if o.Location != "" {
		g.add("location", o.Location)
	}
	for i := range o.Headers {
		g.add(o.Headers[i].Name, o.Headers[i].Value)
	}
	switch {
	case o.Status == 101:
		g.add("connection", "upgrade")
	case r.KeepAlive && !r.logging:
		g.add("connection", "keep-alive")
	default:
		g.add("connection", "close")
	}
	if r.chunkedOut {
		g.add("transfer-encoding", "chunked")
	}
	return g.result(th, apiOf(th).respHeads)
}

// headerLimit is the first argument of get_headers.
func headerLimit(th *rt.Thread, args []rt.Value) int {
	if !rt.ArgAt(args, 0).Truthy() {
		return maxArgs
	}
	return th.CheckInt(args, 0)
}

// headerGatherer collects header lines in a table.
type headerGatherer struct {
	t         *rt.Table
	what      string // "request" or "response"
	limit     int    // 0: none
	n, total  int
	raw       bool
	truncated bool
}

func (g *headerGatherer) add(name, value string) {
	g.total++
	if g.limit > 0 && g.n == g.limit {
		g.truncated = true
		return
	}
	g.n++
	if !g.raw {
		name = lowerString(name)
	}
	addMulti(g.t, rt.String(name), rt.String(value))
}

func (g *headerGatherer) result(th *rt.Thread, meta *rt.Table) (rt.Value, int) {
	if !g.raw {
		g.t.SetMeta(meta)
	}
	if g.truncated {
		luaCtx(th).logf(LogDebug, "lua exceeding %s header limit %d > %d", g.what, g.total, g.limit)
		return th.Return2(rt.TableValue(g.t), rt.String("truncated"))
	}
	return rt.TableValue(g.t), 1
}

// headersIndex is the __index of a table of headers: names in lower case, with
// hyphens.
func headersIndex(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if !args[1].IsString() {
		return rt.Nil, 1
	}
	key := args[1].Str()
	name := strings.ReplaceAll(lowerString(key), "_", "-")
	if name == key {
		return rt.Nil, 1
	}
	return args[0].Table().GetStr(name), 1
}
