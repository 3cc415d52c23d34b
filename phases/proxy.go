package phases

import (
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// proxyConf is what the proxy directives say in a location.
type proxyConf struct {
	proxyPass *proxyTarget

	proxySetHeaders      []proxyHeader
	proxyHTTPVersion     opt[int] // 0: 1.0, 1: 1.1
	proxyBuffering       opt[bool]
	proxyBuffersRequest  opt[bool]
	proxyPassBody        opt[bool]
	proxyPassHeaders     opt[bool]
	proxyIntercept       opt[bool]
	proxyIgnoreAbort     opt[bool]
	proxySocketKeepalive opt[bool]
	proxyConnect         opt[time.Duration]
	proxySend            opt[time.Duration]
	proxyRead            opt[time.Duration]
	proxyMethod          opt[template]
	proxySetBody         opt[template]
	proxyNext            opt[nextKind]
	proxyNextTries       opt[int]
	proxyNextTimeout     opt[time.Duration]
	proxyHide            []string
	proxyPassThrough     []string
	proxyIgnoreHeaders   []string
	proxyRedirects       []proxyRedirect
	proxyRedirectSet     redirectKind
	proxyBufferSize      opt[int64]
	proxyBuffers         opt[buffers]
	proxyBusy            opt[int64] // proxy_busy_buffers_size
	proxyMaxTemp         opt[int64] // proxy_max_temp_file_size
	proxyTempWrite       opt[int64] // proxy_temp_file_write_size
	proxyBind            opt[proxyBind]

	proxySSLName       opt[template]
	proxySSLServerName opt[bool]
	proxySSLVerify     opt[bool]
	proxySSLReuse      opt[bool]
	proxySSL           tlsClient
}

// proxyHeader is one proxy_set_header.
type proxyHeader struct {
	name, lower string
	value       template
}

// proxyRedirect is one proxy_redirect: a prefix of Location and what replaces it.
type proxyRedirect struct {
	from, to  template
	re        *confRegex
	isDefault bool // stands for what proxy_pass says
}

// redirectKind says whether a level has a proxy_redirect of its own.
type redirectKind uint8

const (
	redirectUnset redirectKind = iota
	redirectOn
	redirectOff
)

// merge inherits all but proxy_pass, which only blocks without a name take over:
// `if` and limit_except.
func (p *proxyConf) merge(outer *proxyConf, isIf bool) {
	if p.proxyPass == nil && isIf {
		p.proxyPass = outer.proxyPass
	}
	if p.proxySetHeaders == nil {
		p.proxySetHeaders = outer.proxySetHeaders
	}
	if p.proxyHide == nil {
		p.proxyHide = outer.proxyHide
	}
	if p.proxyPassThrough == nil {
		p.proxyPassThrough = outer.proxyPassThrough
	}
	if p.proxyIgnoreHeaders == nil {
		p.proxyIgnoreHeaders = outer.proxyIgnoreHeaders
	}
	p.mergeRedirects(outer)
	p.proxyHTTPVersion.merge(outer.proxyHTTPVersion, 0)
	p.proxyBuffering.merge(outer.proxyBuffering, true)
	p.proxyBuffersRequest.merge(outer.proxyBuffersRequest, true)
	p.proxyPassBody.merge(outer.proxyPassBody, true)
	p.proxyPassHeaders.merge(outer.proxyPassHeaders, true)
	p.proxyIntercept.merge(outer.proxyIntercept, false)
	p.proxyIgnoreAbort.merge(outer.proxyIgnoreAbort, false)
	p.proxySocketKeepalive.merge(outer.proxySocketKeepalive, false)
	p.proxyConnect.merge(outer.proxyConnect, time.Minute)
	p.proxySend.merge(outer.proxySend, time.Minute)
	p.proxyRead.merge(outer.proxyRead, time.Minute)
	p.proxyMethod.merge(outer.proxyMethod, template{})
	if !p.proxySetBody.set {
		p.proxySetBody = outer.proxySetBody
	}
	p.proxyNext.merge(outer.proxyNext, nextError|nextTimeout)
	p.proxyNextTries.merge(outer.proxyNextTries, 0)
	p.proxyNextTimeout.merge(outer.proxyNextTimeout, 0)
	p.mergeBuffers(outer)
	if !p.proxyBind.set {
		p.proxyBind = outer.proxyBind
	}
	p.proxySSLName.merge(outer.proxySSLName, template{})
	p.proxySSLServerName.merge(outer.proxySSLServerName, false)
	p.proxySSLVerify.merge(outer.proxySSLVerify, false)
	p.proxySSLReuse.merge(outer.proxySSLReuse, true)
	p.proxySSL.merge(&outer.proxySSL)
}

// mergeRedirects settles the rules of proxy_redirect; without any the default one
// holds (ngx_http_proxy_merge_loc_conf).
func (p *proxyConf) mergeRedirects(outer *proxyConf) {
	if p.proxyRedirectSet == redirectUnset {
		p.proxyRedirectSet, p.proxyRedirects = outer.proxyRedirectSet, outer.proxyRedirects
		if p.proxyRedirectSet == redirectUnset && p.proxyPass != nil && p.proxyPass.vars.isStatic() {
			p.proxyRedirectSet = redirectOn
			p.proxyRedirects = []proxyRedirect{{isDefault: true}}
		}
	}
	for i := range p.proxyRedirects {
		if p.proxyRedirects[i].isDefault && p.proxyPass != nil {
			p.proxyRedirects[i] = p.proxyPass.defaultRedirect()
		}
	}
}

// defaultRedirect turns what proxy_pass names back into the location.
func (t *proxyTarget) defaultRedirect() proxyRedirect {
	if t.uri != "" {
		return proxyRedirect{from: template{lit: t.url}, to: template{lit: t.location}}
	}
	return proxyRedirect{from: template{lit: t.url + "/"}, to: template{lit: "/"}}
}

func proxyDirectives() []directive {
	const where = inHTTPSrvLoc
	on := func(f func(l *Location) *opt[bool]) setter { return onOff(loc(f)) }
	list := []directive{
		{"proxy_pass", inLocation | inLocationIf | inLimitExcept, take1, setProxyPass},
		{"proxy_set_header", where, take2, setProxyHeader},
		{"proxy_http_version", where, take1, enum(loc(func(l *Location) *opt[int] { return &l.proxyHTTPVersion }), "1.0", "1.1")},
		{"proxy_buffering", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyBuffering })},
		{"proxy_request_buffering", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyBuffersRequest })},
		{"proxy_pass_request_body", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyPassBody })},
		{"proxy_pass_request_headers", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyPassHeaders })},
		{"proxy_intercept_errors", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyIntercept })},
		{"proxy_ignore_client_abort", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyIgnoreAbort })},
		{"proxy_socket_keepalive", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxySocketKeepalive })},
		{"proxy_connect_timeout", where, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.proxyConnect }))},
		{"proxy_send_timeout", where, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.proxySend }))},
		{"proxy_read_timeout", where, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.proxyRead }))},
		{"proxy_method", where, take1, setTemplate(loc(func(l *Location) *opt[template] { return &l.proxyMethod }))},
		{"proxy_set_body", where, take1, setTemplate(loc(func(l *Location) *opt[template] { return &l.proxySetBody }))},
		{"proxy_next_upstream", where, takeMore1, setProxyNext},
		{"proxy_next_upstream_tries", where, take1, number(loc(func(l *Location) *opt[int] { return &l.proxyNextTries }))},
		{"proxy_next_upstream_timeout", where, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.proxyNextTimeout }))},
		{"proxy_hide_header", where, take1, appendWord(func(l *Location) *[]string { return &l.proxyHide })},
		{"proxy_pass_header", where, take1, appendWord(func(l *Location) *[]string { return &l.proxyPassThrough })},
		{"proxy_ignore_headers", where, takeMore1, setProxyIgnore},
		{"proxy_redirect", where, take12, setProxyRedirect},
		{"proxy_buffer_size", where, take1, size(loc(func(l *Location) *opt[int64] { return &l.proxyBufferSize }))},
		{"proxy_buffers", where, take2, putBuffers(loc(func(l *Location) *opt[buffers] { return &l.proxyBuffers }))},
		{"proxy_busy_buffers_size", where, take1, size(loc(func(l *Location) *opt[int64] { return &l.proxyBusy }))},
		{"proxy_max_temp_file_size", where, take1, size(loc(func(l *Location) *opt[int64] { return &l.proxyMaxTemp }))},
		{"proxy_temp_file_write_size", where, take1, size(loc(func(l *Location) *opt[int64] { return &l.proxyTempWrite }))},
		{"proxy_send_lowat", where, take1, discardLowat("proxy_send_lowat")},
		{"proxy_cache_valid", where, takeMore1, checkCacheValid},
		{"proxy_cache_lock_timeout", where, take1, discardTime("proxy_cache_lock_timeout")},
		{"proxy_cache_lock_age", where, take1, discardTime("proxy_cache_lock_age")},
		{"proxy_cache_min_uses", where, take1, discardNumber("proxy_cache_min_uses")},
		{"proxy_cache_max_range_offset", where, take1, discardOffset("proxy_cache_max_range_offset")},
		{"proxy_bind", where, take12, setProxyBind},
		{"proxy_ssl_name", where, take1, setTemplate(loc(func(l *Location) *opt[template] { return &l.proxySSLName }))},
		{"proxy_ssl_server_name", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxySSLServerName })},
		{"proxy_ssl_verify", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxySSLVerify })},
		{"proxy_ssl_session_reuse", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxySSLReuse })},
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
	return append(list, tlsClientDirectives(proxySSL, func(c *compiler) *tlsClient { return &c.loc.proxySSL })...)
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

