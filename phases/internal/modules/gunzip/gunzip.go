// Package gunzip is ngx_http_gunzip_module: what is packed already is unpacked for
// clients that do not take gzip.
package gunzip

import (
	"sync"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/inflate"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_gunzip_module.
var Module = &core.Module{
	Name:       "gunzip_filter",
	Directives: directives,
	Conf:       []core.ConfSlot{loc},
	Clear:      note.Drop,
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).on.V {
			b.FilterHeader(header)
			b.FilterBody(body)
		}
	},
}

var (
	loc  = core.NewLocSlot(merge)
	note = core.NewNote((*state).release)
)

// config is what the module's directives say.
type config struct {
	on      core.Opt[bool]
	buffers core.Opt[core.Buffers] // how much text is passed on at a time
}

func merge(c, outer *config, _ bool) {
	c.on.Merge(outer.on, false)
	c.buffers.Merge(outer.buffers, core.Buffers{Count: 32, Size: 4 << 10})
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "gunzip", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(c *config) *core.Opt[bool] { return &c.on }))},
		{Name: "gunzip_buffers", In: core.InHTTPSrvLoc, Args: core.Take2, Set: core.SetBuffers(core.In(loc, func(c *config) *core.Opt[core.Buffers] { return &c.buffers }))},
	}
}

// most bounds the text of one response that waits to be passed on, in bytes.
const most = 1 << 20

// room is how much text is passed on at a time, in bytes.
func (c *config) room() int {
	b := &c.buffers.V
	if int64(b.Count) > most/b.Size {
		return most
	}
	return b.Count * int(b.Size)
}

// state is one response that is being unpacked.
type state struct {
	stream *inflate.Stream // nil when it has ended
	room   int
}

// streams are spare ones; one takes some 70 KB and its text.
var streams = sync.Pool{New: func() any { return new(inflate.Stream) }}

func (s *state) release() {
	if s.stream != nil {
		s.stream.Reset()
		streams.Put(s.stream)
	}
	*s = state{}
}

// header decides on unpacking the body (ngx_http_gunzip_header_filter). A subrequest's
// is unpacked whatever the client takes: it becomes part of another text.
func header(r *core.Request) int {
	o := &r.Out
	if coding, _ := o.Headers.Get("Content-Encoding"); !ngxtext.EqualFold(coding, "gzip") {
		return core.OK
	}
	r.VaryEncoding = true
	if r.AcceptsGzip() {
		return core.OK
	}
	s := note.Of(r)
	s.stream, s.room = streams.Get().(*inflate.Stream), loc.Of(r.Loc).room()
	o.Headers.Del("Content-Encoding")
	o.ClearLength()
	o.ClearRanges()
	o.WeakenTag()
	return core.OK
}

// What zlib calls how inflate was asked and what it answered, for log lines.
const (
	noFlush   = 0
	syncFlush = 2
	finish    = 4
	dataError = -3
	bufError  = -5
)

// body unpacks a piece and passes on all that is known of the text by then
// (ngx_http_gunzip_body_filter).
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	s := note.Get(r)
	if s == nil || s.stream == nil || r.HeaderOnly {
		return next.Pass(r, p, flags)
	}
	for more := true; more; {
		var err error
		if p, more, err = s.stream.Feed(p, s.room); err != nil {
			r.Logf(errlog.Err, "inflate() failed: %d, %d", flushOf(flags), dataError)
			return s.fail()
		}
		n, rc := len(s.stream.Text()), core.OK
		switch {
		case !more:
			continue
		case n >= s.room:
			n = s.room
			rc = next.Pass(r, s.stream.Text()[:n], core.Recycled)
		case flags&core.Flush != 0: // of what is packed by itself, the first flushes
			rc = next.Pass(r, s.stream.Text(), core.Recycled|core.Flush)
			flags &^= core.Flush
		default:
			n = 0
		}
		if rc != core.OK {
			return s.fail()
		}
		s.stream.Take(n)
	}
	if flags&core.Last != 0 && !s.stream.Ended() {
		r.Logf(errlog.Err, "inflate() returned %d on response end", bufError)
		return s.fail()
	}
	text := s.stream.Text()
	if len(text) == 0 && flags == 0 {
		return core.OK
	}
	rc := next.Pass(r, text, flags|core.Recycled)
	s.stream.Take(len(text))
	if rc != core.OK || flags&core.Last != 0 {
		s.release()
	}
	return rc
}

// fail gives the response up.
func (s *state) fail() int {
	s.release()
	return core.Error
}

// flushOf is how nginx asks inflate for a piece with these flags.
func flushOf(flags int) int {
	switch {
	case flags&core.Last != 0:
		return finish
	case flags&core.Flush != 0:
		return syncFlush
	}
	return noFlush
}
