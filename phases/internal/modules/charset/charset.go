// Package charset is ngx_http_charset_filter_module: it names the charset of an answer, and
// turns an answer of one charset into another one.
package charset

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_charset_filter_module.
var Module = &core.Module{
	Name:       "charset_filter",
	Directives: directives,
	Conf:       []core.ConfSlot{main, loc},
	Clear:      note.Drop,
	Build: func(b *core.Builder, l *core.Location) {
		m := main.At(b.Compiler)
		m.need(loc.Of(l))
		b.FilterHeader(header)
		if m.maps != nil {
			b.FilterBody(body)
		}
	},
	Finish: func(c *core.Compiler) error { return main.At(c).check() },
}

var (
	main = core.NewMainSlot[known](nil)
	loc  = core.NewLocSlot(merge)
	note = core.NewNote[recoding](nil)
)

// config is what the directives say in a location.
type config struct {
	charset, source core.Opt[choice]
	override        core.Opt[bool]
	types           core.TypeSet
}

// choice is what charset and source_charset say: nothing, a charset or a variable.
type choice struct {
	on       bool
	charset  int // in known.charsets
	variable int // its index, -1 for none
}

func merge(c, outer *config, _ bool) {
	c.charset.Merge(outer.charset, choice{})
	c.source.Merge(outer.source, choice{})
	c.override.Merge(outer.override, false)
	c.types.Merge(outer.types, defaultTypes)
}

// defaultTypes are charset_types' own.
var defaultTypes = core.TypeSet{"text/html": true, "text/xml": true, "text/plain": true, "text/vnd.wap.wml": true,
	"application/javascript": true, "application/rss+xml": true}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "charset", In: core.InAnyLoc, Args: core.Take1, Set: setChoice(core.In(loc, func(c *config) *core.Opt[choice] { return &c.charset }))},
		{Name: "source_charset", In: core.InAnyLoc, Args: core.Take1, Set: setChoice(core.In(loc, func(c *config) *core.Opt[choice] { return &c.source }))},
		{Name: "override_charset", In: core.InAnyLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(c *config) *core.Opt[bool] { return &c.override }))},
		{Name: "charset_types", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: core.SetTypes(func(c *core.Compiler) *core.TypeSet { return &loc.At(c).types }, "text/html")},
		{Name: "charset_map", In: core.InHTTP, Args: core.Take2 | core.TakeBlock, Set: setMap},
	}
}

// setChoice reads charset and source_charset NAME | $VARIABLE; charset may be off.
func setChoice(field func(*core.Compiler) *core.Opt[choice]) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		f, arg := field(c), d.Args[0]
		if f.Set {
			return core.ErrDuplicate
		}
		if d.Name == "charset" && arg == "off" {
			return f.Put(choice{})
		}
		if name, ok := strings.CutPrefix(arg, "$"); ok {
			if name == "" {
				return fmt.Errorf("invalid variable name \"%s\"", arg)
			}
			return f.Put(choice{on: true, variable: c.VarIndex(name)})
		}
		return f.Put(choice{true, main.At(c).add(arg), -1})
	}
}

// named is a charset that an answer has or is to have: one of known.charsets, or one that
// the configuration does not know.
type named struct {
	name  string
	index int // -1: not known
}

// The answers of those who look for a charset.
const (
	found = iota
	nothing
	failed
)

// of is what a choice means for a request.
func (ch choice) of(r *core.Request, m *known) (n named, rc int) {
	switch {
	case !ch.on:
		return n, nothing
	case ch.variable < 0:
		return named{m.charsets[ch.charset].name, ch.charset}, found
	}
	name, ok := r.Indexed(ch.variable)
	if !ok {
		return n, failed
	}
	return named{name, m.find(name)}, found
}

