package core

import (
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// What a handler answers: one of these, or an HTTP status. They are nginx's
// numbers, which Lua sees as ngx.OK, ngx.ERROR, ngx.AGAIN, ngx.DONE and
// ngx.DECLINED.
const (
	OK       = 0
	Error    = -1
	Again    = -2
	Done     = -4
	Declined = -5
	// Jump says that the handler moved the request elsewhere: r.next is
	// where its phases go on.
	Jump = -100
)

// Statuses of nginx's own. 444 closes the connection without an answer.
const (
	StatusClose          = 444
	StatusClientClosed   = 499
	StatusRequestTimeout = 408
)

// maxURIChanges is how often a request may be redirected internally, plus one
// (NGX_HTTP_MAX_URI_CHANGES).
const maxURIChanges = 10

// maxSubrequests is how deep subrequests may nest
// (NGX_HTTP_MAX_SUBREQUESTS).
const maxSubrequests = 50

// Phase is a phase of a request (ngx_http_phases). They run in this order.
type Phase uint8

const (
	PostReadPhase Phase = iota
	ServerRewritePhase
	FindConfigPhase
	RewritePhase
	PostRewritePhase
	PreaccessPhase
	AccessPhase
	PrecontentPhase
	ContentPhase
	LogPhase
	endPhase
)

// runPhase runs one phase of the request and says which is next.
func (r *Request) runPhase(p Phase) Phase {
	switch p {
	case FindConfigPhase:
		return r.findConfig()
	case ServerRewritePhase, RewritePhase:
		return r.rewritePhase(p)
	case PostRewritePhase:
		return r.postRewrite()
	case PostReadPhase, PreaccessPhase, PrecontentPhase:
		return r.genericPhase(p)
	case AccessPhase:
		return r.access()
	case ContentPhase:
		return r.content()
	}
	return endPhase
}

// genericPhase asks the handlers of a phase until one does not decline: OK goes
// on with the next phase, a status ends the request
// (ngx_http_core_generic_phase).
func (r *Request) genericPhase(p Phase) Phase {
	for _, h := range r.Loc.phases[p] {
		switch rc := h.run(r); rc {
		case Declined:
		case OK:
			return p + 1
		default:
			return r.finalize(rc)
		}
	}
	return p + 1
}

// rewritePhase is genericPhase for handlers whose OK ends the request too, and
// which may move it into another configuration: it goes on there behind the
// handler that did (ngx_http_core_rewrite_phase).
func (r *Request) rewritePhase(p Phase) Phase {
	loc := r.Loc
	list := loc.phases[p]
	for i := 0; i < len(list); i++ {
		rank := list[i].rank
		if rc := list[i].run(r); rc != Declined {
			return r.finalize(rc)
		}
		if r.Loc != loc {
			loc, list = r.Loc, r.Loc.phases[p]
			for i = -1; i+1 < len(list) && list[i+1].rank <= rank; i++ {
			}
		}
	}
	return p + 1
}

// run takes r through the phases from p to the end.
func (r *Request) run(p Phase) {
	for p != endPhase {
		p = r.runPhase(p)
	}
}

// Serve answers a main request whose head has been read: all phases, the end
// of the output, the log phase.
func (r *Request) Serve() {
	r.Begin()
	r.answer(0)
}

// ServeError answers a request whose head could not be understood.
func (r *Request) ServeError(status int) {
	r.KeepAlive = false
	r.Begin()
	r.answer(status)
}

// answer runs the phases, or with a status makes its page, and ends the request.
func (r *Request) answer(status int) {
	defer r.guard()
	switch {
	case status != 0:
		r.run(r.finalize(status))
	case r.noServer:
		r.Terminate(0)
	default:
		r.run(PostReadPhase)
	}
	r.finish()
}

// Begin places a new request at its server.
func (r *Request) Begin() {
	if r.Start.IsZero() {
		r.Start = time.Now()
	}
	r.Main = r
	r.Loc = r.Server.Loc
	r.uriChanges = maxURIChanges + 1
	r.ValidLocation = true
	r.ValidUnparsedURI = true
	r.Out.reset()
	r.UpdateLocation()
}

// findConfig searches the location of the URI
// (ngx_http_core_find_config_phase).
func (r *Request) findConfig() Phase {
	r.handler = nil
	r.URIChanged = false
	r.Loc = r.Server.Loc
	found := r.findLocation()
	if found == foundError {
		return r.finalize(500)
	}
	l := r.Loc
	if !r.Internal && l.internal {
		return r.finalize(404)
	}
	if r.LogEnabled(errlog.Debug) {
		r.Logf(errlog.Debug, "using configuration \"%s%s\"", l.matchText(), l.Name)
	}
	r.UpdateLocation()
	if limit := l.MaxBodySize.V; limit > 0 && r.ContentLength > limit && !r.Body.Discarded {
		r.Logf(errlog.Err, "client intended to send too large body: %d bytes", r.ContentLength)
		r.expectTested = true
		r.DiscardBody()
		return r.finalize(413)
	}
	if found == foundRedirect {
		r.Out.ClearLocation()
		target := ngxtext.EscapeURI(l.Name, ngxtext.EscapePath)
		if r.Args != "" {
			target += "?" + r.Args
		}
		r.Out.Location = target
		return r.finalize(301)
	}
	return RewritePhase
}

// matchText is how debug lines describe the kind of a location.
func (l *Location) matchText() string {
	switch l.Kind {
	case MatchExact:
		return "="
	case MatchNoRegex:
		return "^~"
	}
	return ""
}

// UpdateLocation takes over what the request copies from its location
// (ngx_http_update_location_config).
func (r *Request) UpdateLocation() {
	if limit := r.Loc.limited; limit != nil && !limit.allowed[r.Method] {
		r.Loc = limit.loc
	}
	l := r.Loc
	if r.KeepAlive {
		switch {
		case l.KeepaliveTimeout.V == 0:
			r.KeepAlive = false
		case r.Conn != nil && r.Conn.Requests() >= int64(l.KeepaliveRequests.V):
			r.KeepAlive = false
		case r.Conn != nil && r.Conn.Requests() > 1 && r.Start.Sub(r.Conn.Opened()) > l.KeepaliveTime.V:
			r.KeepAlive = false
		case r.keepaliveDisabled():
			r.KeepAlive = false
		}
	}
	if l.Handler != nil {
		r.handler = l.Handler
	}
}

// keepaliveDisabled reports whether the client is one whose connections are not
// kept (keepalive_disable). The default concerns POST only, so that most requests
// need not say what they are.
func (r *Request) keepaliveDisabled() bool {
	disabled := r.Loc.keepaliveDisable.V
	if r.Method != "POST" {
		disabled &^= ngxtext.BrowserMSIE6
	}
	return disabled != 0 && r.browser()&disabled != 0
}

// The values of satisfy.
const (
	SatisfyAll = iota
	SatisfyAny
)

// access asks the handlers of the access phase and combines what they say as
// satisfy does (ngx_http_core_access_phase, ngx_http_core_post_access_phase).
func (r *Request) access() Phase {
	if r != r.Main {
		return PrecontentPhase
	}
	anyWill := r.Loc.Satisfy.V == SatisfyAny
	kept := 0 // 401, 403 or 407 that a later handler may still overrule
	for _, h := range r.Loc.phases[AccessPhase] {
		switch rc := h.run(r); {
		case rc == Declined, rc == OK && !anyWill:
		case rc == OK:
			r.Out.Headers.Del("WWW-Authenticate")
			r.Out.Headers.Del("Proxy-Authenticate")
			return PrecontentPhase
		case anyWill && (rc == 401 || rc == 403 || rc == 407):
			if kept != 401 && kept != 407 {
				kept = rc
			}
		default:
			return r.refuseAccess(rc)
		}
	}
	if kept != 0 {
		if kept == 403 {
			r.Log(errlog.Err, "access forbidden by rule")
		}
		return r.refuseAccess(kept)
	}
	return PrecontentPhase
}

// refuseAccess ends the access phase with an answer; a 401 waits as auth_delay says,
// so that guessing passwords and measuring how long they take is slow
// (ngx_http_core_auth_delay).
func (r *Request) refuseAccess(rc int) Phase {
	if d := r.Loc.authDelay.V; rc == 401 && d > 0 {
		r.Log(errlog.Info, "delaying unauthorized request")
		if !r.Sleep(d) {
			rc = StatusClientClosed
		}
	}
	return r.finalize(rc)
}

// postRewrite searches again when a rewrite changed the URI.
func (r *Request) postRewrite() Phase {
	if !r.URIChanged {
		return PreaccessPhase
	}
	r.Logf(errlog.Debug, "uri changes: %d", r.uriChanges)
	r.uriChanges--
	if r.uriChanges == 0 {
		r.Logf(errlog.Err, "rewrite or internal redirection cycle while processing \"%s\"", r.URI)
		return r.finalize(500)
	}
	r.Loc = r.Server.Loc
	return FindConfigPhase
}

// content makes the response: by the location's handler, or by the first of the
// phase's that does (ngx_http_core_content_phase).
func (r *Request) content() Phase {
	if h := r.handler; h != nil {
		rc := h(r)
		if rc != Declined {
			return r.finalize(rc)
		}
		r.handler = nil
	}
	for _, h := range r.Loc.phases[ContentPhase] {
		if rc := h.run(r); rc != Declined {
			return r.finalize(rc)
		}
	}
	if strings.HasSuffix(r.URI, "/") {
		if path, ok := r.MapPath(); ok {
			r.Logf(errlog.Err, "directory index of \"%s\" is forbidden", path)
		}
		return r.finalize(403)
	}
	r.Log(errlog.Err, "no handler found")
	return r.finalize(404)
}

// finalize ends the request with a handler's answer: it sends error pages and
// says where the phases go on, End normally (ngx_http_finalize_request).
func (r *Request) finalize(rc int) Phase {
	if rc == Jump {
		s := r.next
		r.next = endPhase
		return s
	}
	if rc == Declined { // a location handler gave up: others may serve it
		r.handler = nil
		return ContentPhase
	}
	if r.Post != nil {
		r.Post(r, rc)
		return endPhase
	}
	if rc >= 300 || rc == 201 || rc == 204 {
		switch rc {
		case StatusClose, StatusClientClosed, StatusRequestTimeout:
			r.Terminate(rc)
			return endPhase
		}
		if r.Main.clientGone {
			r.Terminate(rc)
			return endPhase
		}
		return r.specialResponse(rc)
	}
	if rc == Error || r.FilterFinalized {
		r.Terminate(rc)
	}
	return endPhase
}

// Terminate gives the request up: the connection is closed without a further
// word.
func (r *Request) Terminate(rc int) {
	r.KeepAlive = false
	if rc > 0 && (r.Out.Status == 0 || !r.HeadersSent || r.Conn.Sent() == 0) {
		r.Out.Status = rc
	}
	r.Terminated = true
	if r != r.Main {
		r.Main.Killed = rc
	}
}

// finish ends a main request: what is still buffered goes out, the log phase
// runs, temporary files go.
func (r *Request) finish() {
	r.finishing = true
	if !r.Terminated && !r.clientGone || r.HeadersSent && (r.lastChunk || r.HeaderOnly) {
		r.endOutput() // what is complete has been given to the client, come what may
	}
	r.KeepAlive = r.KeepAlive && !r.clientGone
	r.runPostActions()
	if r.background != nil {
		r.background.Wait()
	}
	r.Logging = true
	r.Action = " while logging request"
	runCleanups(&r.cleanups, r)
	r.logPhase()
	r.cleanup()
}

// logPhase runs the handlers of the log phase, all of them.
func (r *Request) logPhase() {
	for _, h := range r.Loc.phases[LogPhase] {
		h.run(r)
	}
}

// InternalRedirect moves the request to another URI; phases start again at the
// server's rewrite. Handlers return its result.
func (r *Request) InternalRedirect(uri, args string) int {
	r.uriChanges--
	if r.uriChanges == 0 {
		r.Logf(errlog.Err, "rewrite or internal redirection cycle while internally redirecting to \"%s\"", uri)
		return r.jumpTo(r.finalize(500))
	}
	r.URI, r.Args, r.EmptyArgs = uri, args, false
	r.Logf(errlog.Debug, "internal redirect: \"%s?%s\"", uri, args)
	r.clearContexts("")
	r.Loc = r.Server.Loc
	r.UpdateLocation()
	r.Internal = true
	r.ValidLocation, r.ValidUnparsedURI, r.URIBehindAlias = true, false, false
	r.URIChanged = false
	return r.jumpTo(ServerRewritePhase)
}

// NamedRedirect moves the request to a named location of its server.
func (r *Request) NamedRedirect(name string) int {
	r.uriChanges--
	if r.uriChanges == 0 {
		r.Logf(errlog.Err, "rewrite or internal redirection cycle while redirect to named location \"%s\"", name)
		return r.jumpTo(r.finalize(500))
	}
	if r.URI == "" {
		r.Logf(errlog.Err, "empty URI in redirect to named location \"%s\"", name)
		return r.jumpTo(r.finalize(500))
	}
	l := r.Server.named[name]
	if l == nil {
		r.Logf(errlog.Err, "could not find named location \"%s\"", name)
		return r.jumpTo(r.finalize(500))
	}
	r.Logf(errlog.Debug, "using location: %s \"%s?%s\"", name, r.URI, r.Args)
	r.Internal = true
	r.handler = nil
	r.URIChanged, r.URIBehindAlias = false, false
	r.clearContexts("")
	r.Loc = l
	r.UpdateLocation()
	return r.jumpTo(RewritePhase)
}

// jumpTo notes where the phases go on; its result is for finalize.
func (r *Request) jumpTo(p Phase) int {
	r.next = p
	return Jump
}
