package phases

import "github.com/moonphase/moonphase/phases/internal/errlog"

// luaCapture is the body of a captured subrequest, and of those it makes itself.
type luaCapture struct{ body []byte }

// luaFork begins a subrequest: its Lua runs where its parent's does, and what a
// captured one answers with the help of others is captured too.
func luaFork(parent, sub *Request) {
	p, s := luaNote.of(parent), luaNote.of(sub)
	s.worker = p.worker
	if !sub.HeaderOnly {
		s.capture = p.capture
	}
}

// luaCaptureHeader ends the chain for a subrequest that is captured
// (ngx_http_lua_capture_header_filter).
func luaCaptureHeader(r *Request) int {
	if r.logs(errlog.Debug) {
		r.Logf(errlog.Debug, "lua capture header filter, uri \"%s\"", r.URI)
	}
	if l := luaNote.get(r); l == nil || l.capture == nil {
		return rcOK
	}
	r.HeadersSent = true
	if r.Method == "HEAD" {
		r.HeaderOnly = true
	}
	return rcDone
}

// luaCaptureBody takes in the body of a subrequest that is captured
// (ngx_http_lua_capture_body_filter).
func luaCaptureBody(r *Request, p []byte, flags int, next filterPlace) int {
	if r.logs(errlog.Debug) {
		r.Logf(errlog.Debug, "lua capture body filter, uri \"%s\"", r.URI)
	}
	l := luaNote.get(r)
	if l == nil || l.capture == nil {
		return next.pass(r, p, flags)
	}
	if flags&outLast != 0 {
		r.outputEnded = true
	}
	l.capture.body = append(l.capture.body, p...)
	return rcOK
}
