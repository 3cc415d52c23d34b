package upstream

import (
	"fmt"
	"net"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Pass is what the directives name that have an address or an upstream block as their
// argument, without scheme and URI: fastcgi_pass and its kin.
type Pass struct {
	vars   core.Template // the whole, when it has variables
	target Target
}

// Read reads the argument of d. Its upstream is found when all of the configuration is
// known, as blocks may stand behind their use.
func (p *Pass) Read(c *core.Compiler, d *conf.Directive, variables bool) error {
	arg := d.Args[0]
	if variables && core.HasVariables(arg) {
		var err error
		p.vars, err = c.Template(arg)
		return err
	}
	t, err := parseTarget(arg)
	if err != nil {
		return err
	}
	p.target = t
	c.AfterMerge = append(c.AfterMerge, func() (err error) {
		p.target.Up, err = t.find(c, d)
		return err
	})
	return nil
}

// parseTarget reads HOST[:PORT] or unix:PATH (ngx_parse_url).
func parseTarget(text string) (t Target, err error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if path == "" {
			return t, fmt.Errorf("no path in the unix domain socket in upstream \"%s\"", text)
		}
		return Target{Name: text, Server: text}, nil
	}
	if strings.ContainsAny(text, "/?") {
		return t, fmt.Errorf("invalid host in upstream \"%s\"", text)
	}
	host, port := SplitHostPort(text)
	if port != "" || strings.HasSuffix(text, ":") {
		if n, ok := ngxtext.ParseDecimal(port); !ok || n < 1 || n > 65535 {
			return t, fmt.Errorf("invalid port in upstream \"%s\"", text)
		}
	}
	if host == "" {
		return t, fmt.Errorf("no host in upstream \"%s\"", text)
	}
	return Target{Name: text, Server: host, Port: port}, nil
}

// find is the upstream of a target that the configuration names.
func (t *Target) find(c *core.Compiler, d *conf.Directive) (*Upstream, error) {
	if u := Named(c.Cycle, t.Server); u != nil {
		if t.Port != "" {
			return nil, d.Errorf("upstream \"%s\" may not have port %s", t.Server, t.Port)
		}
		return u, nil
	}
	if t.Port == "" && !strings.HasPrefix(t.Server, "unix:") {
		return nil, d.Errorf("no port in upstream \"%s\"", t.Server)
	}
	addrs, err := Addrs(c, d, t.Server, t.Port, t.Server)
	if err != nil {
		return nil, err
	}
	return Implicit(t.Name, addrs), nil
}

// Target works out where a request goes. Another result than core.OK ends the request.
func (p *Pass) Target(r *core.Request) (Target, int) {
	if p.vars.IsStatic() {
		return p.target, core.OK
	}
	t, err := parseTarget(p.vars.Eval(r))
	if err != nil {
		r.Log(errlog.Err, err.Error())
		return t, 500
	}
	u := Named(r.Cycle, t.Server)
	switch ip := strings.Trim(t.Server, "[]"); {
	case u != nil && t.Port == "":
		t.Up = u
	case strings.HasPrefix(t.Server, "unix:"):
		t.Up = Implicit(t.Name, []string{t.Server})
	case t.Port == "":
		r.Logf(errlog.Err, "no port in upstream \"%s\"", t.Server)
		return t, 500
	case net.ParseIP(ip) != nil:
		t.Up = Implicit(t.Name, []string{net.JoinHostPort(ip, t.Port)})
	}
	return t, core.OK
}
