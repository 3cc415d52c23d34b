package phases

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// authRequestModule is ngx_http_auth_request_module.
var authRequestModule = &Module{
	name: "auth_request",
	directives: func() []directive {
		return []directive{
			{"auth_request", inHTTPSrvLoc, take1, setAuthRequest},
			{"auth_request_set", inHTTPSrvLoc, take2, setAuthRequestSet},
		}
	},
	conf: []confSlot{authRequestLoc},
	build: func(b *builder, l *Location) {
		if authRequestLoc.of(l).uri.v != "" {
			b.handle(stepAccess, authRequestHandler)
		}
	},
}

var authRequestLoc = newLocSlot(mergeAuthRequest)

type authRequestConf struct {
	uri  opt[string] // of the subrequest that decides; "" is off
	sets []authRequestSet
}

// authRequestSet is one auth_request_set.
type authRequestSet struct {
	index int
	value template
}

func mergeAuthRequest(a, outer *authRequestConf, _ bool) {
	a.uri.merge(outer.uri, "")
	if a.sets == nil {
		a.sets = outer.sets
	}
}

// authRequestHandler asks the auth_request location: 2xx grants, 401 and 403
// deny, anything else is an error.
func authRequestHandler(r *Request) int {
	a := authRequestLoc.of(r.Loc)
	sub := r.Subrequest(SubrequestOptions{URI: a.uri.v, HeaderOnly: true, ShareVars: true})
	if sub == nil {
		return 500
	}
	defer sub.Release()
	r.wait(sub.runSubrequest)
	if rc := r.Main.killed; rc != 0 {
		return rc
	}
	for _, set := range a.sets {
		r.setIndexed(set.index, set.value.eval(sub))
	}
	status := sub.finalStatus()
	switch {
	case status == 403:
		return 403
	case status == 401:
		if v, ok := sub.Out.Headers.Get("WWW-Authenticate"); ok {
			r.Out.Headers.Add("WWW-Authenticate", v)
		}
		return 401
	case status >= 200 && status < 300:
		return rcOK
	}
	r.Logf(errlog.Err, "auth request unexpected status: %d", status)
	return 500
}

func setAuthRequest(c *compiler, d *conf.Directive) error {
	uri := d.Args[0]
	if uri == "off" {
		uri = ""
	}
	return authRequestLoc.at(c).uri.put(uri)
}

func setAuthRequestSet(c *compiler, d *conf.Directive) error {
	name, err := variableName(d.Args[0])
	if err != nil {
		return err
	}
	v, err := c.defineVar(name)
	if err != nil {
		return err
	}
	if v.get == nil {
		v.get = noValue
	}
	value, err := c.template(d.Args[1])
	if err != nil {
		return err
	}
	a := authRequestLoc.at(c)
	a.sets = append(a.sets, authRequestSet{index: v.index, value: value})
	return nil
}
