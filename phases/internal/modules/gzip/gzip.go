// Package gzip is ngx_http_gzip_filter_module.
package gzip

import (
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
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

// config is what the gzip directives say.
type config struct {
	on        core.Opt[bool]
	vary      core.Opt[bool]
	minLength core.Opt[int64]
	level     core.Opt[int]
	version   core.Opt[int] // 0: HTTP/1.0, 1: HTTP/1.1
	types     core.TypeSet
	proxied   core.Opt[proxied]
	disable   []*core.Regex // user agents that get no gzip
	notMSIE6  bool          // gzip_disable msie6
}

func merge(g, outer *config, _ bool) {
	g.on.Merge(outer.on, false)
	g.vary.Merge(outer.vary, false)
	g.minLength.Merge(outer.minLength, 20)
	g.level.Merge(outer.level, 1)
	g.version.Merge(outer.version, 1)
	g.types.Merge(outer.types, core.TypeSet{"text/html": true})
	g.proxied.Merge(outer.proxied, gzipProxiedOff)
	if g.disable == nil && !g.notMSIE6 {
		g.disable, g.notMSIE6 = outer.disable, outer.notMSIE6
	}
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "gzip", In: core.InAnyLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(g *config) *core.Opt[bool] { return &g.on }))},
		{Name: "gzip_types", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: core.SetTypes(func(c *core.Compiler) *core.TypeSet { return &loc.At(c).types }, "text/html")},
		{Name: "gzip_proxied", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: setProxied},
		{Name: "gzip_disable", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: setDisable},
		{Name: "gzip_min_length", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetSize(core.In(loc, func(g *config) *core.Opt[int64] { return &g.minLength }))},
		{Name: "gzip_comp_level", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetBetween(1, 9, core.In(loc, func(g *config) *core.Opt[int] { return &g.level }))},
		{Name: "gzip_vary", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(g *config) *core.Opt[bool] { return &g.vary }))},
		{Name: "gzip_http_version", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetEnum(core.In(loc, func(g *config) *core.Opt[int] { return &g.version }), "1.0", "1.1")},
		{Name: "gzip_buffers", In: core.InHTTPSrvLoc, Args: core.Take2, Set: core.DiscardBuffers("gzip_buffers")},
	}
}

// proxied is the set of requests that came through a proxy, as Via tells,
// whose answers are compressed.
type proxied uint16

const (
	gzipProxiedOff proxied = 1 << iota
	gzipProxiedExpired
	gzipProxiedNoCache
	gzipProxiedNoStore
	gzipProxiedPrivate
	gzipProxiedNoLastModified
	gzipProxiedNoETag
	gzipProxiedAuth
	gzipProxiedAny
)

var gzipProxiedWords = map[string]proxied{
	"off": gzipProxiedOff, "expired": gzipProxiedExpired, "no-cache": gzipProxiedNoCache,
	"no-store": gzipProxiedNoStore, "private": gzipProxiedPrivate, "no_last_modified": gzipProxiedNoLastModified,
	"no_etag": gzipProxiedNoETag, "auth": gzipProxiedAuth, "any": gzipProxiedAny,
}

// setProxied reads gzip_proxied WORD...
func setProxied(c *core.Compiler, d *conf.Directive) error {
	f := &loc.At(c).proxied
	if f.Set {
		return core.ErrDuplicate
	}
	var set proxied
	for _, arg := range d.Args {
		bit, ok := gzipProxiedWords[ngxtext.Lower(arg)]
		if !ok {
			return fmt.Errorf("invalid value \"%s\"", arg)
		}
		if set&bit != 0 {
			c.Warnf(d, "duplicate value \"%s\"", arg)
		}
		set |= bit
	}
	return f.Put(set)
}

// setDisable reads gzip_disable REGEX...; the word msie6 stands for itself.
func setDisable(c *core.Compiler, d *conf.Directive) error {
	g := loc.At(c)
	for _, arg := range d.Args {
		if arg == "msie6" {
			g.notMSIE6 = true
			continue
		}
		re, err := c.Regex(arg, true)
		if err != nil {
			return err
		}
		g.disable = append(g.disable, re)
	}
	return nil
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
	r.VaryEncoding = g.vary.V
	if !accepted(r, g) {
		return core.OK
	}
	w := note.Of(r)
	w.begin(r, g.level.V)
	o.Headers.Add("Content-Encoding", "gzip")
	o.ClearLength()
	o.ClearRanges()
	weakenTag(o)
	return core.OK
}

