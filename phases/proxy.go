package phases

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// proxyConf is what the proxy directives say in a location.
type proxyConf struct {
	proxyPass *proxyTarget

	proxySetHeaders    []proxyHeader
	proxyHTTPVersion   opt[int] // 0: 1.0, 1: 1.1
	proxyBuffering     opt[bool]
	proxyPassBody      opt[bool]
	proxyPassHeaders   opt[bool]
	proxyIntercept     opt[bool]
	proxyIgnoreAbort   opt[bool]
	proxyConnect       opt[time.Duration]
	proxySend          opt[time.Duration]
	proxyRead          opt[time.Duration]
	proxyMethod        opt[template]
	proxySetBody       opt[template]
	proxyNext          opt[[]string]
	proxyNextTries     opt[int]
	proxyHide          []string
	proxyPassThrough   []string
	proxyIgnoreHeaders []string
	proxyRedirects     []proxyRedirect
	proxyRedirectOff   bool
	proxyBufferSize    opt[int64]

	proxySSLName       opt[template]
	proxySSLServerName opt[bool]
	proxySSLVerify     opt[bool]
	proxySSLReuse      opt[bool]
	proxySSL           tlsClient
}

// proxyTarget is what proxy_pass names.
type proxyTarget struct {
	vars  template // the whole URL, when it has variables
	tls   bool
	host  string // host[:port] as written: $proxy_host
	port  string // $proxy_port
	uri   string // replaces the location's name in the URI; "" keeps it
	up    *Upstream
	strip int // length of the location's name
}

// proxyHeader is one proxy_set_header.
type proxyHeader struct {
	name  string
	value template
}

// proxyRedirect is one proxy_redirect: a prefix of Location and what replaces it.
type proxyRedirect struct {
	from, to template
	re       *confRegex
}

// merge inherits all but proxy_pass, which only an `if` block takes over.
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
	if p.proxyRedirects == nil && !p.proxyRedirectOff {
		p.proxyRedirects, p.proxyRedirectOff = outer.proxyRedirects, outer.proxyRedirectOff
	}
	p.proxyHTTPVersion.merge(outer.proxyHTTPVersion, 0)
	p.proxyBuffering.merge(outer.proxyBuffering, true)
	p.proxyPassBody.merge(outer.proxyPassBody, true)
	p.proxyPassHeaders.merge(outer.proxyPassHeaders, true)
	p.proxyIntercept.merge(outer.proxyIntercept, false)
	p.proxyIgnoreAbort.merge(outer.proxyIgnoreAbort, false)
	p.proxyConnect.merge(outer.proxyConnect, time.Minute)
	p.proxySend.merge(outer.proxySend, time.Minute)
	p.proxyRead.merge(outer.proxyRead, time.Minute)
	p.proxyMethod.merge(outer.proxyMethod, template{})
	if !p.proxySetBody.set {
		p.proxySetBody = outer.proxySetBody
	}
	p.proxyNext.merge(outer.proxyNext, []string{"error", "timeout"})
	p.proxyNextTries.merge(outer.proxyNextTries, 0)
	p.proxyBufferSize.merge(outer.proxyBufferSize, 4096)
	p.proxySSLName.merge(outer.proxySSLName, template{})
	p.proxySSLServerName.merge(outer.proxySSLServerName, false)
	p.proxySSLVerify.merge(outer.proxySSLVerify, false)
	p.proxySSLReuse.merge(outer.proxySSLReuse, true)
	p.proxySSL.merge(&outer.proxySSL)
}

