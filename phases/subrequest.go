package phases

import "time"

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

	Capture    bool // keep the output in memory
	HeaderOnly bool
	// ShareVars lets both see the same variables; CopyVars gives the
	// subrequest its own copy. Neither: variables start empty.
	ShareVars, CopyVars bool
}

// capture holds the body of a captured subrequest.
type capture struct {
	body      []byte
	truncated bool
}

func (c *capture) write(p []byte) { c.body = append(c.body, p...) }

// Subrequest makes a request for another location of the same server. It is
// nil when subrequests nest too deep. runSubrequest answers it; Release gives
// it back.
func (r *Request) Subrequest(o SubrequestOptions) *Request {
	if r.Depth <= 1 {
		who := ""
		if o.Capture {
			who = "lua "
		}
		r.Logf(LogErr, "%ssubrequests cycle while processing \"%s\"", who, o.URI)
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
	if o.Capture || o.HeaderOnly {
		sub.captured = &capture{}
	} else if r.captured != nil {
		sub.captured = r.captured
	}
	sub.lua.worker = r.lua.worker
	sub.lua.native = r.lua.native
	if o.Capture {
		sub.lua.native, sub.lua.takes, sub.lua.ofLua = r.lua.worker, true, true
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
		r.lua.body = &RequestBody{Read: true}
		if len(o.Body) > 0 {
			r.lua.body.Data = o.Body
		}
		r.ContentLength = int64(len(o.Body))
		r.In.Del("Transfer-Encoding")
		r.In.Set("Content-Length", itoa(r.ContentLength))
	case o.KeepBody, o.NoBody && parent.ContentLength <= 0:
		r.lua.body = parent.bodyRead()
		r.ContentLength = parent.ContentLength
	case o.NoBody:
		r.lua.body = &RequestBody{}
		r.ContentLength = -1
		r.In.Del("Content-Length")
	default:
		r.ContentLength = -1
	}
}

// bodyRead is the body that r's handlers see.
func (r *Request) bodyRead() *RequestBody {
	if r.lua.body != nil {
		return r.lua.body
	}
	return &r.Main.Body
}

// runSubrequest takes a subrequest through its phases. One that Lua made takes
// the worker's baton for it, which the caller must not hold.
func (r *Request) runSubrequest() {
	if r.lua.takes {
		r.lua.native.baton.Acquire()
		defer r.lua.native.baton.Release()
	}
	r.updateLocation()
	r.run(stepServerRewrite)
	if r.Loc.logSubrequest.v {
		r.logPhase()
	}
}

// endCapture ends a subrequest that Lua made: who made it gets the status, not a page
// that says so. One that gives up takes the main request along
// (ngx_http_lua_post_subrequest).
func (r *Request) endCapture(rc int) {
	finalized := rc == rcOK && r.filterFinalized
	if r.Out.Status == 0 {
		switch {
		case rc == rcOK:
			r.Out.Status = 200
		case rc == rcError:
			r.Out.Status, rc = 500, 500
		case rc >= 100:
			r.Out.Status = rc
		}
	}
	switch {
	case rc == statusClose, rc == statusClientClosed, rc == statusRequestTimeout:
		r.terminate(rc)
	case finalized:
		r.terminate(rcError)
	}
}

// cleanup removes what the request left on disk.
func (r *Request) cleanup() {
	r.closeLua()
	r.Body.cleanup()
}

// clearContexts forgets what the modules noted about the request, as an
// internal redirect does.
func (r *Request) clearContexts() {
	r.echo = nil
	r.releaseLua()
}