func appendWord(field func(l *Location) *[]string) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(c.loc)
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
	c.loc.proxyIgnoreHeaders = append(c.loc.proxyIgnoreHeaders, d.Args...)
	return nil
}

func setProxyHeader(c *compiler, d *conf.Directive) error {
	value, err := c.template(d.Args[1])
	if err != nil {
		return err
	}
	c.loc.proxySetHeaders = append(c.loc.proxySetHeaders, proxyHeader{d.Args[0], lowerString(d.Args[0]), value})
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
	p.proxyBufferSize.merge(outer.proxyBufferSize, 4096)
	p.proxyBuffers.merge(outer.proxyBuffers, buffers{8, 4096})
	p.proxyMaxTemp.merge(outer.proxyMaxTemp, 1<<30)
	if !p.proxyBusy.set {
		p.proxyBusy = outer.proxyBusy
	}
	if !p.proxyTempWrite.set {
		p.proxyTempWrite = outer.proxyTempWrite
	}
}

// checkBuffers looks whether the sizes around proxy_buffers fit together
// (ngx_http_proxy_merge_loc_conf).
func (p *proxyConf) checkBuffers() error {
	bufs := p.proxyBuffers.v
	most := max(p.proxyBufferSize.v, bufs.size)
	const atLeast = "must be equal to or greater than the maximum of the value of \"proxy_buffer_size\" and one of the \"proxy_buffers\""
	switch busy := p.proxyBusy.orDefault(int64(min(2*uint64(most), math.MaxInt64))); {
	case bufs.count < 2:
		return fmt.Errorf("there must be at least 2 \"proxy_buffers\"")
	case busy < most:
		return fmt.Errorf("\"proxy_busy_buffers_size\" %s", atLeast)
	case (busy-1)/bufs.size >= int64(bufs.count-1):
		return fmt.Errorf("\"proxy_busy_buffers_size\" must be less than the size of all \"proxy_buffers\" minus one buffer")
	case p.proxyTempWrite.orDefault(most) < most:
		return fmt.Errorf("\"proxy_temp_file_write_size\" %s", atLeast)
	case p.proxyMaxTemp.v > 0 && p.proxyMaxTemp.v < most:
		return fmt.Errorf("\"proxy_max_temp_file_size\" must be equal to zero to disable temporary files usage or %s", atLeast)
	}
	return nil
}

