package proxy

import (
	"strings"

	"github.com/moonphase/moonphase/phases/http1"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
)

// exchange is one proxied request, an upstream.Protocol: HTTP.
type exchange struct {
	upstream.Exchange
	response
	conf   *config
	t      *target
	isHead bool // the upstream is asked for HEAD
}

// handler is the content handler of proxy_pass (ngx_http_proxy_handler).
func handler(r *core.Request) int {
	p := loc.Of(r.Loc)
	if p.pass == nil {
		return core.Declined
	}
	t, rc := targetOf(r, p)
	if rc != core.OK {
		upstream.NewRecord(r)
		*note.Of(r) = vars{}
		return rc
	}
	x := &exchange{conf: p, t: t}
	x.Init(r, x, &p.Config)
	if rc := x.takeBody(); rc != core.OK {
		return rc
	}
	*note.Of(r) = vars{host: t.host, port: t.port}
	return x.Run(upstream.Target{Up: t.up, Name: t.host, Server: t.server, Port: t.port, TLS: t.tls}, t.scheme())
}

// Reset has nothing to forget: each response starts afresh.
func (x *exchange) Reset() {}

// ParseHead reads the head of a response (ngx_http_proxy_process_header), and passes over
// those of interim ones before it, which older releases take for the response.
func (x *exchange) ParseHead(b []byte) (n int, done bool, err error) {
	h := &x.In.Head
	for {
		var end int
		end, done, err = x.In.ParseHTTP(b[n:])
		n += end
		if !done || err != nil || h.Status < 100 || h.Status > 199 || h.Status == 101 || !x.conf.skipsInterim {
			break
		}
		x.PassOver()
	}
	if done && h.Bare && x.UsesCache() {
		h.Line = "" // taken for HTTP/0.9 without a word
	} else if done && h.Bare {
		x.R.Log(errlog.Err, "upstream sent no valid HTTP/1.0 header")
	} else if done && h.Status == 101 && x.R.In.Has("Upgrade") {
		x.Upgraded = true
	}
	return n, done, err
}

// StartBody goes on to the body (ngx_http_proxy_input_filter_init).
func (x *exchange) StartBody() {
	x.response.start(&x.In, x.isHead)
	if x.conf.passTrailers.V {
		x.chunks.Keep = x.conf.BufferSize()
	}
}

// Trailers are the fields behind the last chunk (ngx_http_proxy_process_trailer).
func (x *exchange) Trailers() core.Headers {
	var list core.Headers
	for _, f := range x.chunks.Trailer() {
		list.Add(f.Name, f.Value)
	}
	return list
}

// Redirect applies the first proxy_redirect that fits.
func (x *exchange) Redirect(url string) (to string, changed bool) {
	r, p := x.R, x.conf
	for i := range p.redirects {
		pr := &p.redirects[i]
		if pr.re != nil {
			if pr.re.Exec(r, url) == core.OK {
				return pr.to.Eval(r), true
			}
			continue
		}
		if rest, ok := strings.CutPrefix(url, pr.from.Eval(r)); ok {
			return pr.to.Eval(r) + rest, true
		}
	}
	return url, false
}

// response is how the body of an HTTP response is framed.
type response struct{ chunks }

// start says how the body behind a head ends. The responses to HEAD, and those of
// status 204 and 304, have none whatever their head says.
func (b *response) start(in *upstream.ResponseReader, isHead bool) {
	const excess = "upstream sent more data than specified in \"Content-Length\" header"
	switch h := &in.Head; {
	case isHead || h.Status == 204 || h.Status == 304:
		in.ByLength(0, excess)
	case h.Chunked:
		b.chunks = chunks{}
		in.Inside(&b.chunks, "upstream sent data after final chunk")
	case h.Length >= 0:
		in.ByLength(h.Length, excess)
	default:
		in.ByClose()
	}
}

// chunks is the upstream.Decoder of chunks.
type chunks struct{ http1.Chunked }

// Parse takes syntax from b.
func (c *chunks) Parse(b []byte) (int, error) {
	n, err := c.Chunked.Parse(b)
	if err != nil {
		err = errBadChunk
	}
	return n, err
}

var errBadChunk error = upstream.BodyError("upstream sent invalid chunked response")