// weakenTag marks the entity tag as weak, as the bytes are no longer those it was
// made for; a text that is no tag is removed (ngx_http_weak_etag).
func weakenTag(o *core.Response) {
	etag, ok := o.Headers.Get("ETag")
	switch {
	case !ok || strings.HasPrefix(etag, "W/"):
	case len(etag) < 2 || etag[0] != '"':
		o.Headers.Del("ETag")
	default:
		o.Headers.SetValue("ETag", "W/"+etag)
	}
}

// accepted tells whether the client may be sent gzip (ngx_http_gzip_ok).
func accepted(r *core.Request, g *config) bool {
	if r != r.Main || r.HTTPMajor < 1 || g.version.V == 1 && r.HTTPMajor == 1 && r.HTTPMinor < 1 {
		return false
	}
	accept, _ := r.In.Get("Accept-Encoding")
	if len(accept) < len("gzip") || !strings.HasPrefix(accept, "gzip,") && !acceptsGzip(accept) {
		return false
	}
	agent, hasAgent := r.In.Get("User-Agent")
	if g.notMSIE6 && hasAgent && core.BrowserOf(agent)&core.BrowserMSIE6 != 0 {
		return false
	}
	if r.In.Has("Via") && !forProxy(r, g.proxied.V) {
		return false
	}
	if hasAgent {
		for _, re := range g.disable {
			if re.Matches(r, agent) {
				return false
			}
		}
	}
	return true
}

// acceptsGzip looks for gzip in an Accept-Encoding that does not begin with it
// (ngx_http_gzip_accept_encoding). nginx knows only names at the beginning or
// behind a comma or space, and reads a quality with up to three decimals.
func acceptsGzip(accept string) bool {
	for at := 0; ; {
		i := strings.Index(ngxtext.Lower(accept[at:]), "gzip")
		if i < 0 {
			return false
		}
		at += i
		if at == 0 || accept[at-1] == ',' || accept[at-1] == ' ' {
			return acceptedQuality(accept[at+len("gzip"):])
		}
		at += len("gzip")
	}
}

// acceptedQuality judges what stands behind a coding's name.
func acceptedQuality(s string) bool {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] == ',' {
		return true
	}
	if s[0] != ';' {
		return false
	}
	s = strings.TrimLeft(s[1:], " ")
	if len(s) < 2 || ngxtext.LowerByte(s[0]) != 'q' || s[1] != '=' {
		return false
	}
	s, _, _ = strings.Cut(s[2:], ",")
	return acceptedNumber(strings.TrimRight(s, " "))
}

// acceptedNumber tells whether a quality is above 0 and well formed
// (ngx_http_gzip_quantity).
func acceptedNumber(s string) bool {
	if s == "" || s[0] != '0' && s[0] != '1' {
		return false
	}
	positive := s[0] == '1'
	if len(s) == 1 {
		return positive
	}
	if s[1] != '.' || len(s) > len("0.000") {
		return false
	}
	for _, c := range s[2:] {
		if c < '0' || c > '9' || s[0] == '1' && c != '0' {
			return false
		}
		positive = positive || c > '0'
	}
	return positive
}

// forProxy judges an answer that goes to a proxy by its headers.
func forProxy(r *core.Request, p proxied) bool {
	o := &r.Out
	switch {
	case p&gzipProxiedOff != 0:
		return false
	case p&gzipProxiedAny != 0, p&gzipProxiedAuth != 0 && r.In.Has("Authorization"):
		return true
	}
	if expires, ok := o.Headers.Get("Expires"); ok {
		at, ok := core.ParseHTTPTime(expires)
		now := time.Now().Unix()
		if date, has := o.Headers.Get("Date"); has {
			if now, has = core.ParseHTTPTime(date); !has {
				return false
			}
		}
		return p&gzipProxiedExpired != 0 && ok && at < now
	}
	if o.Headers.Has("Cache-Control") {
		for bit, word := range map[proxied]string{
			gzipProxiedNoCache: "no-cache", gzipProxiedNoStore: "no-store", gzipProxiedPrivate: "private",
		} {
			if p&bit != 0 && cacheControl(o, word) {
				return true
			}
		}
		return false
	}
	if p&gzipProxiedNoLastModified != 0 && o.Headers.Has("Last-Modified") {
		return false
	}
	return p&gzipProxiedNoETag == 0 || !o.Headers.Has("ETag")
}

// cacheControl looks for a word in the Cache-Control headers.
func cacheControl(o *core.Response, word string) bool {
	for i := range o.Headers {
		if !ngxtext.EqualFold(o.Headers[i].Name, "Cache-Control") {
			continue
		}
		for _, item := range strings.FieldsFunc(o.Headers[i].Value, func(c rune) bool { return c == ',' || c == ';' }) {
			if ngxtext.EqualFold(strings.Trim(item, " "), word) {
				return true
			}
		}
	}
	return false
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
	if flags != 0 {
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
