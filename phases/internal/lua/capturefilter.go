package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// capture is the body of a captured subrequest, and of those it makes itself.
type capture struct{ body []byte }

// fork begins a subrequest: its Lua runs where its parent's does, and what a
// captured one answers with the help of others is captured too.
func fork(parent, sub *core.Request) {
	p, s := note.Of(parent), note.Of(sub)
	s.worker = p.worker
	if p.depth > 0 && sub.Baton == nil { // a filter asks for it, under Lua's output
		sub.Baton = p.worker.baton
	}
	if !sub.HeaderOnly {
		s.capture = p.capture
	}
}

// captureHeader ends the chain for a subrequest that is captured
// (ngx_http_lua_capture_header_filter).
func captureHeader(r *core.Request) int {
	if r.LogEnabled(errlog.Debug) {
		r.Logf(errlog.Debug, "lua capture header filter, uri \"%s\"", r.URI)
	}
	if l := note.Get(r); l == nil || l.capture == nil {
		return core.OK
	}
	r.HeadersSent = true
	if r.Method == "HEAD" {
		r.HeaderOnly = true
	}
	return core.Done
}

// captureBody takes in the body of a subrequest that is captured
// (ngx_http_lua_capture_body_filter).
func captureBody(r *core.Request, p []byte, flags int, next core.Next) int {
	if r.LogEnabled(errlog.Debug) {
		r.Logf(errlog.Debug, "lua capture body filter, uri \"%s\"", r.URI)
	}
	l := note.Get(r)
	if l == nil || l.capture == nil {
		return next.Pass(r, p, flags)
	}
	if flags&core.Last != 0 {
		r.OutputEnded = true
	}
	l.capture.body = append(l.capture.body, p...)
	return core.OK
}
