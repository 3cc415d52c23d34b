package phases

import (
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

var headersModule = &Module{
	name: "headers_filter",
	build: func(b *builder, l *Location) {
		if l.addHeaders != nil || l.addTrailers != nil || l.expires.applies() {
			b.filterHeader((*Request).headersFilter)
		}
		if l.addTrailers != nil {
			b.filterBody((*Request).trailersFilter)
		}
	},
}

// headersConf is what add_header, expires and headers-more say.
type headersConf struct {
	addHeaders  []addHeader
	addTrailers []addHeader
	expires     expiresRule
	moreHeaders []moreHeader
	moreInput   []moreHeader
	charset     charsetConf
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
			return directiveError("invalid parameter \"" + d.Args[2] + "\"")
		}
		h.always = true
	}
	var err error
	h.value, err = c.template(d.Args[1])
	if d.Name == "add_trailer" {
		c.loc.addTrailers = append(c.loc.addTrailers, h)
	} else {
		c.loc.addHeaders = append(c.loc.addHeaders, h)
	}
	return err
}

// setExpires reads expires [modified] TIME.
func setExpires(c *compiler, d *conf.Directive) error {
	e := &c.loc.expires
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

// headersFilter adds what expires and add_header say
// (ngx_http_headers_filter).
func (r *Request) headersFilter() int {
	l := r.Loc
	if r != r.Main {
		return rcOK
	}
	safe := r.safeStatus()
	if safe && l.expires.applies() {
		r.addExpires(l.expires)
	}
	for i := range l.addHeaders {
		h := &l.addHeaders[i]
		if !safe && !h.always {
			continue
		}
		value := h.value.eval(r)
		switch classify(h.name) {
		case outLastModified:
			r.Out.replace(h.name, value)
		default:
			if equalFold(h.name, "ETag") {
				r.Out.replace(h.name, value)
			} else if value != "" {
				r.Out.Headers.Add(h.name, value)
			}
		}
	}
	for i := range l.addTrailers {
		r.trailers = r.trailers || safe || l.addTrailers[i].always
	}
	return rcOK
}

// replace sets a header, or removes it when there is no value.
func (o *Response) replace(name, value string) {
	if value == "" {
		o.Del(name)
	} else {
		o.Set(name, value)
	}
}

// safeStatus tells whether headers are added to an answer without `always`.
func (r *Request) safeStatus() bool {
	switch r.Out.Status {
	case 200, 201, 204, 206, 301, 302, 303, 304, 307, 308:
		return true
	}
	return false
}

// trailersFilter puts fields behind the end of the body.
func (r *Request) trailersFilter(p []byte, flags int, next filterPlace) int {
	if r.trailers && flags&outLast != 0 {
		r.sentTrailers = r.trailerFields()
		if hw, ok := r.Conn.(headWriter); ok {
			hw.WriteTrailers(r.sentTrailers)
		}
	}
	return next.pass(r, p, flags)
}

// trailerFields are the lines behind the body: add_trailer's, evaluated when the
// body has ended.
func (r *Request) trailerFields() []Header {
	var list []Header
	safe := r.safeStatus()
	for i := range r.Loc.addTrailers {
		h := &r.Loc.addTrailers[i]
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
func (r *Request) addExpires(e expiresRule) {
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

// merge inherits headers where none were written.
func (h *headersConf) merge(outer *headersConf) {
	if h.addHeaders == nil {
		h.addHeaders = outer.addHeaders
	}
	if h.addTrailers == nil {
		h.addTrailers = outer.addTrailers
	}
	if !h.expires.set {
		h.expires = outer.expires
	}
	// headers-more runs outer levels' directives before inner ones.
	if outer.moreHeaders != nil {
		h.moreHeaders = append(append([]moreHeader(nil), outer.moreHeaders...), h.moreHeaders...)
	}
	if outer.moreInput != nil {
		h.moreInput = append(append([]moreHeader(nil), outer.moreInput...), h.moreInput...)
	}
	h.charset.merge(&outer.charset)
}
