package upstream

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// singleHeaders are the headers of an upstream that may come once.
var singleHeaders = [...]string{
	"Content-Type", "Date", "ETag", "Last-Modified", "Server", "Location", "Refresh", "Expires", "Accept-Ranges", "Content-Encoding", "Status",
	"X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset",
}

// keepFirst drops further lines of headers that may come once.
func (x *Exchange) keepFirst() {
	var first [len(singleHeaders)]*core.Header
	list := x.State.Headers
	kept := list[:0]
	for _, h := range list {
		i := slices.IndexFunc(singleHeaders[:], func(name string) bool { return ngxtext.EqualFold(name, h.Name) })
		if i >= 0 && first[i] != nil {
			x.R.Logf(errlog.Warn, "upstream sent duplicate header line: \"%s: %s\", previous value: \"%s: %s\", ignored",
				h.Name, h.Value, first[i].Name, first[i].Value)
			continue
		}
		kept = append(kept, h)
		if i >= 0 {
			first[i] = &kept[len(kept)-1]
		}
	}
	clear(list[len(kept):])
	x.State.Headers = kept
}

// ignorableHeaders are what ignore_headers may name.
var ignorableHeaders = map[string]bool{
	"x-accel-redirect": true, "x-accel-expires": true, "x-accel-limit-rate": true, "x-accel-buffering": true,
	"x-accel-charset": true, "expires": true, "cache-control": true, "set-cookie": true, "vary": true,
}

// ignoresHeader reports whether ignore_headers names a header.
func (p *Config) ignoresHeader(name string) bool { return ngxtext.ContainsFold(p.ignoreHeaders, name) }

// hides reports whether a header, in lower case, is not passed on.
func (p *Config) hides(name string) bool {
	return p.family.Hides[name] && !ngxtext.ContainsFold(p.passThrough, name) || ngxtext.ContainsFold(p.hide, name)
}

// copyHeaders takes the upstream's headers over.
func (x *Exchange) copyHeaders() {
	o, p := &x.R.Out, x.Conf
	x.buffering = p.buffering.V
	o.AllowRanges = p.forceRanges.V
	o.SingleRange = !x.fromFile
	for i := range x.State.Headers {
		h := &x.State.Headers[i]
		name := ngxtext.Lower(h.Name)
		if strings.HasPrefix(name, "x-accel-") && !p.ignoresHeader(name) {
			x.accelHeader(name, h.Value)
		}
		if p.hides(name) {
			continue
		}
		x.copyHeader(name, h)
	}
	for _, name := range p.passThrough { // a header that is passed on is not made up
		switch core.Classify(name) {
		case core.OutServer:
			o.CustomServer = true
		case core.OutDate:
			o.CustomDate = true
		}
	}
}

// accelHeader obeys one of the headers by which an upstream speaks to this server.
func (x *Exchange) accelHeader(name, value string) {
	switch name {
	case "x-accel-buffering":
		if ngxtext.EqualFold(value, "no") {
			x.buffering = false
		} else if ngxtext.EqualFold(value, "yes") {
			x.buffering = true
		}
	case "x-accel-limit-rate":
		if n, ok := ngxtext.ParseDecimal(value); ok {
			x.R.SetRate(n)
		}
	case "x-accel-charset":
		x.R.Out.CharsetOverride = value
	}
}

func (x *Exchange) copyHeader(name string, h *core.Header) {
	o := &x.R.Out
	switch name {
	case "connection", "keep-alive", "transfer-encoding", "content-length":
	case "content-type":
		o.ContentType = h.Value
		o.Charset, _ = ngxtext.CharsetOf(h.Value)
	case "last-modified":
		o.LastModified = -1
		if t, ok := ngxtext.ParseHTTPTime(h.Value); ok {
			o.LastModified = t
		}
		o.Headers.Add(h.Name, h.Value)
	case "accept-ranges":
		switch {
		case x.Conf.forceRanges.V:
		case x.fromFile || x.keeps() && x.cache.fresh.keepable():
			o.AllowRanges = true
		default:
			o.Headers.Add(h.Name, h.Value)
		}
	case "server":
		o.Set("Server", h.Value)
	case "date":
		o.Set("Date", h.Value)
	case "location":
		value, changed := x.redirect(h.Value)
		if changed && strings.HasPrefix(value, "/") && x.R.Loc.AbsoluteRedirect.V {
			o.Location = value // the header filter completes it
			return
		}
		o.Headers.Add(h.Name, value)
	case "set-cookie":
		value := h.Value
		if rewriter, ok := x.proto.(cookieRewriter); ok {
			value, _ = rewriter.RewriteCookie(value)
		}
		o.Headers.Add(h.Name, value)
	case "refresh":
		value := h.Value
		if at := strings.Index(ngxtext.Lower(value), "url="); at >= 0 {
			if to, changed := x.redirect(value[at+4:]); changed {
				value = value[:at+4] + to
			}
		}
		o.Headers.Add(h.Name, value)
	default:
		o.Headers.Add(h.Name, h.Value)
	}
}

// redirect asks the protocol where a URL of the response leads.
func (x *Exchange) redirect(url string) (to string, changed bool) {
	if p, ok := x.proto.(redirecter); ok {
		return p.Redirect(url)
	}
	return url, false
}
