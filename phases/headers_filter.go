package phases

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// headersModule is ngx_http_headers_filter_module.
var headersModule = &Module{
	name:       "headers_filter",
	directives: headersDirectives,
	conf:       []confSlot{headersLoc},
	build: func(b *builder, l *Location) {
		h := headersLoc.of(l)
		if h.headers != nil || h.trailers != nil || h.expires.applies() {
			b.filterHeader(headersHeader)
		}
		if h.trailers != nil {
			b.filterBody(headersBody)
		}
	},
}

var headersLoc = newLocSlot(mergeHeaders)

// headersConf is what add_header, add_trailer and expires say.
type headersConf struct {
	headers  []addHeader
	trailers []addHeader
	expires  expiresRule
}

// mergeHeaders inherits headers where none were written.
func mergeHeaders(h, outer *headersConf, _ bool) {
	if h.headers == nil {
		h.headers = outer.headers
	}
	if h.trailers == nil {
		h.trailers = outer.trailers
	}
	if !h.expires.set {
		h.expires = outer.expires
	}
}

func headersDirectives() []directive {
	return []directive{
		{"add_header", inAnyLoc, take2 | take3, setAddHeader},
		{"add_trailer", inAnyLoc, take2 | take3, setAddHeader},
		{"expires", inAnyLoc, take12, setExpires},
	}
}

// addHeader is one add_header or add_trailer.
type addHeader struct {
	name   string
	value  template
	always bool
}

// expiresRule is an expires directive. Its value is read anew for each response
// when it has variables.
type expiresRule struct {
	kind  expiresKind
	delta time.Duration
	value template
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
func setAddHeader(c *compiler, d *conf.Directive) error {
	h := addHeader{name: d.Args[0]}
	if len(d.Args) == 3 {
		if d.Args[2] != "always" {
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[2])
		}
		h.always = true
	}
	var err error
	h.value, err = c.template(d.Args[1])
	list := &headersLoc.at(c).headers
	if d.Name == "add_trailer" {
		list = &headersLoc.at(c).trailers
	}
	*list = append(*list, h)
	return err
}

// setExpires reads expires [modified] TIME.
func setExpires(c *compiler, d *conf.Directive) error {
	e := &headersLoc.at(c).expires
	if e.set {
		return errDuplicate
	}
	e.set, e.kind = true, expiresAfter
	arg := d.Args[0]
	if len(d.Args) == 2 {
		if arg != "modified" {
			return errInvalidValue
		}
		e.kind, arg = expiresModified, d.Args[1]
	}
	var err error
	if e.value, err = c.template(arg); err == nil && e.value.isStatic() {
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
			return directiveError("daily time cannot be used with \"modified\" parameter")
		}
		e.kind, s = expiresDaily, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	case strings.HasPrefix(s, "-"):
		negative, s = true, s[1:]
	}
	delta, ok := parseSeconds(s)
	if !ok {
		return errInvalidValue
	}
	if e.kind == expiresDaily && delta > 24*time.Hour {
		return directiveError("daily time value must be less than 24 hours")
	}
	if e.delta = delta; negative {
		e.delta = -delta
	}
	return nil
}

// headersHeader adds what expires and add_header say
// (ngx_http_headers_filter).
func headersHeader(r *Request) int {
	if r != r.Main {
		return rcOK
	}
	c := headersLoc.of(r.Loc)
	safe := headersSafe(r.Out.Status)
	if safe && c.expires.applies() {
		addExpires(r, c.expires)
	}
	for i := range c.headers {
		h := &c.headers[i]
		if !safe && !h.always {
			continue
		}
		value := h.value.eval(r)
		switch classify(h.name) {
		case outLastModified:
			setOrDelete(&r.Out, h.name, value)
		default:
			if equalFold(h.name, "ETag") {
				setOrDelete(&r.Out, h.name, value)
			} else if value != "" {
				r.Out.Headers.Add(h.name, value)
			}
		}
	}
	for i := range c.trailers {
		r.trailers = r.trailers || safe || c.trailers[i].always
	}
	return rcOK
}

// setOrDelete sets a header, or removes it when there is no value.
func setOrDelete(o *Response, name, value string) {
	if value == "" {
		o.Del(name)
	} else {
		o.Set(name, value)
	}
}

// headersSafe tells whether headers are added to an answer without `always`.
func headersSafe(status int) bool {
	switch status {
	case 200, 201, 204, 206, 301, 302, 303, 304, 307, 308:
		return true
	}
	return false
}

// headersBody puts fields behind the end of the body
// (ngx_http_trailers_filter).
func headersBody(r *Request, p []byte, flags int, next filterPlace) int {
	if r.trailers && flags&outLast != 0 {
		r.sentTrailers = trailerFields(r)
	}
	return next.pass(r, p, flags)
}

// trailerFields are the lines behind the body: add_trailer's, evaluated when the
// body has ended.
func trailerFields(r *Request) []Header {
	var list []Header
	safe := headersSafe(r.Out.Status)
	trailers := headersLoc.of(r.Loc).trailers
	for i := range trailers {
		h := &trailers[i]
		if !safe && !h.always {
			continue
		}
		if value := h.value.eval(r); value != "" {
			list = append(list, Header{h.name, value})
		}
	}
	return list
}

// applies tells whether there is anything to add.
func (e *expiresRule) applies() bool { return e.kind != expiresOff }

// addExpires sets Expires and Cache-Control (ngx_http_set_expires).
func addExpires(r *Request, e expiresRule) {
	static := e.value.isStatic()
	if !static && (e.parse(e.value.eval(r)) != nil || !e.applies()) {
		return
	}
	now := time.Now()
	set := func(expires, cache string) {
		r.Out.Headers.setValue("Expires", expires)
		r.Out.Headers.setValue("Cache-Control", cache)
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
		set(formatHTTPTime(at), "no-cache")
		return
	}
	set(formatHTTPTime(at), "max-age="+strconv.FormatInt(age, 10))
}
