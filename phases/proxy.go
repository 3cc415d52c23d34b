package phases

import (
	"fmt"
	"math"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// proxyModule is ngx_http_proxy_module.
var proxyModule = &Module{
	name:       "proxy",
	directives: proxyDirectives,
	variables:  proxyVariables,
	conf:       []confSlot{proxyLoc},
	build:      buildProxy,
	clear:      proxyNote.drop,
}

var (
	proxyLoc  = newLocSlot(mergeProxy)
	proxyNote = newNote[proxyVars](nil)
)

// buildProxy checks sizes, loads what TLS needs, and gives a limit_except block the
// location's proxy_pass.
func buildProxy(b *builder, l *Location) {
	p := proxyLoc.of(l)
	if l != b.cycle.http { // http{} itself serves nothing
		if err := p.checkBuffers(); err != nil {
			b.fail(err)
		}
	}
	if err := buildProxySSL(b.compiler, p); err != nil {
		b.fail(err)
	}
	if p.pass != nil && l.handler == nil && l.isLimited() {
		l.handler = proxyHandler
	}
}

// proxyVars are what the variables tell of the proxy_pass that answers a request.
type proxyVars struct{ host, port string }

// proxyVariables are those of ngx_http_proxy_module.
func proxyVariables() []variable {
	return []variable{
		{name: "proxy_host", volatile: true, get: proxyVar(func(v *proxyVars) string { return v.host })},
		{name: "proxy_port", volatile: true, get: proxyVar(func(v *proxyVars) string { return v.port })},
		{name: "proxy_add_x_forwarded_for", volatile: true, get: always(forwardedFor)},
	}
}

// proxyVar makes a variable that has no value before its proxy_pass runs.
func proxyVar(of func(v *proxyVars) string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if v := proxyNote.get(r); v != nil {
			return of(v), true
		}
		return "", false
	}
}

// forwardedFor is the client's address behind what proxies before us noted.
func forwardedFor(r *Request) string {
	addr := addrHost(r.Main.Conn.RemoteAddr())
	if v, ok := headerByVar(r.In, "x_forwarded_for", ", "); ok {
		return v + ", " + addr
	}
	return addr
}

// proxyConf is what the proxy directives say in a location.
type proxyConf struct {
	pass *proxyTarget

	setHeaders       []proxyHeader
	httpVersion      opt[int] // 0: 1.0, 1: 1.1
	buffering        opt[bool]
	requestBuffering opt[bool]
	passBody         opt[bool]
	passHeaders      opt[bool]
	intercept        opt[bool]
	ignoreAbort      opt[bool]
	socketKeepalive  opt[bool]
	connect          opt[time.Duration]
	send             opt[time.Duration]
	read             opt[time.Duration]
	method           opt[template]
	setBody          opt[template]
	next             opt[nextKind]
	nextTries        opt[int]
	nextTimeout      opt[time.Duration]
	hide             []string
	passThrough      []string
	ignoreHeaders    []string
	redirects        []proxyRedirect
	redirectSet      redirectKind
	bufferSize       opt[int64]
	buffers          opt[buffers]
	busy             opt[int64] // proxy_busy_buffers_size
	maxTemp          opt[int64] // proxy_max_temp_file_size
	tempWrite        opt[int64] // proxy_temp_file_write_size
	bind             opt[proxyBind]

	sslName       opt[template]
	sslServerName opt[bool]
	sslVerify     opt[bool]
	sslReuse      opt[bool]
	ssl           tlsClient
}

// proxyHeader is one proxy_set_header.
type proxyHeader struct {
	name, lower string
	value       template
}

// mergeProxy inherits all but proxy_pass, which only blocks without a name take over:
// `if` and limit_except.
func mergeProxy(p, outer *proxyConf, isIf bool) {
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
	p.httpVersion.merge(outer.httpVersion, 0)
	p.buffering.merge(outer.buffering, true)
	p.requestBuffering.merge(outer.requestBuffering, true)
	p.passBody.merge(outer.passBody, true)
	p.passHeaders.merge(outer.passHeaders, true)
	p.intercept.merge(outer.intercept, false)
	p.ignoreAbort.merge(outer.ignoreAbort, false)
	p.socketKeepalive.merge(outer.socketKeepalive, false)
	p.connect.merge(outer.connect, time.Minute)
	p.send.merge(outer.send, time.Minute)
	p.read.merge(outer.read, time.Minute)
	p.method.merge(outer.method, template{})
	if !p.setBody.set {
		p.setBody = outer.setBody
	}
	p.next.merge(outer.next, nextError|nextTimeout)
	p.nextTries.merge(outer.nextTries, 0)
	p.nextTimeout.merge(outer.nextTimeout, 0)
	p.mergeBuffers(outer)
	if !p.bind.set {
		p.bind = outer.bind
	}
	p.sslName.merge(outer.sslName, template{})
	p.sslServerName.merge(outer.sslServerName, false)
	p.sslVerify.merge(outer.sslVerify, false)
	p.sslReuse.merge(outer.sslReuse, true)
	p.ssl.merge(&outer.ssl)
}

