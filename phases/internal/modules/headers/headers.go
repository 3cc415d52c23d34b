// Package headers is ngx_http_headers_filter_module: add_header, add_trailer and
// expires.
package headers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_headers_filter_module.
var Module = &core.Module{
	Name:       "headers_filter",
	Directives: directives,
	Conf:       []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		h := loc.Of(l)
		if h.headers != nil || h.trailers != nil || h.expires.applies() {
			b.FilterHeader(header)
		}
		if h.trailers != nil {
			b.FilterBody(body)
		}
	},
}

var loc = core.NewLocSlot(merge)

// config is what add_header, add_trailer and expires say.
type config struct {
	headers  []addHeader
	trailers []addHeader
	expires  expiresRule

	headersFrom, trailersFrom core.Opt[int] // add_header_inherit, add_trailer_inherit
}

// Values of add_header_inherit and add_trailer_inherit.
const (
	inheritOff   = iota
	inheritOn    // where nothing is written
	inheritMerge // behind what is written
)

// merge inherits headers and trailers as is said of them.
func merge(h, outer *config, _ bool) {
	h.headersFrom.Merge(outer.headersFrom, inheritOn)
	h.trailersFrom.Merge(outer.trailersFrom, inheritOn)
	h.headers = inherited(h.headersFrom.V, h.headers, outer.headers)
	h.trailers = inherited(h.trailersFrom.V, h.trailers, outer.trailers)
	if !h.expires.set {
		h.expires = outer.expires
	}
}

func inherited(mode int, own, outer []addHeader) []addHeader {
	switch {
	case mode == inheritOn && own == nil:
		return outer
	case mode == inheritMerge:
		return slices.Concat(own, outer)
	}
	return own
}

func directives() []core.Directive {
	mode := func(f func(h *config) *core.Opt[int]) core.Setter {
		return core.SetEnum(core.In(loc, f), "off", "on", "merge")
	}
	return []core.Directive{
		{Name: "add_header_inherit", In: core.InAnyLoc, Args: core.Take1, Set: mode(func(h *config) *core.Opt[int] { return &h.headersFrom })},
		{Name: "add_trailer_inherit", In: core.InAnyLoc, Args: core.Take1, Set: mode(func(h *config) *core.Opt[int] { return &h.trailersFrom })},
		{Name: "add_header", In: core.InAnyLoc, Args: core.Take2 | core.Take3, Set: setAddHeader},
		{Name: "add_trailer", In: core.InAnyLoc, Args: core.Take2 | core.Take3, Set: setAddHeader},
		{Name: "expires", In: core.InAnyLoc, Args: core.Take12, Set: setExpires},
	}
}

// addHeader is one add_header or add_trailer.
type addHeader struct {
	name   string
	value  core.Template
	always bool
}

// expiresRule is an expires directive. Its value is read anew for each response
// when it has variables.
type expiresRule struct {
	kind  expiresKind
	delta time.Duration
	value core.Template
	set   bool
}

type expiresKind uint8

const (
	expiresOff expiresKind = iota
	expiresEpoch
	expiresMax
	expiresAfter    // from now
	expiresModified // from the last modification
	expiresDaily    // at a time of day
)

// setAddHeader reads add_header and add_trailer NAME VALUE [always].
func setAddHeader(c *core.Compiler, d *conf.Directive) error {
	h := addHeader{name: d.Args[0]}
	if len(d.Args) == 3 {
		if d.Args[2] != "always" {
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[2])
		}
		h.always = true
	}
	var err error
	h.value, err = c.Template(d.Args[1])
	list := &loc.At(c).headers
	if d.Name == "add_trailer" {
		list = &loc.At(c).trailers
	}
	*list = append(*list, h)
	return err
}

// setExpires reads expires [modified] TIME.
func setExpires(c *core.Compiler, d *conf.Directive) error {
	e := &loc.At(c).expires
	if e.set {
		return core.ErrDuplicate
	}
	e.set, e.kind = true, expiresAfter
	arg := d.Args[0]
	if len(d.Args) == 2 {
		if arg != "modified" {
			return core.ErrInvalidValue
		}
		e.kind, arg = expiresModified, d.Args[1]
	}
	var err error
	if e.value, err = c.Template(arg); err == nil && e.value.IsStatic() {
		err = e.parse(arg)
	}
	return err
}

