package fastcgi

import (
	"encoding/binary"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// exchange is one request to a FastCGI application, an upstream.Protocol.
type exchange struct {
	upstream.Exchange
	conf *config
	in   records
}

// handler is the content handler of fastcgi_pass (ngx_http_fastcgi_handler).
func handler(r *core.Request) int {
	p := loc.Of(r.Loc)
	if p.pass == nil {
		return core.Declined
	}
	t, rc := p.pass.Target(r)
	if rc != core.OK {
		upstream.NewRecord(r)
		return rc
	}
	x := &exchange{conf: p}
	x.Init(r, x, &p.Config)
	if rc := x.TakeBody(true); rc != core.OK {
		return rc
	}
	x.Body.Frame = frame
	return x.Run(t, "fastcgi://")
}

// Types of records.
const (
	beginRequest = 1
	endRequest   = 3
	params       = 4
	stdin        = 5
	stdout       = 6
	stderr       = 7
)

const (
	headSize  = 8        // of a record
	maxParams = 65535    // bytes of parameters
	maxPiece  = 32 << 10 // bytes of the body in a record
)

// appendHead appends the head of a record for n bytes of content.
func appendHead(b []byte, kind byte, n int) []byte {
	return append(b, 1, kind, 0, 1, byte(n>>8), byte(n), byte(paddingOf(n)), 0)
}

// paddingOf is what fills a record of n bytes up.
func paddingOf(n int) int { return -n & 7 }

func appendPadding(b []byte, n int) []byte {
	var zero [8]byte
	return append(b, zero[:paddingOf(n)]...)
}

// frame appends records with a piece of the body to b, the one that ends it for an empty
// piece.
func frame(b, piece []byte) []byte {
	if len(piece) == 0 {
		return appendHead(b, stdin, 0)
	}
	for len(piece) > 0 {
		n := min(len(piece), maxPiece)
		b = append(appendHead(b, stdin, n), piece[:n]...)
		b = appendPadding(b, n)
		piece = piece[n:]
	}
	return b
}

// Create makes what begins the request: all but the body
// (ngx_http_fastcgi_create_request).
func (x *exchange) Create() int {
	p := x.conf
	keep := byte(0)
	if p.keepConn.V {
		keep = 1
	}
	b := make([]byte, 0, 1024)
	b = append(appendHead(b, beginRequest, 8), 0, 1, keep, 0, 0, 0, 0, 0) // role: responder
	at := len(b)
	b = appendHead(b, params, 0)
	b = x.appendParams(b)
	n := len(b) - at - headSize
	if n > maxParams {
		x.R.Logf(errlog.Alert, "fastcgi request record is too big: %d", n)
		return 500
	}
	appendHead(b[:at], params, n)
	b = appendPadding(b, n)
	x.Head = appendHead(b, params, 0)
	return core.OK
}

// appendParams appends what fastcgi_param says and the request's headers.
func (x *exchange) appendParams(b []byte) []byte {
	r, p := x.R, x.conf
	for i := range p.params {
		one := &p.params[i]
		if v := one.value.Eval(r); v != "" || !one.ifNotEmpty {
			b = appendPair(b, one.name, v)
		}
	}
	cached := x.Cacheable()
	if cached {
		b = x.appendConditions(b)
	}
	if !p.PassHeaders.V {
		return b
	}
	for i := range r.In {
		h := &r.In[i]
		name := headerParam(h.Name)
		if p.sets(name) || cached && cachedParams[name] || p.joins && r.In[:i].Has(h.Name) {
			continue
		}
		value := h.Value
		if p.joins {
			value = joined(r.In[i:], h.Name)
		}
		b = appendPair(b, name, value)
	}
	return b
}

// cachedParams are the headers that are not passed on when the response is to be cached: it
// must be the whole, and new.
var cachedParams = map[string]bool{
	"HTTP_IF_MODIFIED_SINCE": true, "HTTP_IF_UNMODIFIED_SINCE": true, "HTTP_IF_NONE_MATCH": true, "HTTP_IF_MATCH": true,
	"HTTP_RANGE": true, "HTTP_IF_RANGE": true,
}

// appendConditions asks whether what the cache has is still good.
func (x *exchange) appendConditions(b []byte) []byte {
	for _, c := range []struct{ name, value string }{
		{"HTTP_IF_MODIFIED_SINCE", x.CachedDate()}, {"HTTP_IF_NONE_MATCH", x.CachedTag()},
	} {
		if c.value != "" && !x.conf.sets(c.name) {
			b = appendPair(b, c.name, c.value)
		}
	}
	return b
}

// joined are the values of all lines of a header.
func joined(list core.Headers, name string) string {
	value, between := list[0].Value, ", "
	if ngxtext.EqualFold(name, "Cookie") {
		between = "; "
	}
	for i := range list[1:] {
		if h := &list[1+i]; ngxtext.EqualFold(h.Name, name) {
			value += between + h.Value
		}
	}
	return value
}

// headerParam is the parameter for a header, HTTP_X_Y for X-Y.
func headerParam(name string) string {
	b := make([]byte, 0, 64)
	b = append(b, "HTTP_"...)
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		case c == '-':
			c = '_'
		}
		b = append(b, c)
	}
	return string(b)
}

// sets reports whether a fastcgi_param takes the place of a header.
func (p *config) sets(name string) bool {
	for i := range p.params {
		if p.params[i].name == name && strings.HasPrefix(name, "HTTP_") {
			return true
		}
	}
	return false
}

// appendPair appends a parameter.
func appendPair(b []byte, name, value string) []byte {
	b = appendLength(b, len(name))
	b = appendLength(b, len(value))
	b = append(b, name...)
	return append(b, value...)
}

func appendLength(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint32(b, uint32(n)|1<<31)
}
