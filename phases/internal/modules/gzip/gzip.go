// Package gzip is ngx_http_gzip_filter_module.
package gzip

import (
	"compress/gzip"
	"io"
	"sync"

	"github.com/moonphase/moonphase/phases/internal/coding"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// Module is ngx_http_gzip_filter_module.
var Module = &core.Module{
	Name:       "gzip_filter",
	Directives: directives,
	Variables: func() []core.Variable {
		return []core.Variable{{Name: "gzip_ratio", Hidden: true, Volatile: true,
			Get: func(r *core.Request) (string, bool) { return note.Get(r).Ratio() }}}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).on.V {
			b.FilterHeader(header)
			b.FilterMain(body)
		}
	},
}

var (
	loc  = core.NewLocSlot(merge)
	note = core.NewNote((*coding.Body).Release)
)

// config is what the module's directives say; whom gzip may be sent to is the core's.
type config struct {
	on        core.Opt[bool]
	minLength core.Opt[int64]
	level     core.Opt[int]
	types     core.TypeSet
}

func merge(g, outer *config, _ bool) {
	g.on.Merge(outer.on, false)
	g.minLength.Merge(outer.minLength, 20)
	g.level.Merge(outer.level, 1)
	g.types.Merge(outer.types, core.TypeSet{"text/html": true})
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "gzip", In: core.InAnyLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(g *config) *core.Opt[bool] { return &g.on }))},
		{Name: "gzip_types", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: core.SetTypes(func(c *core.Compiler) *core.TypeSet { return &loc.At(c).types }, "text/html")},
		{Name: "gzip_min_length", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetSize(core.In(loc, func(g *config) *core.Opt[int64] { return &g.minLength }))},
		{Name: "gzip_comp_level", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetBetween(1, 9, core.In(loc, func(g *config) *core.Opt[int] { return &g.level }))},
		{Name: "gzip_buffers", In: core.InHTTPSrvLoc, Args: core.Take2, Set: core.DiscardBuffers("gzip_buffers")},

		// No manual has these; what they tune in zlib cannot be tuned here.
		{Name: "gzip_window", In: core.InHTTPSrvLoc, Args: core.Take1, Set: coding.SetPower(512, 32<<10,
			"must be 512, 1k, 2k, 4k, 8k, 16k, or 32k", core.Discarded[int64]("gzip_window"))},
		{Name: "gzip_hash", In: core.InHTTPSrvLoc, Args: core.Take1, Set: coding.SetPower(512, 128<<10,
			"must be 512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k", core.Discarded[int64]("gzip_hash"))},
		{Name: "gzip_no_buffer", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.Discarded[bool]("gzip_no_buffer"))},
		{Name: "postpone_gzipping", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.DiscardSize("postpone_gzipping")},
	}
}

// encoder is a gzip.Writer whose head is zlib's.
type encoder struct{ *gzip.Writer }

func (e encoder) Reset(w io.Writer) {
	e.Writer.Reset(w)
	e.OS = 3 // Unix
}

// encoders are the spare ones of each level. One takes more than a megabyte.
var encoders [gzip.BestCompression + 1]sync.Pool

func init() {
	for level := range encoders {
		encoders[level].New = func() any {
			z, _ := gzip.NewWriterLevel(io.Discard, level) // the directive has bounds
			return encoder{z}
		}
	}
}

// header decides on compressing the body (ngx_http_gzip_header_filter).
func header(r *core.Request) int {
	if g := loc.Of(r.Loc); coding.Compressible(r, g.minLength.V, g.types) && r.AcceptsGzip() {
		note.Of(r).Begin(r, "gzip", &encoders[g.level.V])
	}
	return core.OK
}

func body(r *core.Request, p []byte, flags int, next core.Next) int {
	return note.Get(r).Filter(r, p, flags, next)
}
