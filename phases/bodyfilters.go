package phases

import (
	"compress/gzip"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// notModifiedFilter turns a 200 into 304 or 412 when the client's conditions
// say so (ngx_http_not_modified_filter_module).
// A failed precondition is answered with the error page of the status returned.
func (r *Request) notModifiedFilter() int {
	o := &r.Out
	if o.Status != 200 || r != r.Main || o.LastModified < 0 && !o.Headers.Has("ETag") {
		return rcOK
	}
	etag, _ := o.Headers.Get("ETag")
	if since, ok := r.In.Get("If-Unmodified-Since"); ok && o.LastModified >= 0 {
		if t, err := time.Parse(httpTimeFormat, since); err == nil && o.LastModified > t.Unix() {
			return 412
		}
	}
	if match, ok := r.In.Get("If-Match"); ok && !etagMatches(match, etag, false) {
		return 412
	}
	since, hasSince := r.In.Get("If-Modified-Since")
	none, hasNone := r.In.Get("If-None-Match")
	if !hasSince && !hasNone {
		return rcOK
	}
	if hasSince && r.modifiedSince(since) {
		return rcOK
	}
	if hasNone && !etagMatches(none, etag, true) {
		return rcOK
	}
	o.Status = 304
	o.ContentType, o.Charset = "", ""
	o.ClearLength()
	o.Headers.Del("Accept-Ranges")
	o.Headers.Del("Content-Encoding")
	return rcOK
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

// A byteRange is the bytes from start up to end, which is exclusive.
type byteRange struct{ start, end int64 }

// rangeCut passes on only the bytes of the ranges, which ascend.
type rangeCut struct {
	ranges []byteRange
	heads  []string // what goes before each range; nil for a single one
	tail   string   // what goes after the last
	at     int64    // bytes of the body seen so far
}

func (c *rangeCut) cut(p []byte) []byte {
	at := c.at
	c.at += int64(len(p))
	if c.heads == nil {
		return c.ranges[0].of(p, at)
	}
	var out []byte
	for len(c.ranges) > 0 && c.ranges[0].start < c.at {
		first := c.ranges[0]
		if first.start >= at {
			out = append(out, c.heads[0]...)
		}
		out = append(out, first.of(p, at)...)
		if first.end > c.at {
			break
		}
		c.ranges, c.heads = c.ranges[1:], c.heads[1:]
		if len(c.ranges) == 0 {
			out = append(out, c.tail...)
		}
	}
	return out
}

// of returns the part of p, which begins at byte at of the body, within the range.
func (b byteRange) of(p []byte, at int64) []byte {
	from, to := max(b.start-at, 0), min(b.end-at, int64(len(p)))
	if from >= to {
		return nil
	}
	return p[from:to]
}

// rangeFilter answers a request for ranges of bytes. Ranges that overlap or go
// back are answered with the whole, which RFC 9110 permits. Ranges that are
// malformed or beyond the end are answered with status 416.
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
	if !ok || len(want) < len("bytes=0") || !strings.EqualFold(want[:len("bytes=")], "bytes=") || !r.ifRangeHolds() {
		return rcOK
	}
	ranges, ok := parseRanges(want[len("bytes="):], o.ContentLength)
	total := itoa(o.ContentLength)
	if !ok {
		o.Status = 416
		o.Headers.Add("Content-Range", "bytes */"+total)
		return 416
	}
	if len(ranges) == 0 || len(ranges) > r.Loc.maxRanges.v {
		return rcOK
	}
	for i, b := range ranges[1:] {
		if b.start < ranges[i].end {
			return rcOK
		}
	}
	o.Status = 206
	r.ranged = &rangeCut{ranges: ranges}
	if len(ranges) > 1 {
		r.multipartRanges(total)
		return rcOK
	}
	o.Headers.Add("Content-Range", ranges[0].header(total))
	o.ContentLength = ranges[0].end - ranges[0].start
	return rcOK
}

func (b byteRange) header(total string) string {
	return "bytes " + itoa(b.start) + "-" + itoa(b.end-1) + "/" + total
}

// boundaries numbers the multipart answers of the process, as nginx does.
var boundaries atomic.Int64

// multipartRanges makes the answer a multipart/byteranges of r.ranged.
func (r *Request) multipartRanges(total string) {
	o, c := &r.Out, r.ranged
	boundary := fmt.Sprintf("%020d", boundaries.Add(1))
	head := "\r\n--" + boundary + "\r\n"
	if o.ContentType != "" {
		head += "Content-Type: " + o.ContentType
		if o.Charset != "" {
			head += "; charset=" + o.Charset
		}
		head += "\r\n"
	}
	c.tail = "\r\n--" + boundary + "--\r\n"
	length := int64(len(c.tail))
	for _, b := range c.ranges {
		c.heads = append(c.heads, head+"Content-Range: "+b.header(total)+"\r\n\r\n")
		length += int64(len(c.heads[len(c.heads)-1])) + b.end - b.start
	}
	o.ContentType, o.Charset = "multipart/byteranges; boundary="+boundary, ""
	o.ContentLength = length
}

// parseRanges reads a list of "a-b", "a-" or "-n" of a body of size bytes. It
// returns false for what 416 answers, and no ranges where the whole is due.
func parseRanges(list string, size int64) ([]byteRange, bool) {
	var ranges []byteRange
	var sum int64
	for _, item := range strings.Split(list, ",") {
		b, ok := parseRange(strings.Trim(item, " "), size)
		switch {
		case !ok:
			return nil, false
		case b.start < b.end:
			ranges = append(ranges, b)
			sum += b.end - b.start
		case b.start == 0:
			return nil, true
		}
	}
	if sum > size {
		return nil, true
	}
	return ranges, len(ranges) > 0
}

func parseRange(s string, size int64) (b byteRange, ok bool) {
	first, last, found := strings.Cut(s, "-")
	first, last = strings.TrimRight(first, " "), strings.TrimLeft(last, " ")
	if !found {
		return b, false
	}
	n, ok := int64(0), true
	if last != "" {
		n, ok = parseDecimal(last)
	}
	if first == "" {
		return byteRange{max(size-n, 0), size}, ok && last != ""
	}
	if !ok {
		return b, false
	}
	b.start, ok = parseDecimal(first)
	b.end = min(n+1, size)
	if last == "" {
		b.end = size
	}
	return b, ok
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
