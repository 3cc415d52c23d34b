// Package memc is ngx_http_memc_module: all of memcached's commands by memc_pass.
package memc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
)

// Module is ngx_http_memc_module.
var Module = &core.Module{
	Name:       "memc",
	Directives: directives,
	Conf:       []core.ConfSlot{loc},
	Build:      func(b *core.Builder, l *core.Location) { family.Build(b, l, &loc.Of(l).Config) },
}

var loc = core.NewLocSlot(merge)

// family is what memc_ shares with other protocols; of the directives that they all have
// it has those in rows.
var family = &upstream.Family{
	Prefix: "memc_",
	Next:   []string{"error", "timeout", "invalid_response", "not_found", "off"},
}

// rows are the directives that are as in other families, and where they may stand.
var rows = map[string]core.Level{
	"memc_connect_timeout": core.InHTTPSrvLoc, "memc_send_timeout": core.InHTTPSrvLoc, "memc_read_timeout": core.InHTTPSrvLoc,
	"memc_buffer_size": core.InHTTPSrvLoc, "memc_next_upstream": core.InHTTPSrvLoc, "memc_ignore_client_abort": core.InLocation,
}

// config is what the memc directives say in a location.
type config struct {
	upstream.Config
	pass     *upstream.Pass
	name     core.Template // of an upstream block, where it has variables
	allowed  []string      // memc_cmds_allowed, nil for all commands
	modified core.Opt[bool]

	key, cmd, flags, exptime, value int // places of the variables
}

func merge(p, outer *config, isIf bool) {
	family.Merge(&p.Config, &outer.Config)
	p.Intercept404 = true
	if p.pass == nil && isIf {
		p.pass, p.name = outer.pass, outer.name
		p.key, p.cmd, p.flags, p.exptime, p.value = outer.key, outer.cmd, outer.flags, outer.exptime, outer.value
	}
	if p.allowed == nil {
		p.allowed = outer.allowed
	}
	p.modified.Merge(outer.modified, false)
}

func directives() []core.Directive {
	list := []core.Directive{
		{Name: "memc_pass", In: core.InLocation | core.InLocationIf, Args: core.Take1, Set: setPass},
		{Name: "memc_cmds_allowed", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: setAllowed},
		{Name: "memc_flags_to_last_modified", In: core.InLocation, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(p *config) *core.Opt[bool] { return &p.modified }))},
		{Name: "memc_upstream_max_fails", In: core.InHTTPSrvLoc, Args: core.Take1, Set: moved("max_fails")},
		{Name: "memc_upstream_fail_timeout", In: core.InHTTPSrvLoc, Args: core.Take1, Set: moved("fail_timeout")},
	}
	all := *family
	all.Has = upstream.Streams
	for _, d := range all.Directives(func(c *core.Compiler) *upstream.Config { return &loc.At(c).Config }) {
		if in, ok := rows[d.Name]; ok {
			d.In = in
			list = append(list, d)
		}
	}
	return list
}

// moved is a directive that a parameter of server took the place of.
func moved(parameter string) core.Setter {
	return func(_ *core.Compiler, d *conf.Directive) error {
		return fmt.Errorf("\"%s\" is not supported, use the \"%s\" parameter of the \"server\" directive inside the \"upstream\" block",
			d.Name, parameter)
	}
}

func setPass(c *core.Compiler, d *conf.Directive) error {
	l, p := c.Loc, loc.At(c)
	if p.pass != nil {
		return core.ErrDuplicate
	}
	p.pass = &upstream.Pass{}
	l.Handler = handler
	l.AutoRedirect = strings.HasSuffix(l.Name, "/")
	for _, v := range []struct {
		name  string
		index *int
	}{{"memc_key", &p.key}, {"memc_cmd", &p.cmd}, {"memc_flags", &p.flags}, {"memc_exptime", &p.exptime}, {"memc_value", &p.value}} {
		one, err := c.DefineVar(v.name)
		if err != nil {
			return err
		}
		one.Get = core.NoValue
		*v.index = one.Index
	}
	if core.HasVariables(d.Args[0]) {
		var err error
		p.name, err = c.Template(d.Args[0])
		return err
	}
	return p.pass.Read(c, d, false)
}

// setAllowed reads memc_cmds_allowed COMMAND...
func setAllowed(c *core.Compiler, d *conf.Directive) error {
	p := loc.At(c)
	for _, name := range d.Args {
		if commands[name] == nil {
			return fmt.Errorf("Unknown memcached command \"%s\" used in \"memc_cmds_allowed\"", name) //nolint:staticcheck // memc's own words
		}
		p.allowed = append(p.allowed, name)
	}
	return nil
}

// byMethod are the commands of requests whose $memc_cmd is not set.
var byMethod = map[string]string{"GET": "get", "HEAD": "get", "POST": "add", "PUT": "set", "DELETE": "delete"}

// handler is the content handler of memc_pass (ngx_http_memc_handler).
func handler(r *core.Request) int {
	p := loc.Of(r.Loc)
	if p.pass == nil {
		return core.Declined
	}
	x := &exchange{conf: p}
	if rc := x.choose(r); rc != core.OK {
		return rc
	}
	t, rc := p.target(r)
	if rc != core.OK {
		return rc
	}
	r.SetContentType()
	x.Init(r, x, &p.Config)
	if rc := x.takeValue(); rc != core.OK {
		return rc
	}
	return x.Run(t, "memcached://")
}

// choose finds the command.
func (x *exchange) choose(r *core.Request) int {
	x.name, _ = r.Indexed(x.conf.cmd)
	if x.name == "" {
		if x.name = byMethod[r.Method]; x.name == "" {
			r.Logf(errlog.Err, "ngx_memc: $memc_cmd variable not found for HTTP %s requests", r.Method)
			return 400
		}
	}
	x.command = commands[x.name]
	switch {
	case x.command == nil:
		r.Logf(errlog.Err, "ngx_memc: unknown $memc_cmd \"%s\"", x.name)
		return 400
	case x.conf.allowed != nil && !slices.Contains(x.conf.allowed, x.name):
		r.Logf(errlog.Err, "ngx_memc: memcached command \"%s\" not allowed", x.name)
		return 403
	}
	return core.OK
}

// target is where a request goes: with variables memc_pass names an upstream block.
func (p *config) target(r *core.Request) (upstream.Target, int) {
	if p.name.IsStatic() {
		return p.pass.Target(r)
	}
	name := p.name.Eval(r)
	u := upstream.Named(r.Cycle, name)
	if u == nil {
		r.Logf(errlog.Err, "memc: upstream \"%s\" not found", name)
		return upstream.Target{}, 500
	}
	return upstream.Target{Up: u, Name: name, Server: name}, core.OK
}