// parse reads the time of an expires directive, whose kind tells whether it
// counts from the last modification (ngx_http_parse_expires).
func (e *expiresRule) parse(s string) error {
	if e.kind != expiresModified {
		if kind, ok := map[string]expiresKind{"off": expiresOff, "epoch": expiresEpoch, "max": expiresMax}[s]; ok {
			e.kind = kind
			return nil
		}
	}
	negative := false
	switch {
	case strings.HasPrefix(s, "@"):
		if e.kind == expiresModified {
			return core.DirectiveError("daily time cannot be used with \"modified\" parameter")
		}
		e.kind, s = expiresDaily, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	case strings.HasPrefix(s, "-"):
		negative, s = true, s[1:]
	}
	delta, ok := ngxtext.ParseSeconds(s)
	if !ok {
		return core.ErrInvalidValue
	}
	if e.kind == expiresDaily && delta > 24*time.Hour {
		return core.DirectiveError("daily time value must be less than 24 hours")
	}
	if e.delta = delta; negative {
		e.delta = -delta
	}
	return nil
}

// header adds what expires and add_header say
// (ngx_http_headers_filter).
func header(r *core.Request) int {
	if r != r.Main {
		return core.OK
	}
	c := loc.Of(r.Loc)
	safe := safe(r.Out.Status)
	if safe && c.expires.applies() {
		addExpires(r, c.expires)
	}
	for i := range c.headers {
		h := &c.headers[i]
		if !safe && !h.always {
			continue
		}
		value := h.value.Eval(r)
		switch core.Classify(h.name) {
		case core.OutLastModified:
			setOrDelete(&r.Out, h.name, value)
		default:
			if ngxtext.EqualFold(h.name, "ETag") {
				setOrDelete(&r.Out, h.name, value)
			} else if value != "" {
				r.Out.Headers.Add(h.name, value)
			}
		}
	}
	for i := range c.trailers {
		r.Trailers = r.Trailers || safe || c.trailers[i].always
	}
	return core.OK
}

// setOrDelete sets a header, or removes it when there is no value.
func setOrDelete(o *core.Response, name, value string) {
	if value == "" {
		o.Del(name)
	} else {
		o.Set(name, value)
	}
}

// safe tells whether headers are added to an answer without `always`.
func safe(status int) bool {
	switch status {
	case 200, 201, 204, 206, 301, 302, 303, 304, 307, 308:
		return true
	}
	return false
}

// body puts fields behind the end of the body
// (ngx_http_trailers_filter).
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	if r.Trailers && flags&core.Last != 0 {
		r.SentTrailers = append(r.SentTrailers, trailerFields(r)...)
	}
	return next.Pass(r, p, flags)
}

// trailerFields are the lines behind the body: add_trailer's, evaluated when the
// body has ended.
func trailerFields(r *core.Request) []core.Header {
	var list []core.Header
	safe := safe(r.Out.Status)
	trailers := loc.Of(r.Loc).trailers
	for i := range trailers {
		h := &trailers[i]
		if !safe && !h.always {
			continue
		}
		if value := h.value.Eval(r); value != "" {
			list = append(list, core.Header{Name: h.name, Value: value})
		}
	}
	return list
}

// applies tells whether there is anything to add.
func (e *expiresRule) applies() bool { return e.kind != expiresOff }

// addExpires sets Expires and Cache-Control (ngx_http_set_expires).
func addExpires(r *core.Request, e expiresRule) {
	static := e.value.IsStatic()
	if !static && (e.parse(e.value.Eval(r)) != nil || !e.applies()) {
		return
	}
	now := time.Now()
	set := func(expires, cache string) {
		r.Out.Headers.SetValue("Expires", expires)
		r.Out.Headers.SetValue("Cache-Control", cache)
	}
	var at, age int64
	delta := int64(e.delta / time.Second)
	switch {
	case e.kind == expiresEpoch:
		set("Thu, 01 Jan 1970 00:00:01 GMT", "no-cache")
		return
	case e.kind == expiresMax:
		set("Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000")
		return
	case e.kind == expiresDaily:
		local := now.Local()
		midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, local.Location())
		t := midnight.Add(e.delta)
		if !t.After(now) {
			t = t.Add(24 * time.Hour)
		}
		at, age = t.Unix(), t.Unix()-now.Unix()
	case delta == 0: // even from the last modification
		at = now.Unix()
	case e.kind == expiresModified && r.Out.LastModified >= 0:
		at = r.Out.LastModified + delta
		age = at - now.Unix()
	default:
		at, age = now.Unix()+delta, delta
	}
	if age < 0 || static && delta < 0 {
		set(ngxtext.FormatHTTPTime(at), "no-cache")
		return
	}
	set(ngxtext.FormatHTTPTime(at), "max-age="+strconv.FormatInt(age, 10))
}
