// Package proxy is ngx_http_proxy_module.
package proxy

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_proxy_module.
var Module = &core.Module{
	Name:       "proxy",
	Directives: directives,
	Variables:  variables,
	Conf:       []core.ConfSlot{loc},
	Build:      build,
	Clear:      note.Drop,
}

var (
	loc  = core.NewLocSlot(merge)
	note = core.NewNote[vars](nil)
)

// family is what proxy_ shares with other protocols, and how it differs from them.
var family = &upstream.Family{
	Prefix: "proxy_", ConvertsHead: true, NamesResponses: true,
	Has: upstream.Streams | upstream.Headers | upstream.TLS,
	Next: []string{"error", "timeout", "invalid_header", "non_idempotent", "http_500", "http_502", "http_503",
		"http_504", "http_403", "http_404", "http_429", "updating", "off"},
	Hides: map[string]bool{
		"date": true, "server": true, "x-pad": true, "x-accel-expires": true, "x-accel-redirect": true,
		"x-accel-limit-rate": true, "x-accel-buffering": true, "x-accel-charset": true,
	},
}

// build checks sizes, loads what TLS needs, and gives a limit_except block the
// location's proxy_pass.
func build(b *core.Builder, l *core.Location) {
	p := loc.Of(l)
	kept := b.Cycle.Stack.Has(compat.KeptUpstreams)
	p.closes, p.skipsInterim = !kept, b.Cycle.Stack.Has(compat.InterimAnswers)
	if p.httpVersion.V == httpOfRelease {
		p.httpVersion.V = http10
		if kept {
			p.httpVersion.V = http11
		}
	}
	p.Plain = p.pass == nil || p.pass.isPlain(b.Cycle)
	family.Build(b, l, &p.Config)
	if p.pass != nil && l.Handler == nil && l.IsLimited() {
		l.Handler = handler
	}
}

// vars are what the variables tell of the proxy_pass that answers a request.
type vars struct{ host, port string }

// variables are those of ngx_http_proxy_module.
func variables() []core.Variable {
	return []core.Variable{
		{Name: "proxy_host", Hidden: true, Volatile: true, Get: variable(func(v *vars) string { return v.host })},
		{Name: "proxy_port", Hidden: true, Volatile: true, Get: variable(func(v *vars) string { return v.port })},
		{Name: "proxy_add_x_forwarded_for", Hidden: true, Volatile: true, Get: core.Always(forwardedFor)},
	}
}

// variable makes a variable that has no value before its proxy_pass runs.
func variable(of func(v *vars) string) func(*core.Request) (string, bool) {
	return func(r *core.Request) (string, bool) {
		if v := note.Get(r); v != nil {
			return of(v), true
		}
		return "", false
	}
}

// forwardedFor is the client's address behind what proxies before us noted.
func forwardedFor(r *core.Request) string {
	addr := core.AddrHost(r.ClientAddr())
	if v, ok := core.HeaderByVar(r.In, "x_forwarded_for", ", "); ok {
		return v + ", " + addr
	}
	return addr
}

// config is what the proxy directives say in a location.
type config struct {
	upstream.Config
	pass *target

	setHeaders  []setHeader
	httpVersion core.Opt[int]
	// passTrailers: what follows a chunked body goes to the client too.
	passTrailers core.Opt[bool]
	closes       bool // requests say that theirs is the connection's last
	// skipsInterim: a 1xx is not the answer.
	skipsInterim bool
	method       core.Opt[core.Template]
	setBody      core.Opt[core.Template]
	redirects    []redirect
	redirectSet  redirectKind

	cookieDomains, cookiePaths rules[cookieRule]
	cookieFlags                rules[cookieFlags]
}

// setHeader is one proxy_set_header.
type setHeader struct {
	name, lower string
	value       core.Template
}

// merge inherits all but proxy_pass, which only blocks without a name take over:
// `if` and limit_except.
func merge(p, outer *config, isIf bool) {
	family.Merge(&p.Config, &outer.Config)
	if p.pass == nil && isIf {
		p.pass = outer.pass
	}
	if p.setHeaders == nil {
		p.setHeaders = outer.setHeaders
	}
	p.mergeRedirects(outer)
	p.passTrailers.Merge(outer.passTrailers, false)
	p.cookieDomains.inherit(outer.cookieDomains)
	p.cookiePaths.inherit(outer.cookiePaths)
	p.cookieFlags.inherit(outer.cookieFlags)
	p.httpVersion.Merge(outer.httpVersion, httpOfRelease)
	if !p.method.Set {
		p.method = outer.method
	}
	if !p.setBody.Set {
		p.setBody = outer.setBody
	}
}

func directives() []core.Directive {
	const where = core.InHTTPSrvLoc
	list := []core.Directive{
		{Name: "proxy_pass", In: core.InLocation | core.InLocationIf | core.InLimitExcept, Args: core.Take1, Set: setPass},
		{Name: "proxy_set_header", In: where, Args: core.Take2, Set: setSetHeader},
		{Name: "proxy_pass_trailers", In: where, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(p *config) *core.Opt[bool] { return &p.passTrailers }))},
		{Name: "proxy_http_version", In: where, Args: core.Take1, Set: setHTTPVersion},
		{Name: "proxy_method", In: where, Args: core.Take1, Set: core.SetTemplate(core.In(loc, func(p *config) *core.Opt[core.Template] { return &p.method }))},
		{Name: "proxy_set_body", In: where, Args: core.Take1, Set: core.SetTemplate(core.In(loc, func(p *config) *core.Opt[core.Template] { return &p.setBody }))},
		{Name: "proxy_redirect", In: where, Args: core.Take12, Set: setRedirect},
		{Name: "proxy_cookie_domain", In: where, Args: core.Take12, Set: setCookieDomain},
		{Name: "proxy_cookie_path", In: where, Args: core.Take12, Set: setCookiePath},
		{Name: "proxy_cookie_flags", In: where, Args: core.Take1234, Set: setCookieFlags},
		{Name: "proxy_headers_hash_max_size", In: where, Args: core.Take1, Set: core.DiscardNumber("proxy_headers_hash_max_size")},
		{Name: "proxy_headers_hash_bucket_size", In: where, Args: core.Take1, Set: core.DiscardNumber("proxy_headers_hash_bucket_size")},
		{Name: "proxy_send_lowat", In: where, Args: core.Take1, Set: core.DiscardLowat("proxy_send_lowat")},
	}
	return append(list, family.Directives(func(c *core.Compiler) *upstream.Config { return &loc.At(c).Config })...)
}

// Values of proxy_http_version.
const (
	http10 = iota
	http11
	httpOfRelease // as the OpenResty that is spoken does
)

// setHTTPVersion reads proxy_http_version.
func setHTTPVersion(c *core.Compiler, d *conf.Directive) error {
	if d.Args[0] == "2" && c.Cycle.Stack.Has(compat.HTTP2Upstreams) {
		return core.Refused("HTTP/2 to upstreams")(c, d)
	}
	return core.SetEnum(core.In(loc, func(p *config) *core.Opt[int] { return &p.httpVersion }), "1.0", "1.1")(c, d)
}

// invalidParameter is the complaint about an argument.
func invalidParameter(arg string) error { return fmt.Errorf("invalid parameter \"%s\"", arg) }

func setSetHeader(c *core.Compiler, d *conf.Directive) error {
	value, err := c.Template(d.Args[1])
	if err != nil {
		return err
	}
	p := loc.At(c)
	p.setHeaders = append(p.setHeaders, setHeader{d.Args[0], ngxtext.Lower(d.Args[0]), value})
	return nil
}
