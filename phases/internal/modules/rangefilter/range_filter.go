// Package rangefilter is ngx_http_range_filter_module: parts of a response, 206 and
// 416.
package rangefilter

import (
	"fmt"
	"math"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// In nginx, range_filter is two modules: the head is judged behind gzip, which
// forbids ranges of what it makes; the body is cut before all other filters, so
// that they see only what the client asked for.
var (
	HeaderModule = &core.Module{
		Name:  "range_header_filter",
		Build: func(b *core.Builder, _ *core.Location) { b.FilterHeader(header) },
	}
	BodyModule = &core.Module{
		Name: "range_body_filter",
		Build: func(b *core.Builder, _ *core.Location) {
			b.FilterBody(body)
			b.FilterFile(file)
		},
	}
)

var note = core.NewNote[core.RangeCut](nil)

// contentRange is the value of the Content-Range header.
func contentRange(p *core.FilePart, total string) string {
	return "bytes " + ngxtext.Itoa(p.Start) + "-" + ngxtext.Itoa(p.End-1) + "/" + total
}

// header answers a request for ranges of bytes
// (ngx_http_range_header_filter). Ranges that are malformed or beyond the end are
// answered with status 416.
func header(r *core.Request) int {
	o := &r.Out
	if r != r.Main && o.Part {
		if whole := note.Get(r.Main); whole != nil {
			c := note.Of(r)
			c.Parts, c.At = whole.Parts, o.Offset
		}
		return core.OK
	}
	if r != r.Main || r.HTTPMajor < 1 || !o.AllowRanges || o.Status != 200 || o.ContentLength < 0 || r.Loc.MaxRanges.V == 0 {
		return core.OK
	}
	want, ok := r.In.Get("Range")
	if !ok || len(want) < len("bytes=0") || !ngxtext.EqualFold(want[:len("bytes=")], "bytes=") || !ifRangeHolds(r) {
		o.Headers.Add("Accept-Ranges", "bytes")
		return core.OK
	}
	limit := r.Loc.MaxRanges.V
	if o.SingleRange {
		limit = 1
	}
	ranges, ok := parseRanges(want[len("bytes="):], o.ContentLength, limit, r.Cycle.Stack.Has(compat.BoundedRanges))
	total := ngxtext.Itoa(o.ContentLength)
	switch {
	case !ok:
		o.Status = 416
		o.Headers.Add("Content-Range", "bytes */"+total)
		o.ClearLength()
		return 416
	case ranges == nil:
		o.Headers.Add("Accept-Ranges", "bytes")
		return core.OK
	}
	o.Status, o.StatusLine = 206, ""
	c := note.Of(r)
	c.Parts, c.At = ranges, o.Offset
	if len(ranges) > 1 {
		multipartRanges(r, c, total)
		return core.OK
	}
	o.Headers.Add("Content-Range", contentRange(&ranges[0], total))
	o.ClearLength()
	o.Offset, o.ContentLength = ranges[0].Start, ranges[0].Size()
	return core.OK
}

// multipartRanges makes the answer a multipart/byteranges.
func multipartRanges(r *core.Request, c *core.RangeCut, total string) {
	o := &r.Out
	boundary := fmt.Sprintf("%020d", core.TempNumbers.Add(1))
	head := "\r\n--" + boundary + "\r\n"
	if o.ContentType != "" {
		head += "Content-Type: " + o.FullContentType() + "\r\n"
	}
	c.Tail = "\r\n--" + boundary + "--\r\n"
	length := int64(len(c.Tail))
	for i := range c.Parts {
		p := &c.Parts[i]
		p.Head = head + "Content-Range: " + contentRange(p, total) + "\r\n\r\n"
		length += int64(len(p.Head)) + p.Size()
	}
	o.ContentType, o.Charset = "multipart/byteranges; boundary="+boundary, ""
	o.ClearLength()
	o.ContentLength = length
}

// A range among several costs about rangeHead bytes more than what it has of the body,
// and such an answer may be longer than the body by rangeAllowance.
const (
	rangeHead      = 256
	rangeAllowance = 4096
)

// parseRanges reads a list of "a-b", "a-" or "-n" of a body of size bytes. It
// returns false for what 416 answers, and no ranges where the whole is due: when
// they are more than limit or longer than the whole (ngx_http_range_parse). Where
// nobody has set a limit, bounded counts the heads that go with several of them.
func parseRanges(list string, size int64, limit int, bounded bool) ([]core.FilePart, bool) {
	var ranges []core.FilePart
	var sum int64
	for {
		item, rest, more := strings.Cut(list, ",")
		p, ok := parseRange(strings.Trim(item, " "), size)
		if !ok {
			return nil, false
		}
		if p.Start < p.End {
			if sum > math.MaxInt64-p.Size() {
				return nil, false
			}
			sum += p.Size()
			if len(ranges) == limit {
				return nil, true
			}
			ranges = append(ranges, p)
		} else if p.Start == 0 {
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
	most := size
	if bounded && len(ranges) > 1 && limit == core.AnyRanges {
		sum, most = sum+int64(len(ranges))*rangeHead, size+rangeAllowance
	}
	if sum > most {
		return nil, true
	}
	return ranges, true
}

// parseRange reads one range; a range beyond the end comes out empty.
func parseRange(s string, size int64) (p core.FilePart, ok bool) {
	first, last, found := strings.Cut(s, "-")
	first, last = strings.TrimRight(first, " "), strings.TrimLeft(last, " ")
	if !found {
		return p, false
	}
	if first == "" {
		n, ok := ngxtext.ParseDecimal(s[1:])
		return core.FilePart{Start: max(size-n, 0), End: size}, ok
	}
	if p.Start, ok = ngxtext.ParseDecimal(first); !ok {
		return p, false
	}
	if last == "" {
		p.End = size
		return p, true
	}
	n, ok := ngxtext.ParseDecimal(last)
	p.End = size
	if n < size {
		p.End = n + 1
	}
	return p, ok
}

// ifRangeHolds judges If-Range: by the entity tag when it is one, else by date.
func ifRangeHolds(r *core.Request) bool {
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
	t, ok := ngxtext.ParseHTTPTime(cond)
	return ok && t == r.Out.LastModified
}

// file cuts the body before it is read from its file
// (ngx_http_range_multipart_body).
func file(r *core.Request) *core.FileParts {
	c := note.Get(r)
	if c == nil || r.Out.Part {
		return nil
	}
	c.OfFile = true
	return &c.FileParts
}

// body cuts a body that comes in pieces (ngx_http_range_singlepart_body).
// Several ranges need the whole, which only a file is.
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	c := note.Get(r)
	if c == nil || c.OfFile || len(c.Parts) > 1 {
		return next.Pass(r, p, flags)
	}
	at, cut := c.At, &c.Parts[0]
	c.At += int64(len(p))
	if len(p) == 0 { // an end or a flush
		return next.Pass(r, p, flags)
	}
	if at >= cut.End || c.At <= cut.Start {
		return core.OK
	}
	if flags &^= core.Last; c.At >= cut.End {
		flags |= core.Last
	}
	return next.Pass(r, p[max(cut.Start-at, 0):min(cut.End, c.At)-at], flags)
}
