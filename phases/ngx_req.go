package phases

import (
	"math"
	"strings"

	rt "github.com/moonphase/moonphase/runtime"
)

// ngxReq is the functions of ngx.req on the request line.
var ngxReq = lib{
	{"get_method", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.String(requestOf(th).Method), 1
	}},
	{"set_method", ngxSetMethod},
	{"set_uri", ngxSetURI},
	{"http_version", ngxHTTPVersion},
	{"raw_header", ngxRawHeader},
	{"start_time", ngxStartTime},
	{"socket", ngxReqSocket},
	{"is_internal", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Bool(requestOf(th).Internal), 1
	}},
}

// methodNames are the methods behind the bits of ngx.HTTP_GET and so on, from
// bit 1 up.
var methodNames = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE",
	"OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH", "TRACE"}

// methodName is the name of a method constant.
func methodName(id float64) (string, bool) {
	for i, name := range methodNames {
		if id == float64(int(2)<<i) {
			return name, true
		}
	}
	return "", false
}

func ngxSetMethod(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := requestOf(th)
	id := rt.ArgAt(args, 0)
	if !id.IsNumber() {
		th.Errorf("bad method number")
	}
	name, ok := methodName(math.Trunc(id.Num()))
	if !ok {
		th.Errorf("unsupported HTTP method: %s", rt.NumberString(id.Num()))
	}
	r.Method = name
	if !r.HeadersSent {
		r.HeaderOnly = name == "HEAD"
	}
	return rt.Nil, 0
}

// ngxSetURI is ngx.req.set_uri(uri, jump, binary).
func ngxSetURI(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n < 1 || n > 3 {
		th.Errorf("expecting 1, 2 or 3 arguments but seen %d", n)
	}
	r := requestOf(th)
	uri := th.CheckString(args, 0)
	if uri == "" {
		th.Errorf("attempt to use zero-length uri")
	}
	jump := optBool(th, args, 1)
	binary := optBool(th, args, 2)
	if jump {
		gate(th, apiJump, noRequest)
	}
	if !binary {
		if c, bad := unsafeByte(uri); bad {
			th.Errorf("unsafe byte \"0x%02x\" in uri \"%s\" (maybe you want to set the 'binary' argument?)", c, escapeUnsafe(uri))
		}
	}
	if jump {
		checkPending(th, 0)
	}
	r.URI = uri
	r.ValidUnparsedURI = false
	r.Internal = true
	if !jump {
		r.ValidLocation, r.URIChanged = false, false
		return rt.Nil, 0
	}
	r.URIChanged = true
	r.Logf(LogDebug, "lua set uri jump to \"%s\"", uri)
	panic(luaJump{})
}

// optBool is argument i, which must be a boolean where it is given.
func optBool(th *rt.Thread, args []rt.Value, i int) bool {
	if i >= len(args) {
		return false
	}
	if !args[i].IsBool() {
		th.ArgTypeError(args, i, "boolean")
	}
	return args[i].Truthy()
}

func ngxHTTPVersion(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := realRequest(th, noRequestObject)
	switch {
	case r.HTTPMajor == 0:
		return rt.Number(0.9), 1
	case r.HTTPMajor == 1:
		return rt.Number(1 + float64(r.HTTPMinor)/10), 1
	}
	return rt.Int(r.HTTPMajor), 1
}

// ngxRawHeader is ngx.req.raw_header(no_request_line).
func ngxRawHeader(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := realRequest(th, noRequestObject)
	if r.HTTPMajor == 2 {
		th.Errorf("http2 requests not supported yet")
	}
	head := r.HeaderText
	if rt.ArgAt(args, 0).Truthy() {
		_, head, _ = strings.Cut(head, "\n")
	}
	return rt.String(head), 1
}

func ngxStartTime(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	c := luaCtx(th)
	switch {
	case c.Phase == PhaseInit:
		th.Errorf(noRequest)
	case c.R == nil:
		return rt.Number(float64(nowMillis()) / 1000), 1
	}
	return rt.Number(float64(c.R.Main.Start.UnixMilli()) / 1000), 1
}

