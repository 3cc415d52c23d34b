// Package gzipstatic is ngx_http_gzip_static_module: a file that stands beside
// another one, packed, is the answer.
package gzipstatic

import (
	"github.com/moonphase/moonphase/phases/internal/coding"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// Module is ngx_http_gzip_static_module.
var Module = &core.Module{
	Name: "gzip_static",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "gzip_static", In: core.InHTTPSrvLoc, Args: core.Take1,
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

// config is what gzip_static says.
type config struct{ mode core.Opt[int] }

var files = coding.Files{Suffix: ".gz", Coding: "gzip", Takes: (*core.Request).AcceptsGzip}

func serve(r *core.Request) int { return files.Serve(r, loc.Of(r.Loc).mode.V) }
