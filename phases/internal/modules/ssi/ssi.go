// Package ssi is ngx_http_ssi_filter_module: commands within a page are carried out on its
// way to the client.
package ssi

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_ssi_filter_module.
var Module = &core.Module{
	Name:       "ssi_filter",
	Directives: directives,
	Variables: func() []core.Variable {
		return []core.Variable{
			{Name: "date_local", Volatile: true, Get: core.Always(func(r *core.Request) string { return date(r, time.Now()) })},
			{Name: "date_gmt", Volatile: true, Get: core.Always(func(r *core.Request) string { return date(r, time.Now().UTC()) })},
		}
	},
	Conf: []core.ConfSlot{loc},
	Clear: func(r *core.Request) {
		note.Drop(r)
		shared.Drop(r)
	},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).on.V {
			b.FilterHeader(header)
			b.FilterBody(body)
		}
	},
}

var (
	loc    = core.NewLocSlot(merge)
	note   = core.NewNote[page](nil)
	shared = core.NewNote[request](nil) // of the main request
)

// config is what the directives say in a location.
type config struct {
	on           core.Opt[bool]
	silent       core.Opt[bool]
	lastModified core.Opt[bool]
	valueLength  core.Opt[int64] // bytes
	types        core.TypeSet
}

func merge(c, outer *config, _ bool) {
	c.on.Merge(outer.on, false)
	c.silent.Merge(outer.silent, false)
	c.lastModified.Merge(outer.lastModified, false)
	c.valueLength.Merge(outer.valueLength, 255)
	c.types.Merge(outer.types, core.TypeSet{"text/html": true})
}

func directives() []core.Directive {
	flag := func(field func(c *config) *core.Opt[bool]) core.Setter { return core.SetFlag(core.In(loc, field)) }
	return []core.Directive{
		{Name: "ssi", In: core.InAnyLoc, Args: core.TakeFlag, Set: flag(func(c *config) *core.Opt[bool] { return &c.on })},
		{Name: "ssi_silent_errors", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: flag(func(c *config) *core.Opt[bool] { return &c.silent })},
		{Name: "ssi_last_modified", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: flag(func(c *config) *core.Opt[bool] { return &c.lastModified })},
		{Name: "ssi_value_length", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetSize(core.In(loc, func(c *config) *core.Opt[int64] { return &c.valueLength }))},
		{Name: "ssi_types", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: core.SetTypes(func(c *core.Compiler) *core.TypeSet { return &loc.At(c).types }, "text/html")},
		{Name: "ssi_min_file_chunk", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.DiscardSize("ssi_min_file_chunk")},
		{Name: "ssi_ignore_recycled_buffers", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.Discarded[bool]("ssi_ignore_recycled_buffers"))},
	}
}

// request is what all pages of a request share: its own and those that it includes.
type request struct {
	vars     map[string]string // by names in lower case
	blocks   []block
	captures []string // of the last pattern of an expression
}

// block is the text that stands for an include which fails.
type block struct {
	name string
	text []byte
}

// page is what goes on in one body.
type page struct {
	on     bool
	parser parser
	out    []byte // what is to be passed on

	encoding string // of echo
	timefmt  string
	errmsg   string

	hidden bool // a branch that was not taken, or a block
	chosen bool // a branch was taken: no other is
	block  bool
	branch int // 0: no condition is open; else inIf or inElse
}

// defaultTime is how dates are written.
const defaultTime = "%A, %d-%b-%Y %H:%M:%S %Z"

// header decides whether a page has commands, and takes back what the head says of the
// body that they change (ngx_http_ssi_header_filter).
func header(r *core.Request) int {
	c, o := loc.Of(r.Loc), &r.Out
	if o.ContentType == "" || !c.types.Has(o.ContentType) {
		return core.OK
	}
	shared.Of(r.Main)
	note.Drop(r)
	*note.Of(r) = page{on: true, parser: parser{longest: int(c.valueLength.V)}, encoding: "entity", timefmt: defaultTime,
		errmsg: "[an error occurred while processing the directive]"}
	if r != r.Main {
		return core.OK
	}
	o.ClearLength()
	o.ClearRanges()
	if c.lastModified.V {
		o.WeakenTag()
		return core.OK
	}
	o.LastModified = -1
	o.Headers.Del("Last-Modified")
	o.Headers.Del("ETag")
	return core.OK
}

// body carries out the commands of a piece (ngx_http_ssi_body_filter).
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	s := note.Get(r)
	if s == nil || !s.on || r.HeaderOnly && r == r.Main {
		return next.Pass(r, p, flags)
	}
	run := run{r: r, page: s, next: next}
	s.parser.piece = p
	for {
		text, what := s.parser.next()
		s.copy(r, text)
		switch what {
		case atEnd:
			return s.pass(r, flags, next)
		case atFault:
			r.Log(errlog.Err, s.parser.fault)
		case atError:
			s.complain(r)
		case atCommand:
			if rc := run.command(); rc != core.OK {
				return rc
			}
		}
	}
}

// copy puts text out, or into the block that it stands in.
func (s *page) copy(r *core.Request, text []byte) {
	switch {
	case len(text) == 0:
	case !s.hidden:
		s.out = append(s.out, text...)
	case s.block:
		list := shared.Of(r.Main).blocks
		b := &list[len(list)-1]
		b.text = append(b.text, text...)
	}
}

// complain puts the message about a command that failed in its place.
func (s *page) complain(r *core.Request) {
	if !loc.Of(r.Loc).silent.V {
		s.out = append(s.out, s.errmsg...)
	}
}

// pass sends what there is. At the end what may have been the beginning of a command is text.
func (s *page) pass(r *core.Request, flags int, next core.Next) int {
	if flags&core.Last != 0 {
		s.copy(r, s.parser.rest())
	}
	if len(s.out) == 0 && flags == 0 {
		return core.OK
	}
	out := s.out
	s.out = nil
	return next.Pass(r, out, flags)
}

// date is $date_local and $date_gmt, as config timefmt says.
func date(r *core.Request, t time.Time) string {
	format := defaultTime
	if s := note.Get(r); s != nil && s.on {
		format = s.timefmt
	}
	return ngxtext.Strftime(t, format)
}
