// Package sub is ngx_http_sub_filter_module: texts of an answer are replaced.
package sub

import (
	"errors"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// Module is ngx_http_sub_filter_module.
var Module = &core.Module{
	Name:       "sub_filter",
	Directives: directives,
	Conf:       []core.ConfSlot{loc},
	Clear:      note.Drop,
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).pairs != nil {
			l.SeesPieces = true
			b.FilterHeader(header)
			b.FilterBody(body)
		}
	},
}

var (
	loc  = core.NewLocSlot(merge)
	note = core.NewNote(func(s *state) { *s = state{looked: s.looked[:0], spare: s.spare[:0], out: s.out[:0], done: s.done[:0]} })
)

// config is what the directives say.
type config struct {
	pairs        []pair
	dynamic      bool    // a text to look for has variables
	tables       *tables // of texts without
	once         core.Opt[bool]
	lastModified core.Opt[bool]
	types        core.TypeSet
}

// pair is one sub_filter.
type pair struct{ match, value core.Template }

func merge(c, outer *config, _ bool) {
	c.once.Merge(outer.once, true)
	c.lastModified.Merge(outer.lastModified, false)
	c.types.Merge(outer.types, core.TypeSet{"text/html": true})
	switch {
	case c.pairs == nil:
		c.pairs, c.dynamic, c.tables = outer.pairs, outer.dynamic, outer.tables
	case !c.dynamic:
		c.tables = newTables(c.matches(nil))
	}
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "sub_filter", In: core.InHTTPSrvLoc, Args: core.Take2, Set: set},
		{Name: "sub_filter_types", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: core.SetTypes(func(c *core.Compiler) *core.TypeSet { return &loc.At(c).types }, "text/html")},
		{Name: "sub_filter_once", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(c *config) *core.Opt[bool] { return &c.once }))},
		{Name: "sub_filter_last_modified", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(c *config) *core.Opt[bool] { return &c.lastModified }))},
	}
}

// set reads sub_filter TEXT REPLACEMENT.
func set(c *core.Compiler, d *conf.Directive) error {
	if d.Args[0] == "" {
		return errors.New("empty search pattern")
	}
	var p pair
	var err error
	if p.match, err = c.Template(d.Args[0]); err != nil {
		return err
	}
	if p.value, err = c.Template(d.Args[1]); err != nil {
		return err
	}
	f := loc.At(c)
	f.dynamic = f.dynamic || !p.match.IsStatic()
	f.pairs = append(f.pairs, p)
	return nil
}

// matches are the texts to look for, those that are empty for r left out.
func (c *config) matches(r *core.Request) []match {
	var list []match
	for i := range c.pairs {
		p := &c.pairs[i]
		text := p.match.Lit
		if !p.match.IsStatic() {
			text = p.match.Eval(r)
		}
		if text != "" {
			list = append(list, newMatch(text, &p.value))
		}
	}
	return list
}

// header decides whether texts are looked for, and takes back what the head says of
// the body that they change (ngx_http_sub_header_filter).
func header(r *core.Request) int {
	c, o := loc.Of(r.Loc), &r.Out
	if o.ContentLength == 0 || !c.types.Has(o.ContentType) {
		return core.OK
	}
	t := c.tables
	if c.dynamic {
		list := c.matches(r)
		if len(list) == 0 {
			return core.OK
		}
		t = newTables(list)
	}
	note.Drop(r)
	note.Of(r).begin(t, c.once.V)
	if r != r.Main {
		return core.OK
	}
	o.ClearLength()
	if c.lastModified.V {
		o.WeakenTag()
		return core.OK
	}
	o.LastModified = -1
	o.Headers.Del("Last-Modified")
	o.Headers.Del("ETag")
	return core.OK
}

// body replaces texts in a piece of the body (ngx_http_sub_body_filter). What may be
// the beginning of a text is kept back for the next piece.
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	s := note.Get(r)
	if s == nil || s.tables == nil || s.all && len(s.looked) == 0 {
		return next.Pass(r, p, flags)
	}
	s.out = s.out[:0]
	for s.piece = p; len(s.piece) > 0; {
		if found := s.parse(flags&(core.Flush|core.Recycled) != 0); found >= 0 {
			s.out = append(s.out, s.replacement(r, found)...)
		}
	}
	if flags&core.Last != 0 {
		s.out = append(s.out, s.looked...)
		s.looked = s.looked[:0]
	}
	if len(s.out) == 0 && flags == 0 {
		return core.OK
	}
	return next.Pass(r, s.out, flags)
}
