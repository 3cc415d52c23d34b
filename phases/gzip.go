package phases

import (
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// gzipModule is ngx_http_gzip_filter_module.
var gzipModule = &Module{
	name:       "gzip_filter",
	directives: gzipDirectives,
	variables: func() []variable {
		return []variable{{name: "gzip_ratio", hidden: true, volatile: true, get: gzipRatio}}
	},
	conf: []confSlot{gzipLoc},
	build: func(b *builder, l *Location) {
		if gzipLoc.of(l).on.v {
			b.filterHeader(gzipHeader)
			b.filterMain(gzipBody)
		}
	},
}

var (
	gzipLoc  = newLocSlot(mergeGzip)
	gzipNote = newNote[gzipWriter](nil)
)

// gzipConf is what the gzip directives say.
type gzipConf struct {
	on        opt[bool]
	vary      opt[bool]
	minLength opt[int64]
	level     opt[int]
	version   opt[int] // 0: HTTP/1.0, 1: HTTP/1.1
	types     typeSet
	proxied   opt[gzipProxied]
	disable   []*confRegex // user agents that get no gzip
	notMSIE6  bool         // gzip_disable msie6
}

func mergeGzip(g, outer *gzipConf, _ bool) {
	g.on.merge(outer.on, false)
	g.vary.merge(outer.vary, false)
	g.minLength.merge(outer.minLength, 20)
	g.level.merge(outer.level, 1)
	g.version.merge(outer.version, 1)
	g.types.merge(outer.types, typeSet{"text/html": true})
	g.proxied.merge(outer.proxied, gzipProxiedOff)
	if g.disable == nil && !g.notMSIE6 {
		g.disable, g.notMSIE6 = outer.disable, outer.notMSIE6
	}
}

func gzipDirectives() []directive {
	return []directive{
		{"gzip", inAnyLoc, takeFlag, onOff(in(gzipLoc, func(g *gzipConf) *opt[bool] { return &g.on }))},
		{"gzip_types", inHTTPSrvLoc, takeMore1, contentTypes(func(c *compiler) *typeSet { return &gzipLoc.at(c).types }, "text/html")},
		{"gzip_proxied", inHTTPSrvLoc, takeMore1, setGzipProxied},
		{"gzip_disable", inHTTPSrvLoc, takeMore1, setGzipDisable},
		{"gzip_min_length", inHTTPSrvLoc, take1, size(in(gzipLoc, func(g *gzipConf) *opt[int64] { return &g.minLength }))},
		{"gzip_comp_level", inHTTPSrvLoc, take1, between(1, 9, in(gzipLoc, func(g *gzipConf) *opt[int] { return &g.level }))},
		{"gzip_vary", inHTTPSrvLoc, takeFlag, onOff(in(gzipLoc, func(g *gzipConf) *opt[bool] { return &g.vary }))},
		{"gzip_http_version", inHTTPSrvLoc, take1, enum(in(gzipLoc, func(g *gzipConf) *opt[int] { return &g.version }), "1.0", "1.1")},
		{"gzip_buffers", inHTTPSrvLoc, take2, discardBuffers("gzip_buffers")},
	}
}

// gzipProxied is the set of requests that came through a proxy, as Via tells,
// whose answers are compressed.
type gzipProxied uint16

const (
	gzipProxiedOff gzipProxied = 1 << iota
	gzipProxiedExpired
	gzipProxiedNoCache
	gzipProxiedNoStore
	gzipProxiedPrivate
	gzipProxiedNoLastModified
	gzipProxiedNoETag
	gzipProxiedAuth
	gzipProxiedAny
)

var gzipProxiedWords = map[string]gzipProxied{
	"off": gzipProxiedOff, "expired": gzipProxiedExpired, "no-cache": gzipProxiedNoCache,
	"no-store": gzipProxiedNoStore, "private": gzipProxiedPrivate, "no_last_modified": gzipProxiedNoLastModified,
	"no_etag": gzipProxiedNoETag, "auth": gzipProxiedAuth, "any": gzipProxiedAny,
}

// setGzipProxied reads gzip_proxied WORD...
func setGzipProxied(c *compiler, d *conf.Directive) error {
	f := &gzipLoc.at(c).proxied
	if f.set {
		return errDuplicate
	}
	var set gzipProxied
	for _, arg := range d.Args {
		bit, ok := gzipProxiedWords[lowerString(arg)]
		if !ok {
			return fmt.Errorf("invalid value \"%s\"", arg)
		}
		if set&bit != 0 {
			c.warnf(d, "duplicate value \"%s\"", arg)
		}
		set |= bit
	}
	return f.put(set)
}

// setGzipDisable reads gzip_disable REGEX...; the word msie6 stands for itself.
func setGzipDisable(c *compiler, d *conf.Directive) error {
	g := gzipLoc.at(c)
	for _, arg := range d.Args {
		if arg == "msie6" {
			g.notMSIE6 = true
			continue
		}
		re, err := c.regex(arg, true)
		if err != nil {
			return err
		}
		g.disable = append(g.disable, re)
	}
	return nil
}

// gzipWriter compresses the body of one response.
type gzipWriter struct {
	z       *gzip.Writer
	out     *Request
	next    filterPlace // behind gzip, for what it makes
	buf     []byte      // compressed and not yet framed
	in      int64       // bytes before and behind the compression, for $gzip_ratio
	written int64
}

// gzipBuffer is how much is compressed before it is passed on, in bytes.
const gzipBuffer = 4 << 10

// Write collects compressed bytes and takes them to the framing.
func (g *gzipWriter) Write(p []byte) (int, error) {
	g.written += int64(len(p))
	g.buf = append(g.buf, p...)
	if len(g.buf) >= gzipBuffer && g.pass(0) != rcOK {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// pass frames what was collected.
func (g *gzipWriter) pass(flags int) int {
	p := g.buf
	g.buf = g.buf[:0]
	return g.next.pass(g.out, p, flags)
}

// gzipHeader decides on compressing the body (ngx_http_gzip_header_filter). The
// head of a subrequest is judged too, for its Vary does not count, but only main
// requests are compressed.
func gzipHeader(r *Request) int {
	g, o := gzipLoc.of(r.Loc), &r.Out
	switch {
	case o.Status != 200 && o.Status != 403 && o.Status != 404,
		o.ContentLength >= 0 && o.ContentLength < g.minLength.v,
		!g.types.has(o.ContentType),
		r.HeaderOnly:
		return rcOK
	}
	if coding, _ := o.Headers.Get("Content-Encoding"); coding != "" {
		return rcOK
	}
	r.varyEncoding = g.vary.v
	if !gzipAccepted(r, g) {
		return rcOK
	}
	z, err := gzip.NewWriterLevel(io.Discard, min(max(g.level.v, 1), 9))
	if err != nil {
		return rcOK
	}
	z.OS = 3 // as zlib says: Unix
	w := gzipNote.of(r)
	w.z, w.out = z, r
	z.Reset(w)
	o.Headers.Add("Content-Encoding", "gzip")
	o.ClearLength()
	o.clearRanges()
	o.weakenTag()
	return rcOK
}

// weakenTag marks the entity tag as weak, as the bytes are no longer those it was
// made for; a text that is no tag is removed (ngx_http_weak_etag).
func (o *Response) weakenTag() {
	etag, ok := o.Headers.Get("ETag")
	switch {
	case !ok || strings.HasPrefix(etag, "W/"):
	case len(etag) < 2 || etag[0] != '"':
		o.Headers.Del("ETag")
	default:
		o.Headers.setValue("ETag", "W/"+etag)
	}
}

// gzipAccepted tells whether the client may be sent gzip (ngx_http_gzip_ok).
func gzipAccepted(r *Request, g *gzipConf) bool {
	if r != r.Main || r.HTTPMajor < 1 || g.version.v == 1 && r.HTTPMajor == 1 && r.HTTPMinor < 1 {
		return false
	}
	accept, _ := r.In.Get("Accept-Encoding")
	if len(accept) < len("gzip") || !strings.HasPrefix(accept, "gzip,") && !acceptsGzip(accept) {
		return false
	}
	agent, hasAgent := r.In.Get("User-Agent")
	if g.notMSIE6 && hasAgent && browserOf(agent)&browserMSIE6 != 0 {
		return false
	}
	if r.In.Has("Via") && !gzipForProxy(r, g.proxied.v) {
		return false
	}
	if hasAgent {
		for _, re := range g.disable {
			if re.matches(r, agent) {
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
		i := strings.Index(lowerString(accept[at:]), "gzip")
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
	if len(s) < 2 || lowerByte(s[0]) != 'q' || s[1] != '=' {
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

// gzipForProxy judges an answer that goes to a proxy by its headers.
func gzipForProxy(r *Request, p gzipProxied) bool {
	o := &r.Out
	switch {
	case p&gzipProxiedOff != 0:
		return false
	case p&gzipProxiedAny != 0, p&gzipProxiedAuth != 0 && r.In.Has("Authorization"):
		return true
	}
	if expires, ok := o.Headers.Get("Expires"); ok {
		at, ok := parseHTTPTime(expires)
		now := time.Now().Unix()
		if date, has := o.Headers.Get("Date"); has {
			if now, has = parseHTTPTime(date); !has {
				return false
			}
		}
		return p&gzipProxiedExpired != 0 && ok && at < now
	}
	if o.Headers.Has("Cache-Control") {
		for bit, word := range map[gzipProxied]string{
			gzipProxiedNoCache: "no-cache", gzipProxiedNoStore: "no-store", gzipProxiedPrivate: "private",
		} {
			if p&bit != 0 && o.cacheControl(word) {
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
func (o *Response) cacheControl(word string) bool {
	for i := range o.Headers {
		if !equalFold(o.Headers[i].Name, "Cache-Control") {
			continue
		}
		for _, item := range strings.FieldsFunc(o.Headers[i].Value, func(c rune) bool { return c == ',' || c == ';' }) {
			if equalFold(strings.Trim(item, " "), word) {
				return true
			}
		}
	}
	return false
}

// gzipBody compresses a piece of the main request's body
// (ngx_http_gzip_body_filter).
func gzipBody(r *Request, p []byte, flags int, next filterPlace) int {
	g := gzipNote.get(r)
	if g == nil {
		return next.pass(r, p, flags)
	}
	g.next = next
	g.in += int64(len(p))
	if _, err := g.z.Write(p); err != nil {
		return rcError
	}
	switch {
	case flags&outLast != 0:
		if g.z.Close() != nil {
			return rcError
		}
	case flags&outFlush != 0:
		if g.z.Flush() != nil {
			return rcError
		}
	}
	if flags != 0 {
		return g.pass(flags)
	}
	return rcOK
}

// gzipRatio is $gzip_ratio: the body's size by what was sent of it, with two
// decimals.
func gzipRatio(r *Request) (string, bool) {
	g := gzipNote.get(r)
	if g == nil || g.written == 0 || !r.outputEnded {
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
