// Package addition is ngx_http_addition_filter_module: what other locations answer stands
// before and behind a body.
package addition

import (
	"github.com/moonphase/moonphase/phases/internal/core"
)

// Module is ngx_http_addition_filter_module.
var Module = &core.Module{
	Name: "addition_filter",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "add_before_body", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetText(core.In(loc, func(c *config) *core.Opt[string] { return &c.before }))},
			{Name: "add_after_body", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetText(core.In(loc, func(c *config) *core.Opt[string] { return &c.after }))},
			{Name: "addition_types", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: core.SetTypes(func(c *core.Compiler) *core.TypeSet { return &loc.At(c).types }, "text/html")},
		}
	},
	Conf:  []core.ConfSlot{loc},
	Clear: note.Drop,
	Build: func(b *core.Builder, l *core.Location) {
		if c := loc.Of(l); c.before.V != "" || c.after.V != "" {
			b.FilterHeader(header)
			b.FilterBody(body)
		}
	},
}

var (
	loc  = core.NewLocSlot(merge)
	note = core.NewNote[state](nil)
)

// config is what the directives say. A URI that is empty adds nothing.
type config struct {
	before, after core.Opt[string]
	types         core.TypeSet
}

func merge(c, outer *config, _ bool) {
	c.before.Merge(outer.before, "")
	c.after.Merge(outer.after, "")
	c.types.Merge(outer.types, core.TypeSet{"text/html": true})
}

// state of a response that is added to.
type state struct{ began bool }

// header takes back what the head says of the body alone
// (ngx_http_addition_header_filter).
func header(r *core.Request) int {
	o := &r.Out
	if o.Status != 200 || r != r.Main || !loc.Of(r.Loc).types.Has(o.ContentType) {
		return core.OK
	}
	note.Of(r)
	o.ClearLength()
	o.ClearRanges()
	o.WeakenTag()
	return core.OK
}

// body asks for what goes before the first piece and behind the last
// (ngx_http_addition_body_filter).
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	s := note.Get(r)
	if s == nil || r.HeaderOnly {
		return next.Pass(r, p, flags)
	}
	c := loc.Of(r.Loc)
	if !s.began {
		s.began = true
		if rc := include(r, c.before.V); rc != core.OK {
			return rc
		}
	}
	if flags&core.Last == 0 || c.after.V == "" {
		return next.Pass(r, p, flags)
	}
	if len(p) > 0 {
		if rc := next.Pass(r, p, flags&^core.Last); rc != core.OK {
			return rc
		}
	}
	if rc := include(r, c.after.V); rc != core.OK {
		return rc
	}
	note.Drop(r)
	return next.Pass(r, nil, flags)
}

// include puts the answer of another location here.
func include(r *core.Request, uri string) int {
	if uri == "" {
		return core.OK
	}
	sub := r.Subrequest(core.SubrequestOptions{URI: uri, ShareVars: true})
	if sub == nil {
		return core.Error
	}
	defer sub.Release()
	r.Wait(sub.RunSubrequest)
	return r.Main.Killed
}
