package core

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
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
	// Into, when not nil, gets the body, up to subrequest_output_buffer_size.
	Into *[]byte

	// Baton is taken for the phases of the subrequest, which its maker must not
	// hold when it runs; nil leaves the parent's.
	Baton Baton
	// Post is told what the subrequest ends with, instead of a page that says so
	// (ngx_http_post_subrequest_t).
	Post func(sub *Request, rc int)
	// Unwatched: that the client goes away is the business of who made it.
	Unwatched bool

	// Clone: it begins where its parent is, with the content of that location
	// (NGX_HTTP_SUBREQUEST_CLONE).
	Clone bool

	// ShareVars lets both see the same variables; CopyVars gives the
	// subrequest its own copy. Neither: variables start empty.
	ShareVars, CopyVars bool
}

// Subrequest makes a request for another location of the same server. It is
// nil when subrequests nest too deep. RunSubrequest answers it; Release gives
// it back.
func (r *Request) Subrequest(o SubrequestOptions) *Request {
	if r.Depth <= 1 {
		r.Logf(errlog.Err, "subrequests cycle while processing \"%s\"", o.URI)
		return nil
	}
	sub := requestPool.Get().(*Request)
	sub.Cycle, sub.Listen, sub.Server, sub.Conn = r.Cycle, r.Listen, r.Server, r.Conn
	sub.debug = r.debug
	sub.Main, sub.parent = r.Main, r
	sub.Depth = r.Depth - 1
	sub.Start = time.Now()
	sub.URI, sub.Args, sub.EmptyArgs, sub.Method = o.URI, o.Args, o.EmptyArgs, o.Method
	if sub.Method == "" {
		sub.Method = "GET"
	}
	sub.HTTPMajor, sub.HTTPMinor = r.HTTPMajor, r.HTTPMinor
	sub.RequestURI, sub.RequestLine, sub.HeaderText, sub.Host, sub.Port = r.RequestURI, r.RequestLine, r.HeaderText, r.Host, r.Port
	sub.In = append(sub.In[:0], r.In...)
	sub.subrequestBody(r, &o)
	sub.HeaderOnly, sub.into = o.HeaderOnly, o.Into
	sub.InMemory = o.InMemory || o.HeaderOnly || r.InMemory
	sub.Baton, sub.Post, sub.Unwatched = r.Baton, o.Post, o.Unwatched
	if o.Baton != nil {
		sub.Baton, sub.TakesBaton = o.Baton, true
	}
	for _, m := range r.Cycle.Modules {
		if m.Fork != nil {
			m.Fork(r, sub)
		}
	}
	sub.Internal = true
	sub.Loc = r.Server.Loc
	sub.uriChanges = maxURIChanges + 1
	sub.ValidLocation = true
	sub.Out.reset()
	switch {
	case o.ShareVars:
		sub.Vars, sub.sharesVars = r.Vars, true
	case o.CopyVars:
		sub.Vars = append(sub.Vars[:0], r.Vars...)
	default:
		sub.resetVars()
	}
	if o.Clone {
		sub.cloned, sub.handler, sub.Loc = true, r.Loc.Handler, r.Loc
		sub.ValidLocation, sub.ValidUnparsedURI = r.ValidLocation, r.ValidUnparsedURI
		sub.Captures = append(sub.Captures[:0], r.Captures...)
	}
	return sub
}

// subrequestBody settles what body the subrequest has. Its own body shows in
// Content-Length; a dropped one loses the header lines about it.
func (r *Request) subrequestBody(parent *Request, o *SubrequestOptions) {
	switch {
	case o.Body != nil:
		r.OwnBody = &RequestBody{Read: true}
		if len(o.Body) > 0 {
			r.OwnBody.Data = o.Body
		}
		r.ContentLength = int64(len(o.Body))
		r.In.Del("Transfer-Encoding")
		r.In.Set("Content-Length", ngxtext.Itoa(r.ContentLength))
	case o.KeepBody, o.NoBody && parent.ContentLength <= 0:
		r.OwnBody = parent.RequestBody()
		r.ContentLength = parent.ContentLength
	case o.NoBody:
		r.OwnBody = &RequestBody{}
		r.ContentLength = -1
		r.In.Del("Content-Length")
	default:
		r.ContentLength = -1
	}
}

// RequestBody is the body that r's handlers see.
func (r *Request) RequestBody() *RequestBody {
	if r.OwnBody != nil {
		return r.OwnBody
	}
	return &r.Main.Body
}

// RunSubrequest takes a subrequest through its phases.
func (r *Request) RunSubrequest() {
	if r.TakesBaton {
		r.Baton.Acquire()
		defer r.Baton.Release()
	}
	if r.cloned {
		r.run(ContentPhase)
	} else {
		r.UpdateLocation()
		r.run(ServerRewritePhase)
	}
	if r.Loc.logSubrequest.V {
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
	for _, m := range r.Cycle.Modules {
		if m.Clear != nil && m.Name != except {
			m.Clear(r)
		}
	}
}
