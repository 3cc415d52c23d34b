package phases

import (
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// headersConf is what add_header, expires and headers-more say.
type headersConf struct {
	addHeaders  []addHeader
	expires     expiresRule
	moreHeaders []moreHeader
	moreInput   []moreHeader
	charset     charsetConf
	gzip        gzipConf
}

// addHeader is one add_header.
type addHeader struct {
	name   string
	value  template
	always bool
}

// expiresRule is an expires directive.
type expiresRule struct {
	kind  expiresKind
	delta time.Duration
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
	c.loc.addHeaders = append(c.loc.addHeaders, h)
	return err
}

func setExpires(c *compiler, d *conf.Directive) error {
	e := &c.loc.expires
	if e.set {
		return errDuplicate
	}
	e.set = true
	arg := d.Args[0]
	if len(d.Args) == 2 {
		if arg != "modified" {
			return errInvalidValue
		}
		e.kind, arg = expiresModified, d.Args[1]
	} else {
		switch arg {
		case "off":
			return nil
		case "epoch":
			e.kind = expiresEpoch
			return nil
		case "max":
			e.kind = expiresMax
			return nil
		}
		e.kind = expiresAfter
	}
	if strings.HasPrefix(arg, "@") {
		if e.kind == expiresModified {
			return directiveError("daily time cannot be used with \"modified\" parameter")
		}
		e.kind, arg = expiresDaily, arg[1:]
	}
	negative := strings.HasPrefix(arg, "-")
	delta, ok := parseTime(strings.TrimLeft(arg, "+-"))
	if !ok {
		return errInvalidValue
	}
	if e.kind == expiresDaily && delta > 24*time.Hour {
		return directiveError("daily time value must be less than 24 hours")
	}
	e.delta = delta
	if negative {
		e.delta = -delta
	}
	return nil
}

// headersFilter adds what expires and add_header say
// (ngx_http_headers_filter).
func (r *Request) headersFilter() int {
	if r != r.Main || r.Loc.addHeaders == nil && r.Loc.expires.kind == expiresOff {
		return rcOK
	}
	safe := false
	switch r.Out.Status {
	case 200, 201, 204, 206, 301, 302, 303, 304, 307, 308:
		safe = true
	}
	if safe && r.Loc.expires.kind != expiresOff {
		r.addExpires(&r.Loc.expires)
	}
	for i := range r.Loc.addHeaders {
		h := &r.Loc.addHeaders[i]
		if !safe && !h.always {
			continue
		}
		value := h.value.eval(r)
		switch {
		case equalFold(h.name, "Last-Modified"):
			r.Out.Del("Last-Modified")
			if value != "" {
				r.Out.Set("Last-Modified", value)
			}
		case equalFold(h.name, "ETag"):
			r.Out.Del("ETag")
			if value != "" {
				r.Out.Set("ETag", value)
			}
		case value != "":
			r.Out.Headers.Add(h.name, value)
		}
	}
	return rcOK
}

func (r *Request) addExpires(e *expiresRule) {
	now := time.Now()
	set := func(expires, cache string) {
		r.Out.Headers.Set("Expires", expires)
		r.Out.Headers.Set("Cache-Control", cache)
	}
	switch e.kind {
	case expiresEpoch:
		set("Thu, 01 Jan 1970 00:00:01 GMT", "no-cache")
		return
	case expiresMax:
		set("Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000")
		return
	}
	var at, age int64
	switch {
	case e.kind == expiresDaily:
		local := now.Local()
		midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, local.Location())
		t := midnight.Add(e.delta)
		if !t.After(now) {
			t = t.Add(24 * time.Hour)
		}
		at, age = t.Unix(), t.Unix()-now.Unix()
	case e.kind == expiresModified && r.Out.LastModified >= 0:
		at = r.Out.LastModified + int64(e.delta/time.Second)
		age = at - now.Unix()
	default:
		at = now.Unix() + int64(e.delta/time.Second)
		age = int64(e.delta / time.Second)
	}
	if age < 0 {
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
	h.gzip.merge(&outer.gzip)
}
