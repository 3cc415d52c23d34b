package proxy

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/inet"
)

// target is what proxy_pass names.
type target struct {
	vars     core.Template // the whole URL, when it has variables
	url      string        // as written
	tls      bool
	host     string // $proxy_host: with the port when it is not the scheme's
	port     string // $proxy_port
	server   string // host without port, or unix:path
	own      string // the port that was written, "" without
	uri      string // replaces the location's name in the URI; "" keeps it
	location string // the name that uri replaces
	up       *upstream.Upstream
}

func (t *target) scheme() string {
	n := len("http://")
	if t.tls {
		n = len("https://")
	}
	return t.url[:n] // as it is written
}

// isPlain tells whether TLS is not spoken with the target whatever happens: variables and
// balancers may want it.
func (t *target) isPlain(c *core.Cycle) bool {
	u := upstream.Named(c, t.server)
	return t.vars.IsStatic() && !t.tls && (u == nil || u.Balancer == nil)
}

// parse reads the URL of a target.
func (t *target) parse(url string) error {
	t.url = url
	rest := url
	switch {
	case len(url) >= 7 && ngxtext.EqualFold(url[:7], "http://"):
		rest, t.port = url[7:], "80"
	case len(url) >= 8 && ngxtext.EqualFold(url[:8], "https://"):
		rest, t.port, t.tls = url[8:], "443", true
	default:
		return errURLPrefix
	}
	if inet.IsUnix(rest) { // http://unix:/path/to/socket:/uri
		path := ""
		path, t.uri, _ = strings.Cut(rest[len("unix:"):], ":")
		if path == "" {
			return fmt.Errorf("no path in the unix domain socket in upstream \"%s\"", rest)
		}
		t.server, t.host, t.port = "unix:"+path, "localhost", ""
		return nil
	}
	t.host = rest
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		t.host, t.uri = rest[:i], rest[i:]
	}
	if _, reason := inet.Parse(t.host, 1); reason != "" {
		return fmt.Errorf("%s in upstream \"%s\"", reason, rest)
	}
	t.server, t.own = upstream.SplitHostPort(t.host)
	if t.own != "" {
		if t.own == t.port {
			t.host = t.server
		}
		t.port = t.own
	}
	return nil
}

// errURLPrefix is a URL that is neither http nor https.
var errURLPrefix = errors.New("invalid URL prefix")

func setPass(c *core.Compiler, d *conf.Directive) error {
	l, p := c.Loc, loc.At(c)
	if p.pass != nil {
		return core.ErrDuplicate
	}
	t := &target{}
	p.pass = t
	l.Handler = handler
	l.AutoRedirect = strings.HasSuffix(l.Name, "/")
	arg := d.Args[0]
	if core.HasVariables(arg) {
		var err error
		t.vars, err = c.Template(arg)
		return err
	}
	if err := t.parse(arg); err != nil {
		return err
	}
	switch l.Kind {
	case core.MatchRegex, core.MatchNamed, core.MatchIf:
		if t.uri != "" {
			return fmt.Errorf("\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named location, or inside \"if\" statement, or inside \"limit_except\" block")
		}
	default:
		t.location = l.Name
	}
	c.AfterMerge = append(c.AfterMerge, func() error { return resolveTarget(c, d, t) })
	return nil
}

// resolveTarget finds the upstream of a constant proxy_pass; upstream blocks
// may stand behind their use.
func resolveTarget(c *core.Compiler, d *conf.Directive, t *target) error {
	if u := upstream.Named(c.Cycle, t.server); u != nil {
		if t.own != "" {
			return d.Errorf("upstream \"%s\" may not have port %s", t.server, t.own)
		}
		t.up = u
		return nil
	}
	addrs, err := upstream.Addrs(c, d, t.address(), t.port, t.server)
	if err != nil {
		return err
	}
	t.up = upstream.Implicit(t.host, addrs)
	return nil
}

// address is the server with the port that was written.
func (t *target) address() string {
	if t.own == "" {
		return t.server
	}
	return t.server + ":" + t.own
}

// targetOf works out where a request goes. A target whose up is nil has a name
// that is still to be looked up.
func targetOf(r *core.Request, p *config) (*target, int) {
	t := p.pass
	if t.up != nil {
		return t, core.OK
	}
	dyn := &target{vars: t.vars}
	text := t.vars.Eval(r)
	if err := dyn.parse(text); err != nil {
		if err == errURLPrefix || len(text) == len(dyn.scheme()) {
			r.Logf(errlog.Err, "invalid URL prefix in \"%s\"", text)
		} else {
			r.Log(errlog.Err, err.Error())
		}
		return nil, 500
	}
	if strings.HasPrefix(dyn.uri, "?") {
		dyn.uri = "/" + dyn.uri
	}
	if u := upstream.Named(r.Cycle, dyn.server); u != nil && dyn.own == "" {
		dyn.up = u
	} else if ip := strings.Trim(dyn.server, "[]"); strings.HasPrefix(dyn.server, "unix:") {
		dyn.up = upstream.Implicit(dyn.server, []string{dyn.server})
	} else if net.ParseIP(ip) != nil {
		dyn.up = upstream.Implicit(dyn.host, []string{net.JoinHostPort(ip, dyn.port)})
	}
	return dyn, core.OK
}

// uriOf is the URI that the upstream is asked for
// (ngx_http_proxy_create_request).
func uriOf(r *core.Request, t *target) string {
	switch {
	case !t.vars.IsStatic() && t.uri != "":
		return t.uri
	case t.uri == "" && r.ValidUnparsedURI:
		return r.RequestURI
	}
	uri, rest := "", r.URI
	if r.ValidLocation {
		uri = t.uri
		if uri != "" {
			rest = rest[min(len(t.location), len(rest)):]
		}
	}
	if r.QuotedURI() || r.Internal {
		rest = ngxtext.EscapeURI(rest, ngxtext.EscapePath)
	}
	uri += rest
	if r.Args != "" {
		uri += "?" + r.Args
	}
	return uri
}
