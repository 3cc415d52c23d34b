package lua

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxReq is the functions of ngx.req on the request line.
var ngxReq = lib.Functions{
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

func ngxHTTPVersion(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := caller.Request(th, caller.NoRequestObject)
	switch {
	case r.HTTPMajor == 0:
		return rt.Number(0.9), 1
	case r.HTTPMajor == 1 && r.HTTPMinor > 1: // nginx has no number for it
		return rt.Nil, 1
	case r.HTTPMajor == 1:
		return rt.Number(1 + float64(r.HTTPMinor)/10), 1
	}
	return rt.Int(r.HTTPMajor), 1
}

// ngxRawHeader is ngx.req.raw_header(no_request_line).
func ngxRawHeader(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := caller.Request(th, caller.NoRequestObject)
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
	c := ctxOf(th)
	switch {
	case c.Phase == caller.PhaseInit:
		th.Errorf(caller.NoRequest)
	case c.Request == nil:
		return rt.Number(float64(nowMillis()) / 1000), 1
	}
	return rt.Number(float64(c.Request.Main.Start.UnixMilli()) / 1000), 1
}
