package phases

import (
	"compress/gzip"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// notModifiedFilter turns a 200 into 304 or 412 when the client's conditions
// say so (ngx_http_not_modified_filter_module).
func (r *Request) notModifiedFilter() {
	o := &r.Out
	if o.Status != 200 || r != r.Main || o.LastModified < 0 && !o.Headers.Has("ETag") {
		return
	}
	etag, _ := o.Headers.Get("ETag")
	if since, ok := r.In.Get("If-Unmodified-Since"); ok && o.LastModified >= 0 {
		if t, err := time.Parse(httpTimeFormat, since); err == nil && o.LastModified > t.Unix() {
			r.preconditionFailed()
			return
		}
	}
	if match, ok := r.In.Get("If-Match"); ok && !etagMatches(match, etag, false) {
		r.preconditionFailed()
		return
	}
	since, hasSince := r.In.Get("If-Modified-Since")
	none, hasNone := r.In.Get("If-None-Match")
	if !hasSince && !hasNone {
		return
	}
	if hasSince && r.modifiedSince(since) {
		return
	}
	if hasNone && !etagMatches(none, etag, true) {
		return
	}
	o.Status = 304
	o.ContentType, o.Charset = "", ""
	o.ClearLength()
	o.Headers.Del("Accept-Ranges")
	o.Headers.Del("Content-Encoding")
}

func (r *Request) preconditionFailed() {
	r.Out.Status = 412
	r.ErrStatus = 412
	r.Out.ClearLength()
}

func (r *Request) modifiedSince(since string) bool {
	mode := r.Loc.ifModifiedSince.v
	if mode == 0 {
		return true
	}
	t, err := time.Parse(httpTimeFormat, since)
	if err != nil {
		return true
	}
	if mode == 1 {
		return t.Unix() != r.Out.LastModified
	}
	return t.Unix() < r.Out.LastModified
}

// etagMatches looks for an entity tag in a list of them; weak comparison
// ignores the W/ marks.
func etagMatches(list, etag string, weak bool) bool {
	if strings.TrimSpace(list) == "*" {
		return true
	}
	if weak {
		etag = strings.TrimPrefix(etag, "W/")
	}
	for _, item := range strings.Split(list, ",") {
		item = strings.TrimSpace(item)
		if weak {
			item = strings.TrimPrefix(item, "W/")
		}
		if etag != "" && item == etag {
			return true
		}
	}
	return false
}

// charsetFilter names the charset of text types when `charset` is on.
func (r *Request) charsetFilter() {
	cs := r.Loc.charset.v
	if cs == "" || cs == "off" || r.Out.Charset != "" || r.Out.ContentType == "" {
		return
	}
	switch base, _, _ := strings.Cut(r.Out.ContentType, ";"); base {
	case "text/html", "text/xml", "text/plain", "text/vnd.wap.wml", "application/javascript", "application/rss+xml":
		r.Out.Charset = cs
	}
}

// rangeCut passes on only the bytes of one range.
type rangeCut struct {
	start, end int64 // of the range, end exclusive
	at         int64 // bytes seen so far
}

func (c *rangeCut) cut(p []byte) []byte {
	from, to := c.start-c.at, c.end-c.at
	c.at += int64(len(p))
	from, to = max(from, 0), min(to, int64(len(p)))
	if from >= to {
		return nil
	}
	return p[from:to]
}

// rangeFilter answers a request for one range of bytes. Several ranges at once
// are answered with the whole, which RFC 9110 permits. A range beyond the end
// is answered with status 416.
func (r *Request) rangeFilter() int {
	o := &r.Out
	if !o.allowRanges || o.Status != 200 || o.ContentLength < 0 || r.Loc.maxRanges.v == 0 {
		return rcOK
	}
	defer func() {
		if o.Status == 200 {
			o.Headers.Add("Accept-Ranges", "bytes")
		}
	}()
	want, ok := r.In.Get("Range")
	if !ok || !strings.HasPrefix(want, "bytes=") || strings.Contains(want, ",") || !r.ifRangeHolds() {
		return rcOK
	}
	start, end, ok := parseRange(want[len("bytes="):], o.ContentLength)
	if !ok {
		return rcOK
	}
	total := itoa(o.ContentLength)
	if start >= o.ContentLength || start >= end {
		o.Status = 416
		o.Headers.Add("Content-Range", "bytes */"+total)
		return 416
	}
	o.Status = 206
	o.Headers.Add("Content-Range", "bytes "+itoa(start)+"-"+itoa(end-1)+"/"+total)
	o.ContentLength = end - start
	r.ranged = &rangeCut{start: start, end: end}
	return rcOK
}

// parseRange reads "a-b", "a-" or "-n" of a body of size bytes.
func parseRange(s string, size int64) (start, end int64, ok bool) {
	first, last, found := strings.Cut(strings.TrimSpace(s), "-")
	if !found {
		return 0, 0, false
	}
	if first == "" {
		n, ok := parseDecimal(last)
		return max(size-n, 0), size, ok
	}
	if start, ok = parseDecimal(first); !ok {
		return 0, 0, false
	}
	if last == "" {
		return start, size, true
	}
	n, ok := parseDecimal(last)
	if !ok || n < start {
		return 0, 0, false
	}
	return start, min(n+1, size), true
}

func (r *Request) ifRangeHolds() bool {
	cond, ok := r.In.Get("If-Range")
	if !ok {
		return true
	}
	if strings.HasSuffix(cond, "\"") {
		etag, _ := r.Out.Headers.Get("ETag")
		return etag == cond
	}
	t, err := time.Parse(httpTimeFormat, cond)
	return err == nil && t.Unix() == r.Out.LastModified
}

// gzipConf is what the gzip directives say.
type gzipConf struct {
	on        opt[bool]
	vary      opt[bool]
	minLength opt[int64]
	level     opt[int]
	version   opt[int]
	types     map[string]bool
}

func (g *gzipConf) merge(outer *gzipConf) {
	g.on.merge(outer.on, false)
	g.vary.merge(outer.vary, false)
	g.minLength.merge(outer.minLength, 20)
	g.level.merge(outer.level, 1)
	g.version.merge(outer.version, 1)
	if g.types == nil {
		g.types = outer.types
	}
}

func setGzipTypes(c *compiler, d *conf.Directive) error {
	g := &c.loc.gzip
	g.types = map[string]bool{"text/html": true}
	for _, t := range d.Args {
		g.types[lowerString(t)] = true
	}
	return nil
}

// gzipWriter compresses the body of one response.
type gzipWriter struct {
	z   *gzip.Writer
	out *Request
}

// Write takes compressed bytes to the framing.
func (g *gzipWriter) Write(p []byte) (int, error) {
	if g.out.frame(p, 0) != rcOK {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// gzipHeader decides on compressing the body (ngx_http_gzip_header_filter).
func (r *Request) gzipHeader() {
	g, o := &r.Loc.gzip, &r.Out
	if !g.on.v || o.Status != 200 && o.Status != 403 && o.Status != 404 || o.Headers.Has("Content-Encoding") ||
		o.ContentLength >= 0 && o.ContentLength < g.minLength.v || r.HeaderOnly {
		return
	}
	base, _, _ := strings.Cut(o.ContentType, ";")
	base = lowerString(strings.TrimSpace(base))
	if g.types == nil && base != "text/html" || g.types != nil && !g.types[base] && !g.types["*"] {
		return
	}
	r.gzipVary = g.vary.v
	if !r.acceptsGzip() {
		return
	}
	z, err := gzip.NewWriterLevel(io.Discard, min(max(g.level.v, 1), 9))
	if err != nil {
		return
	}
	w := &gzipWriter{z: z, out: r}
	z.Reset(w)
	r.gzip = w
	o.Headers.Add("Content-Encoding", "gzip")
	o.ClearLength()
	o.allowRanges = false
	if etag, ok := o.Headers.Get("ETag"); ok && !strings.HasPrefix(etag, "W/") {
		o.Headers.Set("ETag", "W/"+etag)
	}
}

func (r *Request) acceptsGzip() bool {
	if r.HTTPMajor < 1 || r.Loc.gzip.version.v == 1 && r.HTTPMajor == 1 && r.HTTPMinor < 1 || r.In.Has("Via") {
		return false
	}
	accept, _ := r.In.Get("Accept-Encoding")
	for _, item := range strings.Split(accept, ",") {
		name, params, _ := strings.Cut(item, ";")
		if name = strings.TrimSpace(name); name != "gzip" && name != "*" {
			continue
		}
		_, q, found := strings.Cut(params, "q=")
		if !found {
			return true
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return err == nil && n > 0
	}
	return false
}

// gzipBody compresses a piece of the main request's body.
func (m *Request) gzipBody(p []byte, flags int) int {
	if _, err := m.gzip.z.Write(p); err != nil {
		return rcError
	}
	switch {
	case flags&outLast != 0:
		if m.gzip.z.Close() != nil {
			return rcError
		}
	case flags&outFlush != 0:
		if m.gzip.z.Flush() != nil {
			return rcError
		}
	}
	return m.frame(nil, flags)
}
