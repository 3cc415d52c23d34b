// Package mirror is ngx_http_mirror_module: other locations see the client's requests too,
// and what they answer counts for nothing.
package mirror

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// Module is ngx_http_mirror_module.
var Module = &core.Module{
	Name: "mirror",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "mirror", In: core.InHTTPSrvLoc, Args: core.Take1, Set: set},
			{Name: "mirror_request_body", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(c *config) *core.Opt[bool] { return &c.body }))},
		}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).uris.V != nil {
			b.Handle(core.PrecontentPhase, handler)
		}
	},
}

var loc = core.NewLocSlot(merge)

// config is what the directives say in a location.
type config struct {
	uris core.Opt[[]string] // none: a level that has no mirrors, whatever is around it
	body core.Opt[bool]
}

func merge(c, outer *config, _ bool) {
	c.uris.Merge(outer.uris, nil)
	c.body.Merge(outer.body, true)
}

// set reads mirror URI | off.
func set(c *core.Compiler, d *conf.Directive) error {
	f, uri := &loc.At(c).uris, d.Args[0]
	switch {
	case uri == "off":
		return f.Put(nil)
	case f.Set && f.V == nil:
		return core.ErrDuplicate
	}
	f.V, f.Set = append(f.V, uri), true
	return nil
}

// handler sends the request to the mirrors when its body is there, which is read for them
// unless it is not theirs to see (ngx_http_mirror_handler).
func handler(r *core.Request) int {
	if r != r.Main {
		return core.Declined
	}
	c := loc.Of(r.Loc)
	if c.body.V {
		if rc := r.ReadBody(nil); rc >= 300 {
			return rc
		}
	}
	for _, uri := range c.uris.V {
		o := core.SubrequestOptions{URI: uri, Args: r.Args, EmptyArgs: r.EmptyArgs, Method: r.Method}
		if r.Background(o) != core.OK {
			return 500
		}
	}
	return core.Declined
}
