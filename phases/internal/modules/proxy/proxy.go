// Package proxy is ngx_http_proxy_module.
package proxy

import (
	"fmt"
	"math"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
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

// build checks sizes, loads what TLS needs, and gives a limit_except block the
// location's proxy_pass.
func build(b *core.Builder, l *core.Location) {
	p := loc.Of(l)
	kept := b.Cycle.Stack.Has(compat.KeptUpstreams)
	p.closes, p.firstHeaders = !kept, b.Cycle.Stack.Has(compat.FirstUpstreamHeader)
	if p.httpVersion.V == httpOfRelease {
		p.httpVersion.V = http10
		if kept {
			p.httpVersion.V = http11
		}
	}
	if l != b.Cycle.HTTP { // http{} itself serves nothing
		if err := p.checkBuffers(); err != nil {
			b.Fail(err)
		}
	}
	if err := buildTLS(b.Compiler, p); err != nil {
		b.Fail(err)
	}
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
	pass *target

	setHeaders       []setHeader
	httpVersion      core.Opt[int]
	firstHeaders     bool // further lines of some headers of an upstream are dropped
	closes           bool // requests say that theirs is the connection's last
	buffering        core.Opt[bool]
	requestBuffering core.Opt[bool]
	passBody         core.Opt[bool]
	passHeaders      core.Opt[bool]
	intercept        core.Opt[bool]
	ignoreAbort      core.Opt[bool]
	socketKeepalive  core.Opt[bool]
	connect          core.Opt[time.Duration]
	send             core.Opt[time.Duration]
	read             core.Opt[time.Duration]
	method           core.Opt[core.Template]
	setBody          core.Opt[core.Template]
	next             core.Opt[nextKind]
	nextTries        core.Opt[int]
	nextTimeout      core.Opt[time.Duration]
	hide             []string
	passThrough      []string
	ignoreHeaders    []string
	redirects        []redirect
	redirectSet      redirectKind
	bufferSize       core.Opt[int64]
	buffers          core.Opt[core.Buffers]
	busy             core.Opt[int64] // proxy_busy_buffers_size
	maxTemp          core.Opt[int64] // proxy_max_temp_file_size
	tempWrite        core.Opt[int64] // proxy_temp_file_write_size
	bind             core.Opt[bind]

	sslName       core.Opt[core.Template]
	sslServerName core.Opt[bool]
	sslVerify     core.Opt[bool]
	sslReuse      core.Opt[bool]
	ssl           tlsclient.Client
}

// setHeader is one proxy_set_header.
type setHeader struct {
	name, lower string
	value       core.Template
}

// merge inherits all but proxy_pass, which only blocks without a name take over:
// `if` and limit_except.
func merge(p, outer *config, isIf bool) {
	if p.pass == nil && isIf {
		p.pass = outer.pass
	}
	if p.setHeaders == nil {
		p.setHeaders = outer.setHeaders
	}
	if p.hide == nil {
		p.hide = outer.hide
	}
	if p.passThrough == nil {
		p.passThrough = outer.passThrough
	}
	if p.ignoreHeaders == nil {
		p.ignoreHeaders = outer.ignoreHeaders
	}
	p.mergeRedirects(outer)
	p.httpVersion.Merge(outer.httpVersion, httpOfRelease)
	p.buffering.Merge(outer.buffering, true)
	p.requestBuffering.Merge(outer.requestBuffering, true)
	p.passBody.Merge(outer.passBody, true)
	p.passHeaders.Merge(outer.passHeaders, true)
	p.intercept.Merge(outer.intercept, false)
	p.ignoreAbort.Merge(outer.ignoreAbort, false)
	p.socketKeepalive.Merge(outer.socketKeepalive, false)
	p.connect.Merge(outer.connect, time.Minute)
	p.send.Merge(outer.send, time.Minute)
	p.read.Merge(outer.read, time.Minute)
	p.method.Merge(outer.method, core.Template{})
	if !p.setBody.Set {
		p.setBody = outer.setBody
	}
	p.next.Merge(outer.next, nextError|nextTimeout)
	p.nextTries.Merge(outer.nextTries, 0)
	p.nextTimeout.Merge(outer.nextTimeout, 0)
	p.mergeBuffers(outer)
	if !p.bind.Set {
		p.bind = outer.bind
	}
	p.sslName.Merge(outer.sslName, core.Template{})
	p.sslServerName.Merge(outer.sslServerName, false)
	p.sslVerify.Merge(outer.sslVerify, false)
	p.sslReuse.Merge(outer.sslReuse, true)
	p.ssl.Merge(&outer.ssl)
}

func directives() []core.Directive {
	const where = core.InHTTPSrvLoc
	on := func(f func(p *config) *core.Opt[bool]) core.Setter { return core.SetFlag(core.In(loc, f)) }
	list := []core.Directive{
		{Name: "proxy_pass", In: core.InLocation | core.InLocationIf | core.InLimitExcept, Args: core.Take1, Set: setPass},
		{Name: "proxy_set_header", In: where, Args: core.Take2, Set: setSetHeader},
		{Name: "proxy_http_version", In: where, Args: core.Take1, Set: setHTTPVersion},
		{Name: "proxy_buffering", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.buffering })},
		{Name: "proxy_request_buffering", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.requestBuffering })},
		{Name: "proxy_pass_request_body", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.passBody })},
		{Name: "proxy_pass_request_headers", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.passHeaders })},
		{Name: "proxy_intercept_errors", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.intercept })},
		{Name: "proxy_ignore_client_abort", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.ignoreAbort })},
		{Name: "proxy_socket_keepalive", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.socketKeepalive })},
		{Name: "proxy_connect_timeout", In: where, Args: core.Take1, Set: core.SetMsec(core.In(loc, func(p *config) *core.Opt[time.Duration] { return &p.connect }))},
		{Name: "proxy_send_timeout", In: where, Args: core.Take1, Set: core.SetMsec(core.In(loc, func(p *config) *core.Opt[time.Duration] { return &p.send }))},
		{Name: "proxy_read_timeout", In: where, Args: core.Take1, Set: core.SetMsec(core.In(loc, func(p *config) *core.Opt[time.Duration] { return &p.read }))},
		{Name: "proxy_method", In: where, Args: core.Take1, Set: core.SetTemplate(core.In(loc, func(p *config) *core.Opt[core.Template] { return &p.method }))},
		{Name: "proxy_set_body", In: where, Args: core.Take1, Set: core.SetTemplate(core.In(loc, func(p *config) *core.Opt[core.Template] { return &p.setBody }))},
		{Name: "proxy_next_upstream", In: where, Args: core.TakeMore1, Set: setNext},
		{Name: "proxy_next_upstream_tries", In: where, Args: core.Take1, Set: core.SetNumber(core.In(loc, func(p *config) *core.Opt[int] { return &p.nextTries }))},
		{Name: "proxy_next_upstream_timeout", In: where, Args: core.Take1, Set: core.SetMsec(core.In(loc, func(p *config) *core.Opt[time.Duration] { return &p.nextTimeout }))},
		{Name: "proxy_hide_header", In: where, Args: core.Take1, Set: appendWord(func(p *config) *[]string { return &p.hide })},
		{Name: "proxy_pass_header", In: where, Args: core.Take1, Set: appendWord(func(p *config) *[]string { return &p.passThrough })},
		{Name: "proxy_ignore_headers", In: where, Args: core.TakeMore1, Set: setIgnore},
		{Name: "proxy_redirect", In: where, Args: core.Take12, Set: setRedirect},
		{Name: "proxy_buffer_size", In: where, Args: core.Take1, Set: core.SetSize(core.In(loc, func(p *config) *core.Opt[int64] { return &p.bufferSize }))},
		{Name: "proxy_buffers", In: where, Args: core.Take2, Set: core.SetBuffers(core.In(loc, func(p *config) *core.Opt[core.Buffers] { return &p.buffers }))},
		{Name: "proxy_busy_buffers_size", In: where, Args: core.Take1, Set: core.SetSize(core.In(loc, func(p *config) *core.Opt[int64] { return &p.busy }))},
		{Name: "proxy_max_temp_file_size", In: where, Args: core.Take1, Set: core.SetSize(core.In(loc, func(p *config) *core.Opt[int64] { return &p.maxTemp }))},
		{Name: "proxy_temp_file_write_size", In: where, Args: core.Take1, Set: core.SetSize(core.In(loc, func(p *config) *core.Opt[int64] { return &p.tempWrite }))},
		{Name: "proxy_send_lowat", In: where, Args: core.Take1, Set: core.DiscardLowat("proxy_send_lowat")},
		{Name: "proxy_cache_valid", In: where, Args: core.TakeMore1, Set: checkCacheValid},
		{Name: "proxy_cache_lock_timeout", In: where, Args: core.Take1, Set: core.DiscardTime("proxy_cache_lock_timeout")},
		{Name: "proxy_cache_lock_age", In: where, Args: core.Take1, Set: core.DiscardTime("proxy_cache_lock_age")},
		{Name: "proxy_cache_min_uses", In: where, Args: core.Take1, Set: core.DiscardNumber("proxy_cache_min_uses")},
		{Name: "proxy_cache_max_range_offset", In: where, Args: core.Take1, Set: core.DiscardOffset("proxy_cache_max_range_offset")},
		{Name: "proxy_bind", In: where, Args: core.Take12, Set: setBind},
		{Name: "proxy_ssl_name", In: where, Args: core.Take1, Set: core.SetTemplate(core.In(loc, func(p *config) *core.Opt[core.Template] { return &p.sslName }))},
		{Name: "proxy_ssl_server_name", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.sslServerName })},
		{Name: "proxy_ssl_verify", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.sslVerify })},
		{Name: "proxy_ssl_session_reuse", In: where, Args: core.TakeFlag, Set: on(func(p *config) *core.Opt[bool] { return &p.sslReuse })},
	}
	// The details of the response cache, whose first directive says that there is none.
	for _, name := range []string{
		"proxy_cache_path", "proxy_cache_key", "proxy_cache_lock",
		"proxy_cache_bypass", "proxy_no_cache", "proxy_cache_methods", "proxy_cache_use_stale",
		"proxy_cache_revalidate", "proxy_cache_background_update", "proxy_cache_convert_head",
	} {
		list = append(list, core.Directive{Name: name, In: where, Args: core.TakeMore1, Set: core.Ignored})
	}
	list = append(list,
		core.Directive{Name: "proxy_cache", In: where, Args: core.Take1, Set: refusedUnless("off", "responses are not cached")},
		core.Directive{Name: "proxy_store", In: where, Args: core.Take1, Set: refusedUnless("off", "responses are not stored as files")},
		core.Directive{Name: "proxy_store_access", In: where, Args: core.TakeMore1, Set: core.Ignored},
		core.Directive{Name: "proxy_limit_rate", In: where, Args: core.Take1, Set: setProxyLimitRate},
		core.Directive{Name: "proxy_force_ranges", In: where, Args: core.TakeFlag, Set: refusedUnless("off", "ranges of proxied responses would not be answered")},
	)
	return append(list, tlsclient.Directives(sslPrefix, func(c *core.Compiler) *tlsclient.Client { return &loc.At(c).ssl })...)
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

