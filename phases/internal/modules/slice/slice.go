// Package slice is ngx_http_slice_module: a response is asked for part by part, so that a cache
// keeps parts that others ask for too.
package slice

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_slice_module.
var Module = &core.Module{
	Name: "slice_filter",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "slice", In: core.InHTTPSrvLoc, Args: core.Take1,
			Set: core.SetSize(core.In(loc, func(c *config) *core.Opt[int64] { return &c.size }))}}
	},
	Variables: func() []core.Variable {
		return []core.Variable{{Name: "slice_range", Volatile: true, Get: rangeVar}}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).size.V > 0 {
			b.FilterHeader(header)
			b.FilterBody(body)
		}
	},
	Clear: note.Drop,
}

var (
	loc  = core.NewLocSlot(func(c, outer *config, _ bool) { c.size.Merge(outer.size, 0) })
	note = core.NewNote[part](nil)
)

type config struct {
	size core.Opt[int64] // bytes of a part; 0: the module does nothing
}

// part is what a request notes; all parts of a response share a state.
type part struct{ *state }

// state is where a response is (ngx_http_slice_ctx_t).
type state struct {
	start, end int64  // what is still to be asked for
	total      int64  // length of the whole
	text       string // of the part that is asked for: "bytes=0-99"
	tag        string // entity tag of the parts so far
	active     bool   // the part that was asked for has come
	bounded    bool   // end is known
}

// begin says which part is asked for next.
func (s *state) begin(size int64) {
	s.text = "bytes=" + ngxtext.Itoa(s.start) + "-" + ngxtext.Itoa(s.start+size-1)
	s.active = false
}

// rangeVar is $slice_range: the first to ask for it begins the parts.
func rangeVar(r *core.Request) (string, bool) {
	if p := note.Get(r); p != nil {
		return p.text, true
	}
	size := loc.Of(r.Loc).size.V
	if r != r.Main || r.Out.Status != 0 || size == 0 {
		return "", false
	}
	s := &state{start: firstByte(r) / size * size}
	s.begin(size)
	note.Of(r).state = s
	return s.text, true
}

// firstByte is where the client wants the response to begin, 0 when that is not certain yet
// (ngx_http_slice_get_start).
func firstByte(r *core.Request) int64 {
	want, ok := r.In.Get("Range")
	if !ok || r.In.Has("If-Range") || len(want) < len("bytes=0") || !ngxtext.EqualFold(want[:len("bytes=")], "bytes=") ||
		strings.Contains(want, ",") {
		return 0
	}
	want = strings.TrimLeft(want[len("bytes="):], " ")
	end := 0
	for end < len(want) && want[end] >= '0' && want[end] <= '9' {
		end++
	}
	n, ok := ngxtext.ParseDecimal(want[:end])
	if !ok {
		return 0
	}
	return n
}

// header takes the head of a part for that of the whole (ngx_http_slice_header_filter).
func header(r *core.Request) int {
	p := note.Get(r)
	if p == nil {
		return core.OK
	}
	s, o := p.state, &r.Out
	if o.Status != 206 {
		if r == r.Main {
			note.Drop(r)
			return core.OK
		}
		r.Logf(errlog.Err, "unexpected status code %d in slice response", o.Status)
		return core.Error
	}
	tag, hasTag := o.Headers.Get("ETag")
	if s.tag != "" && tag != s.tag {
		r.Log(errlog.Err, "etag mismatch in slice response")
		return core.Error
	}
	if hasTag {
		s.tag = tag
	}
	from, to, total, problem := contentRange(o)
	if problem != "" {
		r.Log(errlog.Err, problem)
		return core.Error
	}
	size := loc.Of(r.Loc).size.V
	if end := min(s.start+size, total); from != s.start || to != end {
		r.Logf(errlog.Err, "unexpected range in slice response: %d-%d", from, to)
		return core.Error
	}
	s.start, s.total, s.active = to, total, true
	o.Status, o.StatusLine = 200, ""
	o.ClearLength()
	o.ContentLength = total
	o.Headers.Del("Content-Range")
	o.Headers.Del("Accept-Ranges")
	o.AllowRanges, o.SingleRange, o.Part, o.Offset = true, true, true, from
	return core.OK
}

