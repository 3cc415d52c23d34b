// Package fastcgi is ngx_http_fastcgi_module.
package fastcgi

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/regex"
)

// Module is ngx_http_fastcgi_module.
var Module = &core.Module{
	Name:       "fastcgi",
	Directives: directives,
	Variables:  variables,
	Conf:       []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		p := loc.Of(l)
		p.joins = b.Cycle.Stack.Has(compat.JoinedHeaders)
		family.Build(b, l, &p.Config)
	},
}

var loc = core.NewLocSlot(merge)

// family is what fastcgi_ shares with other protocols, and how it differs from them.
var family = &upstream.Family{
	Prefix: "fastcgi_",
	Has:    upstream.Streams | upstream.Headers,
	Next: []string{"error", "timeout", "invalid_header", "non_idempotent", "http_500", "http_503", "http_403",
		"http_404", "http_429", "updating", "off"},
	Hides: map[string]bool{
		"status": true, "x-accel-expires": true, "x-accel-redirect": true, "x-accel-limit-rate": true,
		"x-accel-buffering": true, "x-accel-charset": true,
	},
}

// config is what the fastcgi directives say in a location.
type config struct {
	upstream.Config
	pass     *upstream.Pass
	params   []param
	index    core.Opt[string]
	split    *regex.Regexp // of fastcgi_split_path_info
	pattern  string        // of split
	catch    []string      // fastcgi_catch_stderr
	keepConn core.Opt[bool]
	joins    bool // lines of a header that is repeated are one parameter
}

// param is one fastcgi_param.
type param struct {
	name       string
	value      core.Template
	ifNotEmpty bool
}

func merge(p, outer *config, isIf bool) {
	family.Merge(&p.Config, &outer.Config)
	if p.pass == nil && isIf {
		p.pass = outer.pass
	}
	if p.params == nil {
		p.params = outer.params
	}
	if p.catch == nil {
		p.catch = outer.catch
	}
	if p.split == nil {
		p.split, p.pattern = outer.split, outer.pattern
	}
	p.index.Merge(outer.index, "")
	p.keepConn.Merge(outer.keepConn, false)
}

func directives() []core.Directive {
	const where = core.InHTTPSrvLoc
	list := []core.Directive{
		{Name: "fastcgi_pass", In: core.InLocation | core.InLocationIf, Args: core.Take1, Set: setPass},
		{Name: "fastcgi_param", In: where, Args: core.Take2 | core.Take3, Set: setParam},
		{Name: "fastcgi_index", In: where, Args: core.Take1, Set: core.SetText(core.In(loc, func(p *config) *core.Opt[string] { return &p.index }))},
		{Name: "fastcgi_split_path_info", In: where, Args: core.Take1, Set: setSplit},
		{Name: "fastcgi_catch_stderr", In: where, Args: core.Take1, Set: func(c *core.Compiler, d *conf.Directive) error {
			p := loc.At(c)
			p.catch = append(p.catch, d.Args[0])
			return nil
		}},
		{Name: "fastcgi_keep_conn", In: where, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(p *config) *core.Opt[bool] { return &p.keepConn }))},
		{Name: "fastcgi_send_lowat", In: where, Args: core.Take1, Set: core.DiscardLowat("fastcgi_send_lowat")},
	}
	return append(list, family.Directives(func(c *core.Compiler) *upstream.Config { return &loc.At(c).Config })...)
}

func setPass(c *core.Compiler, d *conf.Directive) error {
	l, p := c.Loc, loc.At(c)
	if p.pass != nil {
		return core.ErrDuplicate
	}
	p.pass = &upstream.Pass{}
	l.Handler = handler
	l.AutoRedirect = strings.HasSuffix(l.Name, "/")
	return p.pass.Read(c, d, true)
}

// setParam reads fastcgi_param NAME VALUE [if_not_empty].
func setParam(c *core.Compiler, d *conf.Directive) error {
	one := param{name: d.Args[0]}
	if len(d.Args) == 3 {
		if d.Args[2] != "if_not_empty" {
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[2])
		}
		one.ifNotEmpty = true
	}
	var err error
	if one.value, err = c.Template(d.Args[1]); err != nil {
		return err
	}
	// An empty one keeps the client's header away, and is not sent itself.
	one.ifNotEmpty = one.ifNotEmpty || d.Args[1] == "" && strings.HasPrefix(one.name, "HTTP_")
	p := loc.At(c)
	p.params = append(p.params, one)
	return nil
}

// setSplit reads fastcgi_split_path_info PATTERN.
func setSplit(c *core.Compiler, d *conf.Directive) error {
	pattern := d.Args[0]
	re, err := regex.Compile(pattern, regex.PCRE2)
	var bad *regex.Error
	switch {
	case errors.As(err, &bad):
		return errors.New(bad.Text(pattern, regex.PCRE2))
	case err != nil:
		return err
	case re.NumGroups() != 2:
		return fmt.Errorf("pattern \"%s\" must have 2 captures", pattern)
	}
	p := loc.At(c)
	p.split, p.pattern = re, pattern
	return nil
}

// variables are those of ngx_http_fastcgi_module.
func variables() []core.Variable {
	return []core.Variable{
		{Name: "fastcgi_script_name", Hidden: true, Volatile: true, Get: func(r *core.Request) (string, bool) {
			p := loc.Of(r.Loc)
			script, _ := p.splitPath(r)
			if strings.HasSuffix(script, "/") {
				script += p.index.V
			}
			return script, true
		}},
		{Name: "fastcgi_path_info", Hidden: true, Volatile: true, Get: func(r *core.Request) (string, bool) {
			_, info := loc.Of(r.Loc).splitPath(r)
			return info, true
		}},
	}
}

// splitPath parts the URI by fastcgi_split_path_info; all of it is the script where that
// does not match.
func (p *config) splitPath(r *core.Request) (script, info string) {
	if p.split == nil {
		return r.URI, ""
	}
	var in regex.Input
	in.Reset(r.URI)
	at, err := p.split.Match(&in, 0, nil)
	switch {
	case err != nil:
		r.Logf(errlog.Alert, "regex failed: %v on \"%s\" using \"%s\"", err, r.URI, p.pattern)
		return r.URI, ""
	case at == nil:
		return r.URI, ""
	}
	script = r.URI[max(at[2], 0):max(at[3], 0)]
	if at[4] >= 0 {
		info = r.URI[at[4]:at[5]]
	}
	return script, info
}