// refusedUnless is refused for every value but the one that asks for nothing.
func refusedUnless(idle, what string) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		if d.Args[0] == idle {
			return nil
		}
		return core.Refused(what)(c, d)
	}
}

func appendWord(field func(p *config) *[]string) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		f := field(loc.At(c))
		*f = append(*f, d.Args...)
		return nil
	}
}

func setIgnore(c *core.Compiler, d *conf.Directive) error {
	for _, arg := range d.Args {
		if !ignorableHeaders[ngxtext.Lower(arg)] {
			return fmt.Errorf("invalid value \"%s\"", arg)
		}
	}
	p := loc.At(c)
	p.ignoreHeaders = append(p.ignoreHeaders, d.Args...)
	return nil
}

func setSetHeader(c *core.Compiler, d *conf.Directive) error {
	value, err := c.Template(d.Args[1])
	if err != nil {
		return err
	}
	p := loc.At(c)
	p.setHeaders = append(p.setHeaders, setHeader{d.Args[0], ngxtext.Lower(d.Args[0]), value})
	return nil
}

// checkCacheValid reads proxy_cache_valid [CODE...] TIME.
func checkCacheValid(_ *core.Compiler, d *conf.Directive) error {
	last := d.Args[len(d.Args)-1]
	if _, ok := ngxtext.ParseSeconds(last); !ok {
		return fmt.Errorf("invalid time value \"%s\"", last)
	}
	return nil
}

