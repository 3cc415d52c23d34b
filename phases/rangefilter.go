package phases

import (
	"fmt"
	"math"
	"strings"
)

// In nginx, range_filter is two modules: the head is judged behind gzip, which
// forbids ranges of what it makes; the body is cut before all other filters, so
// that they see only what the client asked for.
var (
	rangeHeaderModule = &Module{
		name:  "range_header_filter",
		build: func(b *builder, _ *Location) { b.filterHeader((*Request).rangeHeader) },
	}
	rangeBodyModule = &Module{
		name:  "range_body_filter",
		build: func(b *builder, _ *Location) { b.filterBody((*Request).rangeBody) },
	}
)

// A byteRange is the bytes from start up to end, which is exclusive.
type byteRange struct{ start, end int64 }

// size is the number of bytes of the range.
func (b byteRange) size() int64 { return b.end - b.start }

// contentRange is the value of the Content-Range header.
func (b byteRange) contentRange(total string) string {
	return "bytes " + itoa(b.start) + "-" + itoa(b.end-1) + "/" + total
}

// rangeCut is what the range filter found for a body to be cut to: one range, or
// several with the text that goes before each and behind the last.
type rangeCut struct {
	ranges []byteRange
	heads  []string // nil for a single range
	tail   string
	at     int64 // bytes of the body seen so far
}

// rangeHeader answers a request for ranges of bytes
// (ngx_http_range_header_filter). Ranges that are malformed or beyond the end are
// answered with status 416.
func (r *Request) rangeHeader() int {
	o := &r.Out
	if r.HTTPMajor < 1 || !o.allowRanges || o.Status != 200 || o.ContentLength < 0 || r.Loc.maxRanges.v == 0 {
		return rcOK
	}
	want, ok := r.In.Get("Range")
	if !ok || len(want) < len("bytes=0") || !equalFold(want[:len("bytes=")], "bytes=") || !r.ifRangeHolds() {
		o.Headers.Add("Accept-Ranges", "bytes")
		return rcOK
	}
	ranges, ok := parseRanges(want[len("bytes="):], o.ContentLength, r.Loc.maxRanges.v)
	total := itoa(o.ContentLength)
	switch {
	case !ok:
		o.Status = 416
		o.Headers.Add("Content-Range", "bytes */"+total)
		o.ClearLength()
		return 416
	case ranges == nil:
		o.Headers.Add("Accept-Ranges", "bytes")
		return rcOK
	}
	o.Status, o.StatusLine = 206, ""
	r.ranged = &rangeCut{ranges: ranges}
	if len(ranges) > 1 {
		r.multipartRanges(total)
		return rcOK
	}
	o.Headers.Add("Content-Range", ranges[0].contentRange(total))
	o.ClearLength()
	o.ContentLength = ranges[0].size()
	return rcOK
}

// multipartRanges makes the answer a multipart/byteranges of r.ranged.
func (r *Request) multipartRanges(total string) {
	o, c := &r.Out, r.ranged
	boundary := fmt.Sprintf("%020d", tempNumbers.Add(1))
	head := "\r\n--" + boundary + "\r\n"
	if o.ContentType != "" {
		head += "Content-Type: " + o.contentType() + "\r\n"
	}
	c.tail = "\r\n--" + boundary + "--\r\n"
	length := int64(len(c.tail))
	for _, b := range c.ranges {
		c.heads = append(c.heads, head+"Content-Range: "+b.contentRange(total)+"\r\n\r\n")
		length += int64(len(c.heads[len(c.heads)-1])) + b.size()
	}
	o.ContentType, o.Charset = "multipart/byteranges; boundary="+boundary, ""
	o.ClearLength()
	o.ContentLength = length
}

// parseRanges reads a list of "a-b", "a-" or "-n" of a body of size bytes. It
// returns false for what 416 answers, and no ranges where the whole is due: when
// they are more than limit or longer than the whole (ngx_http_range_parse).
func parseRanges(list string, size int64, limit int) ([]byteRange, bool) {
	var ranges []byteRange
	var sum int64
	for {
		item, rest, more := strings.Cut(list, ",")
		b, ok := parseRange(strings.Trim(item, " "), size)
		if !ok {
			return nil, false
		}
		if b.start < b.end {
			if sum > math.MaxInt64-b.size() {
				return nil, false
			}
			sum += b.size()
			if len(ranges) == limit {
				return nil, true
			}
			ranges = append(ranges, b)
		} else if b.start == 0 {
			return nil, true
		}
		if !more {
			break
		}
		list = rest
	}
	if len(ranges) == 0 {
		return nil, false
	}
	if sum > size {
		return nil, true
	}
	return ranges, true
}

// parseRange reads one range; a range beyond the end comes out empty.
func parseRange(s string, size int64) (b byteRange, ok bool) {
	first, last, found := strings.Cut(s, "-")
	first, last = strings.TrimRight(first, " "), strings.TrimLeft(last, " ")
	if !found {
		return b, false
	}
	if first == "" {
		n, ok := parseDecimal(s[1:])
		return byteRange{max(size-n, 0), size}, ok
	}
	if b.start, ok = parseDecimal(first); !ok {
		return b, false
	}
	if last == "" {
		b.end = size
		return b, true
	}
	n, ok := parseDecimal(last)
	b.end = size
	if n < size {
		b.end = n + 1
	}
	return b, ok
}

// ifRangeHolds judges If-Range: by the entity tag when it is one, else by date.
func (r *Request) ifRangeHolds() bool {
	cond, ok := r.In.Get("If-Range")
	if !ok {
		return true
	}
	if len(cond) >= 2 && cond[len(cond)-1] == '"' {
		etag, ok := r.Out.Headers.Get("ETag")
		return ok && etag == cond
	}
	if r.Out.LastModified < 0 {
		return false
	}
	t, ok := parseHTTPTime(cond)
	return ok && t == r.Out.LastModified
}

// rangeBody cuts a body that comes in pieces (ngx_http_range_singlepart_body).
// Several ranges need the whole: sendFile makes their pieces itself.
func (r *Request) rangeBody(p []byte, flags int, next filterPlace) int {
	c := r.ranged
	if c == nil || c.heads != nil {
		return next.pass(r, p, flags)
	}
	at, b := c.at, c.ranges[0]
	c.at += int64(len(p))
	if len(p) == 0 { // an end or a flush
		return next.pass(r, p, flags)
	}
	if at >= b.end || c.at <= b.start {
		return rcOK
	}
	if flags &^= outLast; c.at >= b.end {
		flags |= outLast
	}
	return next.pass(r, p[max(b.start-at, 0):min(b.end, c.at)-at], flags)
}
