package phases

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// SubrequestOptions say how a subrequest differs from its parent.
type SubrequestOptions struct {
	URI  string
	Args string
	// EmptyArgs: Args may be "" and is not absent then.
	EmptyArgs bool
	Method    string // "" keeps GET

	// Body replaces the parent's request body; NoBody drops the body without
	// giving another one.
	Body   []byte
	NoBody bool
	// KeepBody passes the parent's body on.
	KeepBody bool

	// InMemory: what it answers goes to no client, so nothing waits for one
	// (NGX_HTTP_SUBREQUEST_IN_MEMORY).
	InMemory   bool
	HeaderOnly bool

	// Baton is taken for the phases of the subrequest, which its maker must not
	// hold when it runs; nil leaves the parent's.
	Baton Baton
	// Post is told what the subrequest ends with, instead of a page that says so
	// (ngx_http_post_subrequest_t).
	Post func(sub *Request, rc int)
	// Unwatched: that the client goes away is the business of who made it.
	Unwatched bool

	// ShareVars lets both see the same variables; CopyVars gives the
	// subrequest its own copy. Neither: variables start empty.
	ShareVars, CopyVars bool
}

// Subrequest makes a request for another location of the same server. It is
// nil when subrequests nest too deep. runSubrequest answers it; Release gives
// it back.
func (r *Request) Subrequest(o SubrequestOptions) *Request {
	if r.Depth <= 1 {
		r.Logf(errlog.Err, "subrequests cycle while processing \"%s\"", o.URI)
		return nil
	}
	sub := requestPool.Get().(*Request)
	sub.Cycle, sub.Listen, sub.Server, sub.Conn = r.Cycle, r.Listen, r.Server, r.Conn
	sub.Main, sub.Parent = r.Main, r
	sub.Depth = r.Depth - 1
	sub.Start = time.Now()
	sub.URI, sub.Args, sub.emptyArgs, sub.Method = o.URI, o.Args, o.EmptyArgs, o.Method
	if sub.Method == "" {
		sub.Method = "GET"
	}
	sub.HTTPMajor, sub.HTTPMinor = r.HTTPMajor, r.HTTPMinor
	sub.RequestURI, sub.RequestLine, sub.HeaderText, sub.Host = r.RequestURI, r.RequestLine, r.HeaderText, r.Host
	sub.In = append(sub.In[:0], r.In...)
	sub.subrequestBody(r, &o)
	sub.HeaderOnly = o.HeaderOnly
	sub.inMemory = o.InMemory || o.HeaderOnly || r.inMemory
	for _, m := range r.Cycle.modules {
		if m.fork != nil {
			m.fork(r, sub)
		}
	}
	sub.baton, sub.post, sub.unwatched = r.baton, o.Post, o.Unwatched
	if o.Baton != nil {
		sub.baton, sub.takesBaton = o.Baton, true
	}
	sub.Internal = true
	sub.Loc = r.Server.loc
	sub.URIChanges = maxURIChanges + 1
	sub.ValidLocation = true
	sub.Out.reset()
	switch {
	case o.ShareVars:
		sub.vars, sub.sharesVars = r.vars, true
	case o.CopyVars:
		sub.vars = append(sub.vars[:0], r.vars...)
	default:
		sub.resetVars()
	}
	return sub
}

// subrequestBody settles what body the subrequest has. Its own body shows in
// Content-Length; a dropped one loses the header lines about it.
func (r *Request) subrequestBody(parent *Request, o *SubrequestOptions) {
	switch {
	case o.Body != nil:
		r.ownBody = &RequestBody{Read: true}
		if len(o.Body) > 0 {
			r.ownBody.Data = o.Body
		}
		r.ContentLength = int64(len(o.Body))
		r.In.Del("Transfer-Encoding")
		r.In.Set("Content-Length", itoa(r.ContentLength))
	case o.KeepBody, o.NoBody && parent.ContentLength <= 0:
		r.ownBody = parent.bodyRead()
		r.ContentLength = parent.ContentLength
	case o.NoBody:
		r.ownBody = &RequestBody{}
		r.ContentLength = -1
		r.In.Del("Content-Length")
	default:
		r.ContentLength = -1
	}
}

// bodyRead is the body that r's handlers see.
func (r *Request) bodyRead() *RequestBody {
	if r.ownBody != nil {
		return r.ownBody
	}
	return &r.Main.Body
}

// runSubrequest takes a subrequest through its phases.
func (r *Request) runSubrequest() {
	if r.takesBaton {
		r.baton.Acquire()
		defer r.baton.Release()
	}
	r.updateLocation()
	r.run(stepServerRewrite)
	if r.Loc.logSubrequest.v {
		r.logPhase()
	}
}

// cleanup removes what the request left on disk.
func (r *Request) cleanup() {
	runCleanups(&r.poolCleanups, r)
	r.Body.cleanup()
}

// clearContexts forgets what the modules noted about the request, as an
// internal redirect does; the module called except keeps its own.
func (r *Request) clearContexts(except string) {
	for _, m := range r.Cycle.modules {
		if m.clear != nil && m.name != except {
			m.clear(r)
		}
	}
}