func setProxyLimitRate(c *core.Compiler, d *conf.Directive) error {
	n, ok := ngxtext.ParseSize(d.Args[0], false)
	switch {
	case !ok:
		return core.ErrInvalidValue
	case n > 0:
		return core.Refused("upstreams would be read from as fast as they send")(c, d)
	}
	return nil
}

// mergeBuffers inherits the sizes around proxy_buffers, of which only
// proxy_buffer_size means something here. Two have defaults that depend on others.
func (p *config) mergeBuffers(outer *config) {
	p.bufferSize.Merge(outer.bufferSize, 4096)
	p.buffers.Merge(outer.buffers, core.Buffers{Count: 8, Size: 4096})
	p.maxTemp.Merge(outer.maxTemp, 1<<30)
	if !p.busy.Set {
		p.busy = outer.busy
	}
	if !p.tempWrite.Set {
		p.tempWrite = outer.tempWrite
	}
}

// checkBuffers looks whether the sizes around proxy_buffers fit together
// (ngx_http_proxy_merge_loc_conf).
func (p *config) checkBuffers() error {
	bufs := p.buffers.V
	most := max(p.bufferSize.V, bufs.Size)
	const atLeast = "must be equal to or greater than the maximum of the value of \"proxy_buffer_size\" and one of the \"proxy_buffers\""
	switch busy := p.busy.OrDefault(int64(min(2*uint64(most), math.MaxInt64))); {
	case bufs.Count < 2:
		return fmt.Errorf("there must be at least 2 \"proxy_buffers\"")
	case busy < most:
		return fmt.Errorf("\"proxy_busy_buffers_size\" %s", atLeast)
	case (busy-1)/bufs.Size >= int64(bufs.Count-1):
		return fmt.Errorf("\"proxy_busy_buffers_size\" must be less than the size of all \"proxy_buffers\" minus one buffer")
	case p.tempWrite.OrDefault(most) < most:
		return fmt.Errorf("\"proxy_temp_file_write_size\" %s", atLeast)
	case p.maxTemp.V > 0 && p.maxTemp.V < most:
		return fmt.Errorf("\"proxy_max_temp_file_size\" must be equal to zero to disable temporary files usage or %s", atLeast)
	}
	return nil
}
