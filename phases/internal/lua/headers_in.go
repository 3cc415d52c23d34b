package lua

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxReqHeaders is the functions of ngx.req on headers.
var ngxReqHeaders = lib.Functions{
	{"get_headers", ngxReqGetHeaders},
	{"set_header", ngxReqSetHeader},
	{"clear_header", ngxReqClearHeader},
}

// ngxReqGetHeaders is ngx.req.get_headers(limit, raw).
func ngxReqGetHeaders(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := requestOf(th)
	g := headerGatherer{what: "request", limit: headerLimit(th, args), raw: rt.ArgAt(args, 1).Truthy(), t: rt.NewTable(0, len(r.In))}
	for i := range r.In {
		g.add(r.In[i].Name, r.In[i].Value)
	}
	return g.result(th, apiOf(th).reqHeads)
}

func ngxReqSetHeader(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := requestOf(th)
	if rt.ArgAt(args, 0).IsNil() {
		th.Errorf("bad 'name' argument: string expected, got nil")
	}
	name := escapeHeaderName(lib.Text(th, args[0]))
	if v := rt.ArgAt(args, 1); v.IsNil() {
		setRequestHeader(r, name, nil)
	} else if !setRequestHeader(r, name, headerValues(th, v)) {
		th.Errorf("failed to set header")
	}
	return rt.Nil, 0
}

// headerValues gives the values that a script wants a header to have. As in
// lua-resty-core, the elements of a table become strings in the table itself.
func headerValues(th *rt.Thread, v rt.Value) []string {
	if !v.IsTable() {
		return []string{escapeHeaderValue(lib.Text(th, v))}
	}
	list := v.Table()
	values := make([]string, list.Len())
	for i := range values {
		elem := list.Int(i + 1)
		text := lib.Text(th, elem)
		if !elem.IsString() {
			list.SetInt(i+1, rt.String(text))
		}
		values[i] = escapeHeaderValue(text)
	}
	return values
}

func ngxReqClearHeader(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	setRequestHeader(requestOf(th), escapeHeaderName(lib.TextOrNil(th, rt.ArgAt(args, 0))), nil)
	return rt.Nil, 0
}

// setRequestHeader gives a header of the request the values, and what the server
// itself took from it. None, or an empty first one, removes it. It is false for a
// value that the header cannot have.
func setRequestHeader(r *core.Request, name string, values []string) bool {
	if r.HTTPMajor < 1 { // HTTP/0.9 has no headers
		return true
	}
	if len(values) > 1 && oneValueHeaders.Has(name) {
		values = values[len(values)-1:]
	}
	value := ""
	if len(values) > 0 {
		value, values = values[0], values[1:]
	}
	if ngxtext.EqualFold(name, "Content-Length") {
		n, ok := ngxtext.ParseDecimal(value)
		if !ok && value != "" {
			return false
		}
		r.ContentLength = -1
		if ok {
			r.ContentLength = n
		}
	}
	if value == "" {
		r.In.Del(name)
	} else {
		r.In.Set(r.In.NameOf(name), value)
	}
	for _, v := range values {
		r.In.Add(name, v)
	}
	if ngxtext.EqualFold(name, "Host") {
		r.Host = hostName(value)
		if v := r.Cycle.Vars.ByName["host"]; v != nil && v.Index >= 0 {
			r.Vars[v.Index] = core.VarSlot{}
		}
	}
	return true
}

// hostName is a Host header without its port, in lower case.
func hostName(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	return ngxtext.Lower(host)
}

// oneValueHeaders are the request headers of which nginx keeps one line by itself:
// the last of several values is the one that counts.
var oneValueHeaders = core.NameSetOf("Host", "Connection", "If-Modified-Since", "If-Unmodified-Since", "If-Match",
	"If-None-Match", "User-Agent", "Referer", "Content-Type", "Content-Length", "Range", "If-Range",
	"Transfer-Encoding", "Expect", "Upgrade", "Accept-Encoding", "Via", "Authorization", "Keep-Alive",
	"X-Real-IP", "Depth", "Destination", "Overwrite", "Date")
