// Package notmodified is ngx_http_not_modified_filter_module: conditional requests,
// 304 and 412.
package notmodified

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_not_modified_filter_module.
var Module = &core.Module{
	Name:  "not_modified_filter",
	Build: func(b *core.Builder, _ *core.Location) { b.FilterHeader(header) },
}

// header turns a 200 into a 304, or into the error page of 412, when
// the client's conditions say so (ngx_http_not_modified_header_filter). Content
// of every kind is judged: what has neither date nor entity tag fails
// If-Unmodified-Since and If-Match.
func header(r *core.Request) int {
	if r.Out.Status != 200 || r != r.Main || r.Out.PassedOn || !r.In.Conditional() {
		return core.OK
	}
	if since, ok := r.In.Get("If-Unmodified-Since"); ok && !unmodifiedSince(r, since) {
		return preconditionFailed(r)
	}
	if match, ok := r.In.Get("If-Match"); ok && !etagMatches(r, match, false) {
		return preconditionFailed(r)
	}
	since, hasSince := r.In.Get("If-Modified-Since")
	none, hasNone := r.In.Get("If-None-Match")
	switch {
	case !hasSince && !hasNone:
		return core.OK
	case hasSince && modifiedSince(r, since):
		return core.OK
	case hasNone && !etagMatches(r, none, true):
		return core.OK
	}
	o := &r.Out
	o.Status, o.StatusLine = 304, ""
	o.ContentType = ""
	o.ClearLength()
	o.ClearRanges()
	o.Headers.Del("Content-Encoding")
	return core.OK
}

// preconditionFailed answers with the page of 412.
func preconditionFailed(r *core.Request) int {
	return r.FilterFinalize("not_modified_filter", 412)
}

// unmodifiedSince judges If-Unmodified-Since; a date that is none is before
// every modification.
func unmodifiedSince(r *core.Request, since string) bool {
	t, ok := ngxtext.ParseHTTPTime(since)
	return r.Out.LastModified >= 0 && ok && t >= r.Out.LastModified
}

// modifiedSince judges If-Modified-Since as if_modified_since says.
func modifiedSince(r *core.Request, since string) bool {
	mode := r.Loc.IfModifiedSince.V
	if r.Out.LastModified < 0 || mode == 0 {
		return true
	}
	t, ok := ngxtext.ParseHTTPTime(since)
	if !ok {
		t = -1
	}
	return t != r.Out.LastModified && (mode == 1 || t < r.Out.LastModified)
}

// etagMatches looks for the response's entity tag in a list of them, byte by
// byte as nginx does; weak comparison ignores the W/ marks.
func etagMatches(r *core.Request, list string, weak bool) bool {
	if list == "*" {
		return true
	}
	etag, ok := r.Out.Headers.Get("ETag")
	if !ok {
		return false
	}
	mark := func(s string) bool { return weak && len(s) > 2 && s[:2] == "W/" }
	if mark(etag) {
		etag = etag[2:]
	}
	blank := func(c byte) bool { return c == ' ' || c == '\t' }
	for i := 0; i < len(list); {
		if mark(list[i:]) {
			i += 2
		}
		if len(etag) > len(list)-i {
			return false
		}
		if list[i:i+len(etag)] == etag {
			for i += len(etag); i < len(list) && blank(list[i]); i++ {
			}
			if i == len(list) || list[i] == ',' {
				return true
			}
		}
		for ; i < len(list) && list[i] != ','; i++ {
		}
		for ; i < len(list) && (blank(list[i]) || list[i] == ','); i++ {
		}
	}
	return false
}