// ngxReqHeaders is the functions of ngx.req on headers.
var ngxReqHeaders = lib{
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
	name := escapeHeaderName(luaText(th, args[0]))
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
		return []string{escapeHeaderValue(luaText(th, v))}
	}
	list := v.Table()
	values := make([]string, list.Len())
	for i := range values {
		elem := list.Int(i + 1)
		text := luaText(th, elem)
		if !elem.IsString() {
			list.SetInt(i+1, rt.String(text))
		}
		values[i] = escapeHeaderValue(text)
	}
	return values
}

func ngxReqClearHeader(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	setRequestHeader(requestOf(th), escapeHeaderName(textOrNil(th, rt.ArgAt(args, 0))), nil)
	return rt.Nil, 0
}

// textOrNil is luaText, with "nil" for nil as tostring gives it.
func textOrNil(th *rt.Thread, v rt.Value) string {
	if v.IsNil() {
		return "nil"
	}
	return luaText(th, v)
}

// oneValueHeaders are the request headers of which nginx keeps one line by itself:
// the last of several values is the one that counts.
var oneValueHeaders = nameSetOf("Host", "Connection", "If-Modified-Since", "If-Unmodified-Since", "If-Match",
	"If-None-Match", "User-Agent", "Referer", "Content-Type", "Content-Length", "Range", "If-Range",
	"Transfer-Encoding", "Expect", "Upgrade", "Accept-Encoding", "Via", "Authorization", "Keep-Alive",
	"X-Real-IP", "Depth", "Destination", "Overwrite", "Date")

// setRequestHeader gives a header of the request the values, and what the server
// itself took from it. None, or an empty first one, removes it. It is false for a
// value that the header cannot have.
func setRequestHeader(r *Request, name string, values []string) bool {
	if r.HTTPMajor < 1 { // HTTP/0.9 has no headers
		return true
	}
	if len(values) > 1 && oneValueHeaders.has(name) {
		values = values[len(values)-1:]
	}
	value := ""
	if len(values) > 0 {
		value, values = values[0], values[1:]
	}
	if equalFold(name, "Content-Length") {
		n, ok := parseDecimal(value)
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
		r.In.Set(r.In.nameOf(name), value)
	}
	for _, v := range values {
		r.In.Add(name, v)
	}
	if equalFold(name, "Host") {
		r.Host = hostName(value)
		if v := r.Cycle.vars.byName["host"]; v != nil && v.index >= 0 {
			r.vars[v.index] = varSlot{}
		}
	}
	return true
}

// hostName is a Host header without its port, in lower case.
func hostName(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	return lowerString(host)
}

// ngxReqArgs is the functions of ngx.req on arguments.
var ngxReqArgs = lib{
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
		clearTable(t)
	}
	return decodeArgs(th, luaCtx(th), r.Args, limit, t)
}

func clearTable(t *rt.Table) {
	for k, _, _ := t.Next(rt.Nil); !k.IsNil(); k, _, _ = t.Next(k) {
		t.Set(k, rt.Nil)
	}
}

func ngxSetURIArgs(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("expecting 1 argument but seen %d", len(args))
	}
	r := realRequest(th, noRequestObject)
	r.setArgs(escapeBytes(queryArgument(th, args, 0), func(c byte) bool { return c <= ' ' || c == 0x7F }), true)
	return rt.Nil, 0
}

// ngxGetPostArgs is ngx.req.get_post_args(limit).
func ngxGetPostArgs(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) > 1 {
		th.Errorf("expecting 0 or 1 arguments but seen %d", len(args))
	}
	r := realRequest(th, noRequestObject)
	limit := maxArgs
	if len(args) == 1 { // nil does not stand for the default
		limit = th.CheckInt(args, 0)
	}
	b := r.bodyRead()
	switch {
	case b.Discarded:
		return rt.TableValue(rt.NewTable(0, 0)), 1
	case !b.exists():
		th.Errorf("no request body found; maybe you should turn on lua_need_request_body?")
	case b.File != "":
		return fail(th, "request body in temp file not supported")
	}
	return decodeArgs(th, luaCtx(th), string(b.Data), limit, rt.NewTable(0, 4))
}