func proxyDirectives() []directive {
	const where = inHTTPSrvLoc
	on := func(f func(l *Location) *opt[bool]) setter { return onOff(loc(f)) }
	list := []directive{
		{"proxy_pass", inLocation | inLocationIf | inLimitExcept, take1, setProxyPass},
		{"proxy_set_header", where, take2, setProxyHeader},
		{"proxy_http_version", where, take1, enum(loc(func(l *Location) *opt[int] { return &l.proxyHTTPVersion }), "1.0", "1.1")},
		{"proxy_buffering", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyBuffering })},
		{"proxy_pass_request_body", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyPassBody })},
		{"proxy_pass_request_headers", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyPassHeaders })},
		{"proxy_intercept_errors", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyIntercept })},
		{"proxy_ignore_client_abort", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxyIgnoreAbort })},
		{"proxy_connect_timeout", where, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.proxyConnect }))},
		{"proxy_send_timeout", where, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.proxySend }))},
		{"proxy_read_timeout", where, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.proxyRead }))},
		{"proxy_method", where, take1, setTemplate(loc(func(l *Location) *opt[template] { return &l.proxyMethod }))},
		{"proxy_set_body", where, take1, setTemplate(loc(func(l *Location) *opt[template] { return &l.proxySetBody }))},
		{"proxy_next_upstream", where, takeMore1, func(c *compiler, d *conf.Directive) error { return c.loc.proxyNext.put(d.Args) }},
		{"proxy_next_upstream_tries", where, take1, number(loc(func(l *Location) *opt[int] { return &l.proxyNextTries }))},
		{"proxy_next_upstream_timeout", where, take1, inert},
		{"proxy_hide_header", where, take1, appendWord(func(l *Location) *[]string { return &l.proxyHide })},
		{"proxy_pass_header", where, take1, appendWord(func(l *Location) *[]string { return &l.proxyPassThrough })},
		{"proxy_ignore_headers", where, takeMore1, appendWord(func(l *Location) *[]string { return &l.proxyIgnoreHeaders })},
		{"proxy_redirect", where, take12, setProxyRedirect},
		{"proxy_buffer_size", where, take1, size(loc(func(l *Location) *opt[int64] { return &l.proxyBufferSize }))},
		{"proxy_ssl_name", where, take1, setTemplate(loc(func(l *Location) *opt[template] { return &l.proxySSLName }))},
		{"proxy_ssl_server_name", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxySSLServerName })},
		{"proxy_ssl_verify", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxySSLVerify })},
		{"proxy_ssl_session_reuse", where, takeFlag, on(func(l *Location) *opt[bool] { return &l.proxySSLReuse })},
	}
	// Sizes of buffers this server does not have, and the details of the
	// response cache, whose first directive says that there is none.
	for _, name := range []string{
		"proxy_buffers", "proxy_busy_buffers_size", "proxy_max_temp_file_size", "proxy_temp_file_write_size",
		"proxy_request_buffering", "proxy_socket_keepalive", "proxy_send_lowat",
		"proxy_cache_path", "proxy_cache_key", "proxy_cache_valid", "proxy_cache_lock",
		"proxy_cache_lock_timeout", "proxy_cache_lock_age", "proxy_cache_bypass", "proxy_no_cache", "proxy_cache_methods",
		"proxy_cache_min_uses", "proxy_cache_use_stale", "proxy_cache_revalidate", "proxy_cache_background_update",
	} {
		list = append(list, directive{name, inHTTPSrvLoc, takeMore1, ignored})
	}
	for _, name := range []string{
		"proxy_cache", "proxy_store", "proxy_store_access", "proxy_limit_rate", "proxy_force_ranges", "proxy_bind",
	} {
		list = append(list, directive{name, inHTTPSrvLoc, takeMore1, inert})
	}
	return append(list, tlsClientDirectives(proxySSL, func(l *Location) *tlsClient { return &l.proxySSL })...)
}

func appendWord(field func(l *Location) *[]string) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(c.loc)
		*f = append(*f, d.Args...)
		return nil
	}
}

func setProxyHeader(c *compiler, d *conf.Directive) error {
	value, err := c.template(d.Args[1])
	if err != nil {
		return err
	}
	c.loc.proxySetHeaders = append(c.loc.proxySetHeaders, proxyHeader{d.Args[0], value})
	return nil
}

