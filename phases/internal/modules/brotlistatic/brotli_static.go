// Package brotlistatic is ngx_http_brotli_static_module of ngx_brotli: a file that stands
// beside another one, packed, is the answer.
package brotlistatic

import (
	"github.com/moonphase/moonphase/phases/internal/coding"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_brotli_static_module.
var Module = &core.Module{
	Name: "brotli_static",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "brotli_static", In: core.InHTTPSrvLoc, Args: core.Take1,
			Set: coding.SetFile(core.In(loc, func(c *config) *core.Opt[int] { return &c.mode }))}}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).mode.V != coding.Off {
			b.Handle(core.ContentPhase, serve)
		}
	},
}

var loc = core.NewLocSlot(func(c, outer *config, _ bool) { c.mode.Merge(outer.mode, coding.Off) })

// config is what brotli_static says.
type config struct{ mode core.Opt[int] }

var files = coding.Files{Suffix: ".br", Coding: "br", Takes: accepts, Silent: true}

// accepts tells whether the client takes the coding; a subrequest's does not.
func accepts(r *core.Request) bool {
	accept, _ := r.In.Get("Accept-Encoding")
	return r == r.Main && ngxtext.AcceptsBrotli(accept)
}

func serve(r *core.Request) int { return files.Serve(r, loc.Of(r.Loc).mode.V) }
