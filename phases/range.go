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
		build: func(b *builder, _ *Location) { b.filterHeader(rangeHeader) },
	}
	rangeBodyModule = &Module{
		name: "range_body_filter",
		build: func(b *builder, _ *Location) {
			b.filterBody(rangeBody)
			b.filterFile(rangeFile)
		},
	}
)

var rangeNote = newNote[rangeCut](nil)

// rangeCut is what a body is to be cut to: one range, or several with the text
// around them.
type rangeCut struct {
	fileParts
	at     int64 // bytes of the body seen so far
	ofFile bool  // the file has been cut: its bytes are the answer's
}

// contentRange is the value of the Content-Range header.
func contentRange(p *filePart, total string) string {
	return "bytes " + itoa(p.start) + "-" + itoa(p.end-1) + "/" + total
}

// rangeHeader answers a request for ranges of bytes
// (ngx_http_range_header_filter). Ranges that are malformed or beyond the end are
// answered with status 416.
func rangeHeader(r *Request) int {
	o := &r.Out
	if r != r.Main || r.HTTPMajor < 1 || !o.allowRanges || o.Status != 200 || o.ContentLength < 0 || r.Loc.maxRanges.v == 0 {
		return rcOK
	}
	want, ok := r.In.Get("Range")
	if !ok || len(want) < len("bytes=0") || !equalFold(want[:len("bytes=")], "bytes=") || !ifRangeHolds(r) {
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
	c := rangeNote.of(r)
	c.parts = ranges
	if len(ranges) > 1 {
		multipartRanges(r, c, total)
		return rcOK
	}
	o.Headers.Add("Content-Range", contentRange(&ranges[0], total))
	o.ClearLength()
	o.ContentLength = ranges[0].size()
	return rcOK
}

// multipartRanges makes the answer a multipart/byteranges.
func multipartRanges(r *Request, c *rangeCut, total string) {
	o := &r.Out
	boundary := fmt.Sprintf("%020d", tempNumbers.Add(1))
	head := "\r\n--" + boundary + "\r\n"
	if o.ContentType != "" {
		head += "Content-Type: " + o.contentType() + "\r\n"
	}
	c.tail = "\r\n--" + boundary + "--\r\n"
	length := int64(len(c.tail))
	for i := range c.parts {
		p := &c.parts[i]
		p.head = head + "Content-Range: " + contentRange(p, total) + "\r\n\r\n"
		length += int64(len(p.head)) + p.size()
	}
	o.ContentType, o.Charset = "multipart/byteranges; boundary="+boundary, ""
	o.ClearLength()
	o.ContentLength = length
}

// parseRanges reads a list of "a-b", "a-" or "-n" of a body of size bytes. It
// returns false for what 416 answers, and no ranges where the whole is due: when
// they are more than limit or longer than the whole (ngx_http_range_parse).
func parseRanges(list string, size int64, limit int) ([]filePart, bool) {
	var ranges []filePart
	var sum int64
	for {
		item, rest, more := strings.Cut(list, ",")
		p, ok := parseRange(strings.Trim(item, " "), size)
		if !ok {
			return nil, false
		}
		if p.start < p.end {
			if sum > math.MaxInt64-p.size() {
				return nil, false
			}
			sum += p.size()
			if len(ranges) == limit {
				return nil, true
			}
			ranges = append(ranges, p)
		} else if p.start == 0 {
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
func parseRange(s string, size int64) (p filePart, ok bool) {
	first, last, found := strings.Cut(s, "-")
	first, last = strings.TrimRight(first, " "), strings.TrimLeft(last, " ")
	if !found {
		return p, false
	}
	if first == "" {
		n, ok := parseDecimal(s[1:])
		return filePart{start: max(size-n, 0), end: size}, ok
	}
	if p.start, ok = parseDecimal(first); !ok {
		return p, false
	}
	if last == "" {
		p.end = size
		return p, true
	}
	n, ok := parseDecimal(last)
	p.end = size
	if n < size {
		p.end = n + 1
	}
	return p, ok
}

// ifRangeHolds judges If-Range: by the entity tag when it is one, else by date.
func ifRangeHolds(r *Request) bool {
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

// rangeFile cuts the body before it is read from its file
// (ngx_http_range_multipart_body).
func rangeFile(r *Request) *fileParts {
	c := rangeNote.get(r)
	if c == nil {
		return nil
	}
	c.ofFile = true
	return &c.fileParts
}

// rangeBody cuts a body that comes in pieces (ngx_http_range_singlepart_body).
// Several ranges need the whole, which only a file is.
func rangeBody(r *Request, p []byte, flags int, next filterPlace) int {
	c := rangeNote.get(r)
	if c == nil || c.ofFile || len(c.parts) > 1 {
		return next.pass(r, p, flags)
	}
	at, cut := c.at, &c.parts[0]
	c.at += int64(len(p))
	if len(p) == 0 { // an end or a flush
		return next.pass(r, p, flags)
	}
	if at >= cut.end || c.at <= cut.start {
		return rcOK
	}
	if flags &^= outLast; c.at >= cut.end {
		flags |= outLast
	}
	return next.pass(r, p[max(cut.start-at, 0):min(cut.end, c.at)-at], flags)
}