func proxyDirectives() []directive {
	const where = inHTTPSrvLoc
	on := func(f func(p *proxyConf) *opt[bool]) setter { return onOff(in(proxyLoc, f)) }
	list := []directive{
		{"proxy_pass", inLocation | inLocationIf | inLimitExcept, take1, setProxyPass},
		{"proxy_set_header", where, take2, setProxyHeader},
		{"proxy_http_version", where, take1, enum(in(proxyLoc, func(p *proxyConf) *opt[int] { return &p.httpVersion }), "1.0", "1.1")},
		{"proxy_buffering", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.buffering })},
		{"proxy_request_buffering", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.requestBuffering })},
		{"proxy_pass_request_body", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.passBody })},
		{"proxy_pass_request_headers", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.passHeaders })},
		{"proxy_intercept_errors", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.intercept })},
		{"proxy_ignore_client_abort", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.ignoreAbort })},
		{"proxy_socket_keepalive", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.socketKeepalive })},
		{"proxy_connect_timeout", where, take1, duration(in(proxyLoc, func(p *proxyConf) *opt[time.Duration] { return &p.connect }))},
		{"proxy_send_timeout", where, take1, duration(in(proxyLoc, func(p *proxyConf) *opt[time.Duration] { return &p.send }))},
		{"proxy_read_timeout", where, take1, duration(in(proxyLoc, func(p *proxyConf) *opt[time.Duration] { return &p.read }))},
		{"proxy_method", where, take1, setTemplate(in(proxyLoc, func(p *proxyConf) *opt[template] { return &p.method }))},
		{"proxy_set_body", where, take1, setTemplate(in(proxyLoc, func(p *proxyConf) *opt[template] { return &p.setBody }))},
		{"proxy_next_upstream", where, takeMore1, setProxyNext},
		{"proxy_next_upstream_tries", where, take1, number(in(proxyLoc, func(p *proxyConf) *opt[int] { return &p.nextTries }))},
		{"proxy_next_upstream_timeout", where, take1, duration(in(proxyLoc, func(p *proxyConf) *opt[time.Duration] { return &p.nextTimeout }))},
		{"proxy_hide_header", where, take1, appendWord(func(p *proxyConf) *[]string { return &p.hide })},
		{"proxy_pass_header", where, take1, appendWord(func(p *proxyConf) *[]string { return &p.passThrough })},
		{"proxy_ignore_headers", where, takeMore1, setProxyIgnore},
		{"proxy_redirect", where, take12, setProxyRedirect},
		{"proxy_buffer_size", where, take1, size(in(proxyLoc, func(p *proxyConf) *opt[int64] { return &p.bufferSize }))},
		{"proxy_buffers", where, take2, putBuffers(in(proxyLoc, func(p *proxyConf) *opt[buffers] { return &p.buffers }))},
		{"proxy_busy_buffers_size", where, take1, size(in(proxyLoc, func(p *proxyConf) *opt[int64] { return &p.busy }))},
		{"proxy_max_temp_file_size", where, take1, size(in(proxyLoc, func(p *proxyConf) *opt[int64] { return &p.maxTemp }))},
		{"proxy_temp_file_write_size", where, take1, size(in(proxyLoc, func(p *proxyConf) *opt[int64] { return &p.tempWrite }))},
		{"proxy_send_lowat", where, take1, discardLowat("proxy_send_lowat")},
		{"proxy_cache_valid", where, takeMore1, checkCacheValid},
		{"proxy_cache_lock_timeout", where, take1, discardTime("proxy_cache_lock_timeout")},
		{"proxy_cache_lock_age", where, take1, discardTime("proxy_cache_lock_age")},
		{"proxy_cache_min_uses", where, take1, discardNumber("proxy_cache_min_uses")},
		{"proxy_cache_max_range_offset", where, take1, discardOffset("proxy_cache_max_range_offset")},
		{"proxy_bind", where, take12, setProxyBind},
		{"proxy_ssl_name", where, take1, setTemplate(in(proxyLoc, func(p *proxyConf) *opt[template] { return &p.sslName }))},
		{"proxy_ssl_server_name", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.sslServerName })},
		{"proxy_ssl_verify", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.sslVerify })},
		{"proxy_ssl_session_reuse", where, takeFlag, on(func(p *proxyConf) *opt[bool] { return &p.sslReuse })},
	}
	// The details of the response cache, whose first directive says that there is none.
	for _, name := range []string{
		"proxy_cache_path", "proxy_cache_key", "proxy_cache_lock",
		"proxy_cache_bypass", "proxy_no_cache", "proxy_cache_methods", "proxy_cache_use_stale",
		"proxy_cache_revalidate", "proxy_cache_background_update", "proxy_cache_convert_head",
	} {
		list = append(list, directive{name, where, takeMore1, ignored})
	}
	list = append(list,
		directive{"proxy_cache", where, take1, refusedUnless("off", "responses are not cached")},
		directive{"proxy_store", where, take1, refusedUnless("off", "responses are not stored as files")},
		directive{"proxy_store_access", where, takeMore1, ignored},
		directive{"proxy_limit_rate", where, take1, setProxyLimitRate},
		directive{"proxy_force_ranges", where, takeFlag, refusedUnless("off", "ranges of proxied responses would not be answered")},
	)
	return append(list, tlsClientDirectives(proxySSL, func(c *compiler) *tlsClient { return &proxyLoc.at(c).ssl })...)
}

