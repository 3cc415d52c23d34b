// Package authrequest is ngx_http_auth_request_module: a subrequest decides about
// access.
package authrequest

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Module is ngx_http_auth_request_module.
var Module = &core.Module{
	Name: "auth_request",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "auth_request", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setURI},
			{Name: "auth_request_set", In: core.InHTTPSrvLoc, Args: core.Take2, Set: setSet},
		}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).uri.V != "" {
			b.Handle(core.AccessPhase, handler)
		}
	},
}

var loc = core.NewLocSlot(merge)

type config struct {
	uri  core.Opt[string] // of the subrequest that decides; "" is off
	sets []set
}

// set is one auth_request_set.
type set struct {
	index int
	value core.Template
}

func merge(a, outer *config, _ bool) {
	a.uri.Merge(outer.uri, "")
	if a.sets == nil {
		a.sets = outer.sets
	}
}

// handler asks the auth_request location: 2xx grants, 401 and 403
// deny, anything else is an error.
func handler(r *core.Request) int {
	a := loc.Of(r.Loc)
	sub := r.Subrequest(core.SubrequestOptions{URI: a.uri.V, HeaderOnly: true, ShareVars: true})
	if sub == nil {
		return 500
	}
	defer sub.Release()
	r.Wait(sub.RunSubrequest)
	if rc := r.Main.Killed; rc != 0 {
		return rc
	}
	for _, set := range a.sets {
		r.SetIndexed(set.index, set.value.Eval(sub))
	}
	status := sub.FinalStatus()
	switch {
	case status == 403:
		return 403
	case status == 401:
		if v, ok := sub.Out.Headers.Get("WWW-Authenticate"); ok {
			r.Out.Headers.Add("WWW-Authenticate", v)
		}
		return 401
	case status >= 200 && status < 300:
		return core.OK
	}
	r.Logf(errlog.Err, "auth request unexpected status: %d", status)
	return 500
}

func setURI(c *core.Compiler, d *conf.Directive) error {
	uri := d.Args[0]
	if uri == "off" {
		uri = ""
	}
	return loc.At(c).uri.Put(uri)
}

func setSet(c *core.Compiler, d *conf.Directive) error {
	name, err := core.VariableName(d.Args[0])
	if err != nil {
		return err
	}
	v, err := c.DefineVar(name)
	if err != nil {
		return err
	}
	if v.Get == nil {
		v.Get = core.NoValue
	}
	value, err := c.Template(d.Args[1])
	if err != nil {
		return err
	}
	a := loc.At(c)
	a.sets = append(a.sets, set{index: v.Index, value: value})
	return nil
}
