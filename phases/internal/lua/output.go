package lua

import (
	"strconv"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// sendHeader sends the head before the first byte of a script's output; a
// length that came from elsewhere is forgotten, as the script decides how much
// follows. After a filter has failed there is no head (ngx_http_lua_send_header_if_needed).
func sendHeader(r *core.Request) bool {
	l := note.Of(r)
	if r.HeadersSent || l.headTried {
		return true
	}
	if r.Out.Status == 0 {
		r.Out.Status = 200
	}
	contentType(r)
	if !l.headersSet {
		r.Out.ClearLength()
		r.Out.ClearRanges()
	}
	if l.buffering {
		return true
	}
	l.headTried = true
	rc := r.SendHeader()
	if rc != core.OK && rc != core.Done && !r.HeadersSent {
		r.KeepAlive = false // the client would wait for an answer that does not come
	}
	return rc == core.OK
}

// contentType gives the response a type unless the script set or removed
// one: default_type, or nothing with lua_use_default_type off.
func contentType(r *core.Request) {
	if r.Out.ContentType == "" && r.Out.Status != 304 && !r.Out.NoContentType && loc.Of(r.Loc).useDefaultType.V {
		r.SetContentType()
	}
}

// write sends a piece of a script's output. For an HTTP/1.0 client it is
// kept until the end, so that the length can be announced
// (lua_http10_buffering). An empty piece only sends the head.
func write(r *core.Request, p []byte) bool {
	if len(p) == 0 {
		return sendHeader(r)
	}
	rc, ended := beginOutput(r)
	l := note.Of(r)
	switch {
	case rc != core.OK:
		return false
	case ended:
		return true
	case l.buffering:
		r.Logf(errlog.Debug, "lua buffering output bufs for the HTTP 1.0 request")
		l.out = append(l.out, p...)
		return true
	}
	return r.Emit(p, 0) == core.OK
}

// beginOutput is what comes before any output of a script: the head is sent, or
// output begins to be kept back. ended says that there is no body to send
// (ngx_http_lua_send_chain_link).
func beginOutput(r *core.Request) (rc int, ended bool) {
	l := note.Of(r)
	if r.Method == "HEAD" {
		r.HeaderOnly = true
	}
	if loc.Of(r.Loc).http10Buffering.V && !r.HeadersSent && r.Out.ContentLength < 0 &&
		(r.HTTPMajor < 1 || r.HTTPMajor == 1 && r.HTTPMinor == 0) {
		l.buffering = true
	}
	if !sendHeader(r) {
		return core.Error, false
	}
	if !r.HeaderOnly {
		return core.OK, false
	}
	r.OutputEnded = true
	if l.buffering {
		return sendBufferedHead(r), true
	}
	return core.OK, true
}

// finishOutput ends the body after a script has; a request body that it did not
// read is thrown away.
func finishOutput(r *core.Request) int {
	if rc := r.DiscardBody(); rc != core.OK {
		return rc
	}
	return sendLast(r)
}

// sendLast ends the body unless the script has done so.
func sendLast(r *core.Request) int {
	if r.OutputEnded || r.RawSocket {
		return core.OK
	}
	rc, ended := beginOutput(r)
	if rc != core.OK && note.Of(r).capture != nil { // what is captured has no head to miss
		r.OutputEnded = true
		return core.OK
	}
	if rc != core.OK || ended {
		return rc
	}
	if l := note.Of(r); l.buffering {
		if rc := sendBufferedHead(r); rc != core.OK {
			return rc
		}
		if len(l.out) > 0 {
			if rc := r.Emit(l.out, 0); rc != core.OK {
				return rc
			}
		}
	}
	return r.Emit(nil, core.Last)
}

// sendBufferedHead sends the head of output that was kept back, with its length.
func sendBufferedHead(r *core.Request) int {
	l := note.Of(r)
	l.buffering = false
	if !r.HeaderOnly && r.Out.ContentLength < 0 {
		r.Out.ContentLength = int64(len(l.out))
	}
	if r.SendHeader() != core.OK {
		return core.Error
	}
	return core.OK
}

// ngxOutput is what writes the response.
var ngxOutput = lib.Functions{
	{"say", ngxSay},
	{"print", ngxPrint},
	{"flush", ngxFlush},
	{"eof", ngxEOF},
	{"send_headers", ngxSendHeaders},
}

func ngxSay(th *rt.Thread, args []rt.Value) (rt.Value, int)   { return echo(th, args, true) }
func ngxPrint(th *rt.Thread, args []rt.Value) (rt.Value, int) { return echo(th, args, false) }

// echo sends the arguments, and a newline when asked to.
func echo(th *rt.Thread, args []rt.Value, newline bool) (rt.Value, int) {
	r := gate(th, caller.Output, caller.NoRequestObject).Request
	switch {
	case r.RawSocket:
		return lib.Fail(th, "raw request socket acquired")
	case r.HeaderOnly:
		return lib.Fail(th, "header only")
	case r.OutputEnded:
		return lib.Fail(th, "seen eof")
	}
	api := apiOf(th)
	b := api.outBuf[:0]
	api.outBuf = nil // a filter may run more Lua before it has passed b on
	for i, v := range args {
		b = api.appendOutput(th, b, v, i)
	}
	if newline {
		b = append(b, '\n')
	}
	sent := write(r, b)
	if cap(b) <= maxOutBuf {
		api.outBuf = b[:0]
	}
	if !sent {
		return lib.Fail(th, "nginx output filter error")
	}
	return lib.One()
}

// maxOutBuf is the longest output buffer that is kept for the next call, in bytes.
const maxOutBuf = 64 << 10

// appendOutput appends argument i of ngx.say.
func (api *ngxAPI) appendOutput(th *rt.Thread, b []byte, v rt.Value, i int) []byte {
	switch {
	case v.IsTable():
		return th.AppendArray(b, v.Table(), i, appendElement)
	case v.IsString(), v.IsNumber(), v.IsNil(), v.IsBool():
		return appendScalar(b, v)
	case v == rt.LightNull:
		return append(b, "null"...)
	}
	th.ArgError(i, "string, number, boolean, nil, ngx.null, or array table expected, but got "+rt.TypeName(v))
	return b
}

// appendElement appends what ngx.say takes beside strings and numbers.
func appendElement(b []byte, v rt.Value) ([]byte, bool) {
	switch {
	case v.IsNil(), v.IsBool():
		return appendScalar(b, v), true
	case v == rt.LightNull:
		return append(b, "null"...), true
	}
	return b, false
}

// ngxFlush is ngx.flush(wait).
func ngxFlush(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) > 1 {
		th.Errorf("attempt to pass %d arguments, but accepted 0 or 1", len(args))
	}
	wait := lib.OptBool(th, args, 0)
	r := gate(th, caller.Output, caller.NoRequestObject).Request
	switch {
	case r.RawSocket:
		return lib.Fail(th, "raw request socket acquired")
	case r.HeaderOnly:
		return lib.Fail(th, "header only")
	case r.OutputEnded:
		return lib.Fail(th, "seen eof")
	case note.Of(r).buffering:
		r.Log(errlog.Debug, "lua http 1.0 buffering makes ngx.flush() a no-op")
		return lib.Fail(th, "buffering")
	case !r.HeadersSent && !note.Of(r).headTried:
		return lib.Fail(th, "nothing to flush")
	}
	if r.Emit(nil, core.Flush) != core.OK {
		return lib.Fail(th, "nginx output filter error")
	}
	if wait && r == r.Main && r.Conn.Buffered() > 0 {
		var err error
		th.Block(nil, func() { err = r.Conn.Flush() })
		switch {
		case err == nil:
		case r.SendFailed(err):
			return lib.Fail(th, "timeout")
		default:
			return lib.Fail(th, "client aborted")
		}
	}
	return lib.One()
}