// refusedUnless is refused for every value but the one that asks for nothing.
func refusedUnless(idle, what string) setter {
	return func(c *compiler, d *conf.Directive) error {
		if d.Args[0] == idle {
			return nil
		}
		return refused(what)(c, d)
	}
}

func appendWord(field func(p *proxyConf) *[]string) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(proxyLoc.at(c))
		*f = append(*f, d.Args...)
		return nil
	}
}

func setProxyIgnore(c *compiler, d *conf.Directive) error {
	for _, arg := range d.Args {
		if !ignorableHeaders[lowerString(arg)] {
			return fmt.Errorf("invalid value \"%s\"", arg)
		}
	}
	p := proxyLoc.at(c)
	p.ignoreHeaders = append(p.ignoreHeaders, d.Args...)
	return nil
}

func setProxyHeader(c *compiler, d *conf.Directive) error {
	value, err := c.template(d.Args[1])
	if err != nil {
		return err
	}
	p := proxyLoc.at(c)
	p.setHeaders = append(p.setHeaders, proxyHeader{d.Args[0], lowerString(d.Args[0]), value})
	return nil
}

// checkCacheValid reads proxy_cache_valid [CODE...] TIME.
func checkCacheValid(_ *compiler, d *conf.Directive) error {
	last := d.Args[len(d.Args)-1]
	if _, ok := parseSeconds(last); !ok {
		return fmt.Errorf("invalid time value \"%s\"", last)
	}
	return nil
}

func setProxyLimitRate(c *compiler, d *conf.Directive) error {
	n, ok := parseSize(d.Args[0], false)
	switch {
	case !ok:
		return errInvalidValue
	case n > 0:
		return refused("upstreams would be read from as fast as they send")(c, d)
	}
	return nil
}

// mergeBuffers inherits the sizes around proxy_buffers, of which only
// proxy_buffer_size means something here. Two have defaults that depend on others.
func (p *proxyConf) mergeBuffers(outer *proxyConf) {
	p.bufferSize.merge(outer.bufferSize, 4096)
	p.buffers.merge(outer.buffers, buffers{8, 4096})
	p.maxTemp.merge(outer.maxTemp, 1<<30)
	if !p.busy.set {
		p.busy = outer.busy
	}
	if !p.tempWrite.set {
		p.tempWrite = outer.tempWrite
	}
}

// checkBuffers looks whether the sizes around proxy_buffers fit together
// (ngx_http_proxy_merge_loc_conf).
func (p *proxyConf) checkBuffers() error {
	bufs := p.buffers.v
	most := max(p.bufferSize.v, bufs.size)
	const atLeast = "must be equal to or greater than the maximum of the value of \"proxy_buffer_size\" and one of the \"proxy_buffers\""
	switch busy := p.busy.orDefault(int64(min(2*uint64(most), math.MaxInt64))); {
	case bufs.count < 2:
		return fmt.Errorf("there must be at least 2 \"proxy_buffers\"")
	case busy < most:
		return fmt.Errorf("\"proxy_busy_buffers_size\" %s", atLeast)
	case (busy-1)/bufs.size >= int64(bufs.count-1):
		return fmt.Errorf("\"proxy_busy_buffers_size\" must be less than the size of all \"proxy_buffers\" minus one buffer")
	case p.tempWrite.orDefault(most) < most:
		return fmt.Errorf("\"proxy_temp_file_write_size\" %s", atLeast)
	case p.maxTemp.v > 0 && p.maxTemp.v < most:
		return fmt.Errorf("\"proxy_max_temp_file_size\" must be equal to zero to disable temporary files usage or %s", atLeast)
	}
	return nil
}