// contentRange reads "bytes 0-99/1000"; to is the byte behind the last. problem is what log
// lines say (ngx_http_slice_parse_content_range).
func contentRange(o *core.Response) (from, to, total int64, problem string) {
	const invalid = "invalid range in slice response"
	value, ok := o.Headers.Get("Content-Range")
	if !ok || len(value) < len("bytes ") || !ngxtext.EqualFold(value[:len("bytes ")], "bytes ") {
		return 0, 0, 0, invalid
	}
	span, whole, ok := strings.Cut(value[len("bytes "):], "/")
	first, last, ok2 := strings.Cut(span, "-")
	from, ok3 := ngxtext.ParseDecimal(strings.Trim(first, " "))
	to, ok4 := ngxtext.ParseDecimal(strings.Trim(last, " "))
	if !ok || !ok2 || !ok3 || !ok4 || from > to || to == 1<<63-1 {
		return 0, 0, 0, invalid
	}
	whole = strings.Trim(whole, " ")
	if whole == "*" {
		return from, to + 1, 0, "no complete length in slice response"
	}
	if total, ok = ngxtext.ParseDecimal(whole); !ok {
		return 0, 0, 0, invalid
	}
	return from, to + 1, total, ""
}

// body asks for the parts that follow when one has been sent (ngx_http_slice_body_filter).
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	n := note.Get(r)
	if n == nil || r != r.Main {
		return next.Pass(r, p, flags)
	}
	last := flags&core.Last != 0
	if flags &^= core.Last; len(p) > 0 || flags != 0 {
		if rc := next.Pass(r, p, flags); rc != core.OK {
			return rc
		}
	}
	if !last {
		return core.OK
	}
	s, size := n.state, loc.Of(r.Loc).size.V
	s.bound(r, size)
	for s.start < s.end {
		if rc := ask(r, s, size); rc != core.OK {
			return rc
		}
	}
	note.Drop(r)
	return next.Pass(r, nil, core.Last)
}

// bound says up to where parts are asked for, and skips those before the range that the
// client wants.
func (s *state) bound(r *core.Request, size int64) {
	if s.bounded {
		return
	}
	s.bounded = true
	o := &r.Out
	if o.Status != 206 {
		s.end = s.total
		return
	}
	if s.start+size <= o.Offset {
		s.start = o.Offset / size * size
	}
	s.end = o.Offset + o.ContentLength
}

// ask asks for the next part and sends it.
func ask(r *core.Request, s *state, size int64) int {
	_ = r.Conn.Push() // what there is need not wait for a part that may not come
	rc := core.OK
	sub := r.Subrequest(core.SubrequestOptions{
		URI: r.URI, Args: r.Args, EmptyArgs: r.EmptyArgs, Method: r.Method, Clone: true, KeepBody: true, CopyVars: true,
		Post: func(_ *core.Request, code int) { rc = code },
	})
	if sub == nil {
		return core.Error
	}
	defer sub.Release()
	s.begin(size)
	note.Of(sub).state = s
	sub.RunSubrequest()
	switch {
	case rc >= 300:
		sub.Logf(errlog.Err, "unexpected status code %d in slice response", rc)
		return core.Error
	case rc != core.OK:
		return core.Error
	case !s.active:
		sub.Log(errlog.Err, "missing slice response")
		return core.Error
	}
	return drain(r)
}

// maxPending is how much may wait for a slow client before the next part is asked for, in bytes.
const maxPending = 256 << 10

// drain lets a client that is slow take what there is.
func drain(r *core.Request) int {
	var err error
	if r.Conn.Buffered() > maxPending {
		r.Wait(func() { err = r.Conn.Flush() })
	}
	if err != nil {
		r.SendFailed(err)
		return core.Error
	}
	return core.OK
}