// destination is the charset that the answer is to have
// (ngx_http_destination_charset).
func destination(r *core.Request, c *config, m *known) (n named, rc int) {
	o := &r.Out
	if o.ContentType == "" {
		return n, nothing
	}
	if name := o.CharsetOverride; name != "" {
		if i := m.find(name); i >= 0 {
			return named{name, i}, found
		}
		r.Logf(errlog.Err, "unknown charset \"%s\" to override", name)
		return n, nothing
	}
	switch {
	case !c.charset.V.on:
		return n, nothing
	case o.Charset != "" && !c.override.V, o.Charset == "" && (!c.types.Has(o.ContentType) || hasOwnParameters(r)):
		return n, nothing
	}
	return c.charset.V.of(r, m)
}

// hasOwnParameters tells a type of the configuration that has parameters: nginx looks for
// all of it among charset_types. Of a type that a script or an upstream names it looks up
// to the parameters.
func hasOwnParameters(r *core.Request) bool {
	return strings.IndexByte(r.Out.ContentType, ';') >= 0 && r.Out.ContentType == r.TypeOfURI()
}

// ofMain is the charset of the main request's answer, which subrequests' are to have too
// (ngx_http_main_request_charset).
func ofMain(r *core.Request, m *known) (n named, rc int) {
	if s := note.Get(r.Main); s != nil {
		return s.to, found
	}
	name := r.Main.Out.Charset
	if name == "" {
		return n, nothing
	}
	return named{name, m.find(name)}, found
}

// header names the charset of an answer, and begins to recode one that is in another
// (ngx_http_charset_header_filter). A subrequest's head is not sent.
func header(r *core.Request) int {
	c, m, o := loc.Of(r.Loc), main.Of(r.Cycle), &r.Out
	if !c.charset.V.on && o.CharsetOverride == "" && r == r.Main {
		return core.OK
	}
	var to, from named
	var rc int
	if r == r.Main {
		to, rc = destination(r, c, m)
	} else {
		to, rc = ofMain(r, m)
	}
	switch rc {
	case failed:
		return core.Error
	case nothing:
		return core.OK
	}
	from, rc = c.source.V.of(r, m)
	if o.Charset != "" {
		from, rc = named{o.Charset, m.find(o.Charset)}, found
	}
	switch {
	case rc == failed:
		return core.Error
	case rc == nothing:
		name(r, to.name)
		return core.OK
	case to.index < 0 || from.index < 0:
		if to.index != from.index || !sameBeginning(to.name, from.name) {
			return noMap(r, from, to)
		}
		name(r, to.name)
		return core.OK
	case to.index == from.index:
		rename(r, to.name)
		return core.OK
	}
	if coding, _ := o.Get("Content-Encoding"); coding != "" {
		return core.OK
	}
	t := m.between(from.index, to.index)
	if t == nil {
		return noMap(r, from, to)
	}
	rename(r, to.name)
	note.Drop(r)
	*note.Of(r) = recoding{table: t, to: to}
	if (t.fromUTF8 || t.toUTF8) && r == r.Main {
		o.ClearLength()
	}
	return core.OK
}

// noMap notes that a text stays as it is for want of a charset_map.
func noMap(r *core.Request, from, to named) int {
	r.Logf(errlog.Err, "no \"charset_map\" between the charsets \"%s\" and \"%s\"", from.name, to.name)
	return core.OK
}

// sameBeginning compares as many bytes as a has, in any case.
func sameBeginning(a, b string) bool { return len(b) >= len(a) && ngxtext.EqualFold(a, b[:len(a)]) }

// name names the charset of the main request's answer (ngx_http_set_charset).
func name(r *core.Request, charset string) {
	switch {
	case r != r.Main:
	case r.Out.Status == 301 || r.Out.Status == 302:
		r.Out.Charset = "" // old browsers would take it for that of the next page
	default:
		r.Out.Charset = charset
	}
}

// rename is name for a type that says its charset itself.
func rename(r *core.Request, charset string) {
	o := &r.Out
	name(r, charset)
	_, at := ngxtext.CharsetOf(o.ContentType)
	if at < 0 {
		return
	}
	o.ContentType = o.ContentType[:at]
	if o.Charset != "" && strings.IndexByte(o.ContentType, ';') >= 0 { // the head has it behind a bare type only
		o.ContentType += "; charset=" + o.Charset
	}
}
