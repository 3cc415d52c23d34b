// Package memcached is ngx_http_memcached_module.
package memcached

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_memcached_module.
var Module = &core.Module{
	Name:       "memcached",
	Directives: directives,
	Conf:       []core.ConfSlot{loc},
	Build:      func(b *core.Builder, l *core.Location) { family.Build(b, l, &loc.Of(l).Config) },
}

var loc = core.NewLocSlot(merge)

// family is what memcached_ shares with other protocols, and how it differs from them.
var family = &upstream.Family{
	Prefix:      "memcached_",
	Next:        []string{"error", "timeout", "invalid_response", "not_found", "off"},
	ForceRanges: true,
}

// config is what the memcached directives say in a location.
type config struct {
	upstream.Config
	pass     *upstream.Pass
	key      core.Template // $memcached_key
	gzipFlag core.Opt[int]
}

func merge(p, outer *config, isIf bool) {
	family.Merge(&p.Config, &outer.Config)
	p.Intercept404 = true
	if p.pass == nil && isIf {
		p.pass, p.key = outer.pass, outer.key
	}
	p.gzipFlag.Merge(outer.gzipFlag, 0)
}

func directives() []core.Directive {
	list := []core.Directive{
		{Name: "memcached_pass", In: core.InLocation | core.InLocationIf, Args: core.Take1, Set: setPass},
		{Name: "memcached_gzip_flag", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetNumber(core.In(loc, func(p *config) *core.Opt[int] { return &p.gzipFlag }))},
	}
	return append(list, family.Directives(func(c *core.Compiler) *upstream.Config { return &loc.At(c).Config })...)
}

func setPass(c *core.Compiler, d *conf.Directive) error {
	l, p := c.Loc, loc.At(c)
	if p.pass != nil {
		return core.ErrDuplicate
	}
	p.pass = &upstream.Pass{}
	if err := p.pass.Read(c, d, false); err != nil {
		return err
	}
	l.Handler = handler
	l.AutoRedirect = strings.HasSuffix(l.Name, "/")
	var err error
	p.key, err = c.Template("$memcached_key")
	return err
}

// exchange is one question to memcached, an upstream.Protocol.
type exchange struct {
	upstream.Exchange
	conf  *config
	key   string // as it was sent
	gzip  bool   // the flags say that the value is packed
	value upstream.Trailed
}

// handler is the content handler of memcached_pass (ngx_http_memcached_handler).
func handler(r *core.Request) int {
	p := loc.Of(r.Loc)
	if p.pass == nil {
		return core.Declined
	}
	if r.Method != "GET" && r.Method != "HEAD" {
		return 405
	}
	if rc := r.DiscardBody(); rc != core.OK {
		return rc
	}
	r.SetContentType()
	t, rc := p.pass.Target(r)
	if rc != core.OK {
		return rc
	}
	x := &exchange{conf: p}
	x.Init(r, x, &p.Config)
	return x.Run(t, "memcached://")
}

// escapeKey is how ngxtext.EscapeByType escapes a key.
const escapeKey = 5

// Create makes the question.
func (x *exchange) Create() int {
	x.key = ngxtext.EscapeByType(x.conf.key.Eval(x.R), escapeKey)
	if x.key == "" {
		x.R.Log(errlog.Err, "the \"$memcached_key\" variable is not set")
		return 500
	}
	x.Head = append(append(append(make([]byte, 0, 64), "get "...), x.key...), '\r', '\n')
	return core.OK
}

// Reset has nothing to forget: each response starts afresh.
func (x *exchange) Reset() {}

// ParseHead reads the line before a value, or that there is none
// (ngx_http_memcached_process_header).
func (x *exchange) ParseHead(b []byte) (n int, done bool, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0, false, nil
	}
	n = end + 1
	line, hasCR := strings.CutSuffix(string(b[:end]), "\r")
	h := &x.In.Head
	h.Status, h.Length = 200, 0
	x.gzip = false
	value, isValue := strings.CutPrefix(line, "VALUE ")
	switch {
	case hasCR && isValue:
		err = x.parseValue(line, value)
		return n, err == nil, err
	case hasCR && line == "END":
		x.R.Logf(errlog.Info, "key: \"%s\" was not found by memcached", x.key)
		h.Status = 404
		return n, true, nil
	}
	return n, false, invalid(line)
}

func invalid(line string) error {
	return upstream.HeadError(fmt.Sprintf("memcached sent invalid response: \"%s\"", line))
}

// parseValue reads KEY FLAGS LENGTH.
func (x *exchange) parseValue(line, text string) error {
	wrong := func(what string) error {
		return upstream.HeadError(fmt.Sprintf("memcached sent invalid %s in response \"%s\" for key \"%s\"", what, line, x.key))
	}
	rest, ok := strings.CutPrefix(text, x.key)
	if !ok {
		return wrong("key")
	}
	rest, ok = strings.CutPrefix(rest, " ")
	flags, length, two := strings.Cut(rest, " ")
	if !ok || !two {
		return invalid(line)
	}
	if flag := x.conf.gzipFlag.V; flag != 0 {
		n, ok := ngxtext.ParseDecimal(flags)
		if !ok {
			return wrong("flags")
		}
		x.gzip = int(n)&flag != 0
	}
	if x.In.Head.Length, ok = ngxtext.ParseDecimal(length); !ok {
		return wrong("length")
	}
	return nil
}

// StartBody goes on to the value (ngx_http_memcached_filter_init).
func (x *exchange) StartBody() {
	h := &x.In.Head
	if h.Status == 404 {
		x.In.ByLength(0, "")
		return
	}
	if x.gzip {
		x.R.Out.Headers.Add("Content-Encoding", "gzip")
	}
	x.value = upstream.Trailed{X: &x.Exchange, Left: h.Length, Trailer: "\r\nEND\r\n", Wrong: "memcached sent invalid trailer"}
	x.In.InsideJoined(&x.value)
}
