// Package clone makes subrequests that ask once more for what their request asks for: an update
// of a cache, the next part of a response (NGX_HTTP_SUBREQUEST_CLONE).
package clone

import "github.com/moonphase/moonphase/phases/internal/core"

// Request makes a subrequest of r's main request that is where r is in the configuration, with
// r's variables. With headOnly what it answers goes to nobody. It is nil when subrequests nest
// too deep; else Answer answers it, and its maker releases it.
func Request(r *core.Request, headOnly bool) *core.Request {
	sub := r.Main.Subrequest(core.SubrequestOptions{
		URI: r.URI, Args: r.Args, EmptyArgs: r.EmptyArgs, Method: r.Method, HeaderOnly: headOnly, Unwatched: headOnly,
		Post: func(*core.Request, int) {},
	})
	if sub == nil {
		return nil
	}
	sub.In = append(sub.In[:0], r.In...)
	copy(sub.Vars, r.Vars)
	sub.Captures = append(sub.Captures[:0], r.Captures...)
	sub.OwnBody, sub.ContentLength = r.RequestBody(), r.ContentLength
	sub.Loc, sub.ValidLocation, sub.ValidUnparsedURI = r.Loc, r.ValidLocation, r.ValidUnparsedURI
	return sub
}

// Answer runs the content handler of the location. Its result is the handler's: a status is
// not made into a page.
func Answer(sub *core.Request) int {
	if h := sub.Loc.Handler; h != nil {
		return h(sub)
	}
	return core.Declined
}
