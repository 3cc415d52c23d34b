// Package brotli is ngx_http_brotli_filter_module of ngx_brotli.
package brotli

import (
	"io"
	"math/bits"
	"sync"

	"github.com/andybalholm/brotli"

	"github.com/moonphase/moonphase/phases/internal/coding"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_brotli_filter_module.
var Module = &core.Module{
	Name:       "brotli_filter",
	Directives: directives,
	Variables: func() []core.Variable {
		return []core.Variable{{Name: "brotli_ratio", Volatile: true,
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

// config is what the module's directives say.
type config struct {
	on        core.Opt[bool]
	minLength core.Opt[int64]
	level     core.Opt[int]
	window    core.Opt[int64] // bytes
	types     core.TypeSet
}

func merge(c, outer *config, _ bool) {
	c.on.Merge(outer.on, false)
	c.minLength.Merge(outer.minLength, 20)
	c.level.Merge(outer.level, 6)
	c.window.Merge(outer.window, 512<<10)
	c.types.Merge(outer.types, core.TypeSet{"text/html": true})
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "brotli", In: core.InAnyLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(c *config) *core.Opt[bool] { return &c.on }))},
		{Name: "brotli_types", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: core.SetTypes(func(c *core.Compiler) *core.TypeSet { return &loc.At(c).types }, "text/html")},
		{Name: "brotli_min_length", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetSize(core.In(loc, func(c *config) *core.Opt[int64] { return &c.minLength }))},
		{Name: "brotli_comp_level", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetBetween(brotli.BestSpeed, brotli.BestCompression, core.In(loc, func(c *config) *core.Opt[int] { return &c.level }))},
		{Name: "brotli_buffers", In: core.InHTTPSrvLoc, Args: core.Take2, Set: core.DiscardBuffers("brotli_buffers")},
		{Name: "brotli_window", In: core.InHTTPSrvLoc, Args: core.Take1, Set: coding.SetPower(1<<leastWindow, 1<<mostWindow,
			"must be 1k, 2k, 4k, 8k, 16k, 32k, 64k, 128k, 256k, 512k, 1m, 2m, 4m, 8m or 16m",
			core.In(loc, func(c *config) *core.Opt[int64] { return &c.window }))},
	}
}

// The logarithms of the smallest and the largest window.
const leastWindow, mostWindow = 10, 24

// encoders are the spare ones, by level and by the logarithm of their window.
var encoders [brotli.BestCompression + 1][mostWindow + 1]sync.Pool

func init() {
	for level := range encoders {
		for window := range encoders[level] {
			o := brotli.WriterOptions{Quality: level, LGWin: window}
			encoders[level][window].New = func() any { return brotli.NewWriterOptions(io.Discard, o) }
		}
	}
}

// windowFor is the logarithm of the window for a body whose length may be known: one that
// is larger than the body is nothing but memory, and much of it at the best levels.
func windowFor(window, length int64) int {
	n := bits.TrailingZeros64(uint64(window))
	for n > leastWindow && length >= 0 && length <= 1<<(n-2) {
		n--
	}
	return n
}

// header decides on compressing the body (ngx_http_brotli_header_filter).
func header(r *core.Request) int {
	c := loc.Of(r.Loc)
	if !coding.Compressible(r, c.minLength.V, c.types) || r != r.Main {
		return core.OK
	}
	if accept, _ := r.In.Get("Accept-Encoding"); ngxtext.AcceptsBrotli(accept) {
		note.Of(r).Begin(r, "br", &encoders[c.level.V][windowFor(c.window.V, r.Out.ContentLength)])
	}
	return core.OK
}

func body(r *core.Request, p []byte, flags int, next core.Next) int {
	return note.Get(r).Filter(r, p, flags, next)
}
