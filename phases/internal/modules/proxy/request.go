package proxy

import (
	"strconv"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// defaultHeaders are the lines of the client's head that are not passed on: the
// proxy writes its own or none.
var defaultHeaders = map[string]bool{
	"host": true, "connection": true, "content-length": true, "transfer-encoding": true,
	"te": true, "keep-alive": true, "expect": true, "upgrade": true,
}

// cachedHeaders are those that are not passed on either when the response is to be cached:
// it must be the whole, and new.
var cachedHeaders = map[string]bool{
	"if-modified-since": true, "if-unmodified-since": true, "if-none-match": true, "if-match": true,
	"range": true, "if-range": true,
}

// CacheKey names the response where no proxy_cache_key does (ngx_http_proxy_create_key).
func (x *exchange) CacheKey() string { return x.t.scheme() + x.t.host + uriOf(x.R, x.t) }

// Create makes the head of the request that goes to the upstream
// (ngx_http_proxy_create_request).
func (x *exchange) Create() int {
	r, p := x.R, x.conf
	method := r.Method
	if x.AsGet {
		method = "GET"
	} else if p.method.Set {
		method = p.method.V.Eval(r)
	}
	x.isHead = ngxtext.EqualFold(method, "HEAD")
	x.State.URI = uriOf(r, x.t)
	if x.State.URI == "" {
		r.Log(errlog.Err, "zero length URI to proxy")
		return 500
	}
	b := make([]byte, 0, 512)
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, x.State.URI...)
	if p.httpVersion.V == http11 {
		b = append(b, " HTTP/1.1\r\n"...)
	} else {
		b = append(b, " HTTP/1.0\r\n"...)
	}
	for i := range p.setHeaders {
		h := &p.setHeaders[i]
		if v := h.value.Eval(r); v != "" {
			b = core.AppendHeader(b, h.name, v)
		}
	}
	if !p.setsHeader("host") {
		b = core.AppendHeader(b, "Host", x.t.host)
	}
	if p.closes && !p.setsHeader("connection") {
		b = append(b, "Connection: close\r\n"...)
	}
	if n := x.bodyLength(); n >= 0 && !p.setsHeader("content-length") {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, n, 10)
		b = append(b, '\r', '\n')
	}
	if x.Body.Frame != nil && !p.setsHeader("transfer-encoding") {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	cached := x.Cacheable()
	if cached {
		b = x.appendConditions(b)
	}
	if p.PassHeaders.V {
		for i := range r.In {
			name := ngxtext.Lower(r.In[i].Name)
			if !defaultHeaders[name] && !(cached && cachedHeaders[name]) && !p.setsHeader(name) {
				b = core.AppendHeader(b, r.In[i].Name, r.In[i].Value)
			}
		}
	}
	x.Head = append(b, '\r', '\n')
	return core.OK
}

// appendConditions asks whether what the cache has is still good.
func (x *exchange) appendConditions(b []byte) []byte {
	if date := x.CachedDate(); date != "" && !x.conf.setsHeader("if-modified-since") {
		b = core.AppendHeader(b, "If-Modified-Since", date)
	}
	if tag := x.CachedTag(); tag != "" && !x.conf.setsHeader("if-none-match") {
		b = core.AppendHeader(b, "If-None-Match", tag)
	}
	return b
}

// bodyLength is the Content-Length that the upstream is told, -1 for none. It is
// that of the client's body, also when this is not passed on.
func (x *exchange) bodyLength() int64 {
	switch {
	case x.conf.setBody.Set:
		return int64(len(x.Body.Data))
	case x.Body.Frame != nil:
		return -1
	default:
		return x.R.ContentLength
	}
}

// setsHeader reports whether proxy_set_header names a header, in lower case.
func (p *config) setsHeader(name string) bool {
	for i := range p.setHeaders {
		if p.setHeaders[i].lower == name {
			return true
		}
	}
	return false
}

// takeBody reads the client's body, or leaves it to be passed on as it comes; that of
// proxy_set_body takes its place.
func (x *exchange) takeBody() int {
	r, p := x.R, x.conf
	if p.setBody.Set {
		if rc := r.ReadBody(nil); rc != core.OK {
			return rc
		}
		x.Body.Data = []byte(p.setBody.V.Eval(r))
		return core.OK
	}
	rc := x.TakeBody(!r.Chunked || p.httpVersion.V == http11)
	if x.Body.Live() && r.Chunked {
		x.Body.Frame = chunk
	}
	return rc
}

// chunk appends a chunk of a body to b, the last one for an empty piece.
func chunk(b, piece []byte) []byte {
	if len(piece) == 0 {
		return append(b, core.LastChunk...)
	}
	b = strconv.AppendInt(b, int64(len(piece)), 16)
	b = append(b, '\r', '\n')
	b = append(b, piece...)
	return append(b, '\r', '\n')
}