func setProxyRedirect(c *compiler, d *conf.Directive) error {
	if len(d.Args) == 1 {
		switch d.Args[0] {
		case "off":
			c.loc.proxyRedirectOff = true
			return nil
		case "default":
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
	c.loc.proxyRedirects = append(c.loc.proxyRedirects, pr)
	return nil
}

func setProxyPass(c *compiler, d *conf.Directive) error {
	l := c.loc
	if l.proxyPass != nil {
		return errDuplicate
	}
	t := &proxyTarget{}
	l.proxyPass = t
	l.handler = (*Request).proxyHandler
	l.autoRedirect = strings.HasSuffix(l.name, "/")
	arg := d.Args[0]
	if hasVariables(arg) {
		var err error
		t.vars, err = c.template(arg)
		return err
	}
	var err error
	if t.tls, t.host, t.uri, err = splitTarget(arg); err != nil {
		return err
	}
	t.port = targetPort(t.host, t.tls)
	if t.uri != "" && (l.kind == matchRegex || l.kind == matchNamed || l.kind == matchIf) {
		return fmt.Errorf("\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named location, or inside \"if\" statement, or inside \"limit_except\" block")
	}
	t.strip = len(l.name)
	c.afterMerge = append(c.afterMerge, func() error { return c.resolveTarget(d, t) })
	return nil
}

// resolveTarget finds the upstream of a constant proxy_pass; upstream blocks
// may stand behind their use.
func (c *compiler) resolveTarget(d *conf.Directive, t *proxyTarget) error {
	if u := c.cycle.upstreams[t.host]; u != nil {
		t.up = u
		return nil
	}
	t.up = singleUpstream(t.host, t.port)
	host := t.host
	if strings.HasPrefix(host, "unix:") {
		return nil
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return nil
	}
	if _, err := net.LookupHost(host); err != nil {
		e := d.Errorf("host not found in upstream \"%s\"", t.host)
		e.Outside = true
		return c.outside(e)
	}
	return nil
}

// splitTarget parts a proxy_pass URL into scheme, host and URI.
func splitTarget(s string) (tls bool, host, uri string, err error) {
	switch {
	case len(s) >= 7 && equalFold(s[:7], "http://"):
		s = s[7:]
	case len(s) >= 8 && equalFold(s[:8], "https://"):
		tls, s = true, s[8:]
	default:
		return false, "", "", fmt.Errorf("invalid URL prefix")
	}
	if strings.HasPrefix(s, "unix:") {
		// http://unix:/path/to/socket:/uri
		rest := s[len("unix:"):]
		if i := strings.IndexByte(rest, ':'); i >= 0 {
			return tls, "unix:" + rest[:i], rest[i+1:], nil
		}
		return tls, s, "", nil
	}
	if i := strings.IndexAny(s, "/?"); i >= 0 {
		host, uri = s[:i], s[i:]
		if uri[0] == '?' {
			uri = "/" + uri
		}
	} else {
		host = s
	}
	if host == "" {
		return false, "", "", fmt.Errorf("no host in upstream \"%s\"", s)
	}
	return tls, host, uri, nil
}

// targetPort is the port of a host, the scheme's when none is written.
func targetPort(host string, tls bool) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") && !strings.HasPrefix(host, "unix:") {
		return host[i+1:]
	}
	if tls {
		return "443"
	}
	return "80"
}

// target works out where a request goes.
func (r *Request) proxyTo() (*proxyTarget, error) {
	t := r.Loc.proxyPass
	if t.up != nil {
		return t, nil
	}
	text := t.vars.eval(r)
	dyn := &proxyTarget{}
	var err error
	if dyn.tls, dyn.host, dyn.uri, err = splitTarget(text); err != nil {
		return nil, fmt.Errorf("%v in \"%s\"", err, text)
	}
	dyn.port = targetPort(dyn.host, dyn.tls)
	dyn.vars = t.vars
	if dyn.up = r.Cycle.upstreams[dyn.host]; dyn.up == nil {
		dyn.up = singleUpstream(dyn.host, dyn.port)
	}
	return dyn, nil
}

// proxyURI is the URI that the upstream is asked for
// (ngx_http_proxy_create_request).
func (r *Request) proxyURI(t *proxyTarget) string {
	if !t.vars.isStatic() && t.uri != "" {
		return t.uri
	}
	if t.uri == "" && r.ValidUnparsedURI {
		return r.RequestURI
	}
	rest := r.URI
	if t.uri != "" && r.ValidLocation && t.strip <= len(rest) {
		rest = rest[t.strip:]
	}
	if r.quotedURI() || r.Internal {
		rest = escapeURI(rest, escapePath)
	}
	uri := t.uri + rest
	if r.Args != "" {
		uri += "?" + r.Args
	}
	return uri
}

func proxyHostVar(r *Request) (string, bool) {
	if r.Loc.proxyPass == nil {
		return "", false
	}
	if r.upstream != nil && r.upstream.target != nil {
		return r.upstream.target.host, true
	}
	return r.Loc.proxyPass.host, r.Loc.proxyPass.host != ""
}

func proxyPortVar(r *Request) (string, bool) {
	if r.Loc.proxyPass == nil {
		return "", false
	}
	if r.upstream != nil && r.upstream.target != nil {
		return r.upstream.target.port, true
	}
	return r.Loc.proxyPass.port, r.Loc.proxyPass.port != ""
}

// locationURL is how a target is written in Location headers of the upstream,
// for proxy_redirect default.
func (t *proxyTarget) locationURL() string {
	u := url.URL{Scheme: "http", Host: t.host}
	if t.tls {
		u.Scheme = "https"
	}
	return u.String() + t.uri
}
