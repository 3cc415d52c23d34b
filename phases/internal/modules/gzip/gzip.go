// Package gzip is ngx_http_gzip_filter_module.
package gzip

import (
	"compress/gzip"
	"fmt"
	"io"
	"sync"

	"github.com/moonphase/moonphase/phases/internal/core"
)

// Module is ngx_http_gzip_filter_module.
var Module = &core.Module{
	Name:       "gzip_filter",
	Directives: directives,
	Variables: func() []core.Variable {
		return []core.Variable{{Name: "gzip_ratio", Hidden: true, Volatile: true, Get: ratioVar}}
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
	note = core.NewNote((*writer).release)
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
	}
}

// writer compresses the body of one response.
type writer struct {
	z       *gzip.Writer
	level   int
	out     *core.Request
	next    core.Next // behind gzip, for what it makes
	buf     []byte    // compressed and not yet framed
	in      int64     // bytes before and behind the compression, for $gzip_ratio
	written int64
}

// compressors are the spare ones of each level. One takes more than a megabyte.
var compressors [gzip.BestCompression + 1]sync.Pool

// begin prepares for r's response.
func (g *writer) begin(r *core.Request, level int) {
	g.out, g.level = r, level
	if z, ok := compressors[level].Get().(*gzip.Writer); ok {
		g.z = z
		z.Reset(g)
	} else {
		g.z, _ = gzip.NewWriterLevel(g, level) // the directive has bounds
	}
	g.z.OS = 3 // as zlib says: Unix
}

// release forgets the response and hands the compressor back.
func (g *writer) release() {
	if g.z != nil {
		compressors[g.level].Put(g.z)
	}
	*g = writer{buf: g.buf[:0]}
}

// gzipBuffer is how much is compressed before it is passed on, in bytes.
const gzipBuffer = 4 << 10

// Write collects compressed bytes and takes them to the framing.
func (g *writer) Write(p []byte) (int, error) {
	g.written += int64(len(p))
	g.buf = append(g.buf, p...)
	if len(g.buf) >= gzipBuffer && g.pass(0) != core.OK {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// pass frames what was collected.
func (g *writer) pass(flags int) int {
	p := g.buf
	g.buf = g.buf[:0]
	return g.next.Pass(g.out, p, flags)
}

// header decides on compressing the body (ngx_http_gzip_header_filter). The
// head of a subrequest is judged too, for its Vary does not count, but only main
// requests are compressed.
func header(r *core.Request) int {
	g, o := loc.Of(r.Loc), &r.Out
	switch {
	case o.Status != 200 && o.Status != 403 && o.Status != 404,
		o.ContentLength >= 0 && o.ContentLength < g.minLength.V,
		!g.types.Has(o.ContentType),
		r.HeaderOnly:
		return core.OK
	}
	if coding, _ := o.Headers.Get("Content-Encoding"); coding != "" {
		return core.OK
	}
	r.VaryEncoding = true
	if !r.AcceptsGzip() {
		return core.OK
	}
	w := note.Of(r)
	w.begin(r, g.level.V)
	o.Headers.Add("Content-Encoding", "gzip")
	o.ClearLength()
	o.ClearRanges()
	o.WeakenTag()
	return core.OK
}

// body compresses a piece of the main request's body
// (ngx_http_gzip_body_filter).
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	g := note.Get(r)
	if g == nil {
		return next.Pass(r, p, flags)
	}
	g.next = next
	g.in += int64(len(p))
	if _, err := g.z.Write(p); err != nil {
		return core.Error
	}
	switch {
	case flags&core.Last != 0:
		if g.z.Close() != nil {
			return core.Error
		}
	case flags&core.Flush != 0:
		if g.z.Flush() != nil {
			return core.Error
		}
	}
	if flags&(core.Last|core.Flush) != 0 {
		return g.pass(flags)
	}
	return core.OK
}

// ratioVar is $gzip_ratio: the body's size by what was sent of it, with two
// decimals.
func ratioVar(r *core.Request) (string, bool) {
	g := note.Get(r)
	if g == nil || g.written == 0 || !r.OutputEnded {
		return "", false
	}
	whole, rest := g.in/g.written, g.in*100/g.written%100
	if g.in*1000/g.written%10 > 4 {
		if rest++; rest > 99 {
			whole, rest = whole+1, 0
		}
	}
	return fmt.Sprintf("%d.%02d", whole, rest), true
}