// ngxEOF is ngx.eof().
func ngxEOF(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("no argument is expected")
	}
	r := gate(th, caller.Output, caller.NoRequestObject).Request
	switch {
	case r.RawSocket:
		return lib.Fail(th, "raw request socket acquired")
	case r.OutputEnded:
		return lib.Fail(th, "seen eof")
	}
	if sendLast(r) != core.OK {
		return lib.Fail(th, "nginx output filter error")
	}
	if r == r.Main {
		_ = r.Conn.Push()
	}
	return lib.One()
}

// ngxSendHeaders is ngx.send_headers().
func ngxSendHeaders(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := gate(th, caller.Output, caller.NoRequest).Request
	if !sendHeader(r) {
		return lib.Fail(th, "nginx output filter error")
	}
	return lib.One()
}

// getStatus reads ngx.status.
func getStatus(th *rt.Thread) int {
	r := requestOf(th)
	switch {
	case r.ErrStatus != 0:
		return r.ErrStatus
	case r.Out.Status != 0:
		return r.Out.Status
	case r.HTTPMajor < 1:
		return 9
	}
	return 0
}

// setStatus writes ngx.status.
func setStatus(th *rt.Thread, v rt.Value) {
	r := requestOf(th)
	f, ok := rt.ToNumber(v)
	if !ok {
		th.Errorf("bad status: number expected, got %s", rt.TypeName(v))
	}
	status := int(f)
	switch {
	case r.HeadersSent:
		r.Log(errlog.Err, "attempt to set ngx.status after sending out response headers")
	case status < 100 || status > 999:
		r.Log(errlog.Err, "invalid HTTP status code "+strconv.Itoa(status))
	default:
		r.ErrStatus = 0
		r.Out.Status, r.Out.StatusLine = status, ""
		if status == 206 {
			r.Out.AllowRanges = false
		}
	}
}
