package core

// runPostActions moves the request, whose client has all of its answer, to the place that
// post_action names. Nothing of what is done there reaches the client; the request is
// logged where it ends (ngx_http_post_action).
func (r *Request) runPostActions() {
	if r.Terminated && r.Out.Status == StatusClose {
		return
	}
	for r.Loc.postAction.V != "" && (!r.postAction || r.uriChanges > 0) {
		r.postAction, r.HeadersSent, r.HeaderOnly, r.Action = true, true, true, ""
		if r.headLoc == nil {
			r.headLoc = r.Loc
		}
		r.run(r.finalize(r.Jump(r.Loc.postAction.V)))
	}
}
