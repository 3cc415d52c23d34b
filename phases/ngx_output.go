package phases

import (
	"strconv"

	rt "github.com/moonphase/moonphase/runtime"
)

// ngxOutput is what writes the response.
var ngxOutput = lib{
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
	r := gate(th, apiOutput, noRequestObject).R
	switch {
	case r.rawSocket:
		return fail(th, "raw request socket acquired")
	case r.HeaderOnly:
		return fail(th, "header only")
	case r.outputEnded:
		return fail(th, "seen eof")
	}
	api := apiOf(th)
	b := api.outBuf[:0]
	for i, v := range args {
		b = api.appendOutput(th, b, v, i)
	}
	if newline {
		b = append(b, '\n')
	}
	if cap(b) <= maxOutBuf {
		api.outBuf = b[:0]
	}
	if !luaWrite(r, b) {
		return fail(th, "nginx output filter error")
	}
	return one()
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
	wait := optBool(th, args, 0)
	r := gate(th, apiOutput, noRequestObject).R
	switch {
	case r.rawSocket:
		return fail(th, "raw request socket acquired")
	case r.HeaderOnly:
		return fail(th, "header only")
	case r.outputEnded:
		return fail(th, "seen eof")
	case luaNote.of(r).buffering:
		r.Log(LogDebug, "lua http 1.0 buffering makes ngx.flush() a no-op")
		return fail(th, "buffering")
	case !r.HeadersSent:
		return fail(th, "nothing to flush")
	}
	if r.output(nil, outFlush) != rcOK {
		return fail(th, "nginx output filter error")
	}
	if wait && r == r.Main && r.Conn.Buffered() > 0 {
		var err error
		th.Block(nil, func() { err = r.Conn.Flush() })
		switch {
		case err == nil:
		case r.sendFailed(err):
			return fail(th, "timeout")
		default:
			return fail(th, "client aborted")
		}
	}
	return one()
}

// ngxEOF is ngx.eof().
func ngxEOF(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("no argument is expected")
	}
	r := gate(th, apiOutput, noRequestObject).R
	switch {
	case r.rawSocket:
		return fail(th, "raw request socket acquired")
	case r.outputEnded:
		return fail(th, "seen eof")
	}
	if luaSendLast(r) != rcOK {
		return fail(th, "nginx output filter error")
	}
	if r == r.Main {
		_ = r.Conn.Push()
	}
	return one()
}

// ngxSendHeaders is ngx.send_headers().
func ngxSendHeaders(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := gate(th, apiOutput, noRequest).R
	if !luaSendHeader(r) {
		return fail(th, "nginx output filter error")
	}
	return one()
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
		r.Log(LogErr, "attempt to set ngx.status after sending out response headers")
	case status < 100 || status > 999:
		r.Log(LogErr, "invalid HTTP status code "+strconv.Itoa(status))
	default:
		r.ErrStatus = 0
		r.Out.Status, r.Out.StatusLine = status, ""
		if status == 206 {
			r.Out.allowRanges = false
		}
	}
}