func setProxyRedirect(c *compiler, d *conf.Directive) error {
	l := c.loc
	if l.proxyRedirectSet == redirectOff {
		return errDuplicate
	}
	if len(d.Args) == 1 {
		switch d.Args[0] {
		case "off":
			if l.proxyRedirectSet != redirectUnset {
				return errDuplicate
			}
			l.proxyRedirectSet = redirectOff
			return nil
		case "default":
			switch {
			case l.proxyPass == nil:
				return fmt.Errorf("\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive")
			case !l.proxyPass.vars.isStatic():
				return fmt.Errorf("\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables")
			}
			l.proxyRedirectSet = redirectOn
			l.proxyRedirects = append(l.proxyRedirects, proxyRedirect{isDefault: true})
			return nil
		}
		return fmt.Errorf("invalid parameter \"%s\"", d.Args[0])
	}
	var pr proxyRedirect
	var err error
	if from := d.Args[0]; strings.HasPrefix(from, "~") {
		pattern := strings.TrimPrefix(strings.TrimPrefix(from, "~"), "*")
		pr.re, err = c.regex(pattern, strings.HasPrefix(from, "~*"))
	} else {
		pr.from, err = c.template(from)
	}
	if err != nil {
		return err
	}
	if pr.to, err = c.template(d.Args[1]); err != nil {
		return err
	}
	l.proxyRedirectSet = redirectOn
	l.proxyRedirects = append(l.proxyRedirects, pr)
	return nil
}

// proxyBind is the local address of connections to upstreams; the zero value is
// proxy_bind off.
type proxyBind struct{ value template }

func setProxyBind(c *compiler, d *conf.Directive) error {
	if len(d.Args) == 2 {
		if d.Args[1] != "transparent" {
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[1])
		}
		return fmt.Errorf("\"proxy_bind\" directive is not supported with \"transparent\"")
	}
	if d.Args[0] == "off" {
		return c.loc.proxyBind.put(proxyBind{})
	}
	t, err := c.template(d.Args[0])
	if err != nil {
		return err
	}
	if t.isStatic() {
		if _, ok := localAddr(t.lit); !ok {
			return fmt.Errorf("invalid address \"%s\"", t.lit)
		}
	}
	return c.loc.proxyBind.put(proxyBind{t})
}

// address is the local address for a request, nil for any.
func (b *proxyBind) address(r *Request) net.Addr {
	text := b.value.eval(r)
	if text == "" {
		return nil
	}
	addr, ok := localAddr(text)
	if !ok {
		r.Logf(LogErr, "invalid local address \"%s\"", text)
		return nil
	}
	return addr
}

// localAddr reads an address, with or without a port.
func localAddr(text string) (addr net.Addr, ok bool) {
	host, port := splitHostPort(text)
	if net.ParseIP(text) != nil {
		host, port = text, ""
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	n, ok := parseDecimal(port)
	given := port != "" || strings.HasSuffix(text, ":") && net.ParseIP(text) == nil
	if ip == nil || given && (!ok || n < 1 || n > 65535) {
		return nil, false
	}
	return &net.TCPAddr{IP: ip, Port: int(n)}, true
}
