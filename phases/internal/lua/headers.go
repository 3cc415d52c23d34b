package lua

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxResp is the ngx.resp table.
var ngxResp = lib.Functions{{"get_headers", ngxRespGetHeaders}}

// ngxRespGetHeaders is ngx.resp.get_headers(limit, raw).
func ngxRespGetHeaders(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := caller.Request(th, caller.NoRequestObject)
	raw := rt.ArgAt(args, 1).Truthy()
	g := headerGatherer{what: "response", limit: headerLimit(th, args), raw: raw, t: rt.NewTable(0, len(r.Out.Headers)+4)}
	o := &r.Out
	if o.ContentType != "" {
		g.add("content-type", o.FullContentType())
	}
	if !o.CustomLength {
		if v, ok := o.Get("Content-Length"); ok {
			g.add("content-length", v)
		}
	}
	if o.LastModified >= 0 && !o.Headers.Has("Last-Modified") {
		g.add("last-modified", ngxtext.FormatHTTPTime(o.LastModified))
	}
	if o.Location != "" {
		g.add("location", o.Location)
	}
	switch {
	case o.Status == 101:
		g.add("connection", "upgrade")
	case r.KeepAlive && !r.Logging:
		g.add("connection", "keep-alive")
	default:
		g.add("connection", "close")
	}
	if r.ChunkedOut {
		g.add("transfer-encoding", "chunked")
	}
	for i := range o.Headers {
		g.add(o.Headers[i].Name, o.Headers[i].Value)
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
		name = ngxtext.Lower(name)
	}
	addMulti(g.t, rt.String(name), rt.String(value))
}

func (g *headerGatherer) result(th *rt.Thread, meta *rt.Table) (rt.Value, int) {
	if !g.raw {
		g.t.SetMeta(meta)
	}
	if g.truncated {
		ctxOf(th).Logf(errlog.Debug, "lua exceeding %s header limit %d > %d", g.what, g.total, g.limit)
		return th.Return2(rt.TableValue(g.t), rt.String("truncated"))
	}
	return rt.TableValue(g.t), 1
}

// headersIndex is the __index of a table of headers: names in lower case, with
// hyphens.
func headersIndex(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 2)
	if !args[1].IsString() {
		return rt.Nil, 1
	}
	key := args[1].Str()
	name := strings.ReplaceAll(ngxtext.Lower(key), "_", "-")
	if name == key {
		return rt.Nil, 1
	}
	return th.CheckTable(args, 0).GetStr(name), 1
}
