package phases

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

var (
	accessModule = &Module{
		name: "access",
		build: func(b *builder, l *Location) {
			if l.accessRules != nil {
				b.handle(stepAccess, (*Request).accessByRules)
			}
		},
	}
	authRequestModule = &Module{
		name: "auth_request",
		build: func(b *builder, l *Location) {
			if l.authRequest.v != "" {
				b.handle(stepAccess, (*Request).accessBySubrequest)
			}
		},
	}
)

// accessConf says who may reach a location.
type accessConf struct {
	accessRules []accessRule
	authRequest opt[string] // URI of the subrequest that decides; "" is off
	authSets    []authSet
}

// accessRule is one allow or deny.
type accessRule struct {
	deny   bool
	all    bool
	unix   bool
	prefix netip.Prefix
}

// authSet is one auth_request_set.
type authSet struct {
	index int
	value template
}

func setAccessRule(c *compiler, d *conf.Directive) error {
	rule := accessRule{deny: d.Name == "deny"}
	switch arg := d.Args[0]; arg {
	case "all":
		rule.all = true
	case "unix:":
		rule.unix = true
	default:
		p, err := parsePrefix(arg)
		if err != nil {
			return fmt.Errorf("invalid parameter \"%s\"", arg)
		}
		if p.Masked() != p {
			c.warnf(d, "low address bits of %s are meaningless", arg)
		}
		rule.prefix = p.Masked()
	}
	c.loc.accessRules = append(c.loc.accessRules, rule)
	return nil
}

// parsePrefix reads an address or a network in CIDR form.
func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// accessByRules applies the first allow or deny that names the client.
func (r *Request) accessByRules() int {
	addr, isUnix := clientAddr(r.Conn)
	for i := range r.Loc.accessRules {
		rule := &r.Loc.accessRules[i]
		if !rule.all && !(rule.unix && isUnix) && !(addr.IsValid() && rule.prefix.IsValid() && rule.prefix.Contains(addr)) {
			continue
		}
		if !rule.deny {
			return rcOK
		}
		if r.Loc.satisfyAny.v != satisfyAny {
			r.Log(LogErr, "access forbidden by rule")
		}
		return 403
	}
	return rcDeclined
}

// clientAddr is the client's address in a form that networks can be compared
// with.
func clientAddr(conn Downstream) (addr netip.Addr, isUnix bool) {
	remote := conn.RemoteAddr()
	if remote.Network() == "unix" {
		return netip.Addr{}, true
	}
	ap, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return netip.Addr{}, false
	}
	return ap.Addr().Unmap().WithZone(""), false
}

// accessBySubrequest asks the auth_request location: 2xx grants, 401 and 403
// deny, anything else is an error.
func (r *Request) accessBySubrequest() int {
	sub := r.Subrequest(SubrequestOptions{URI: r.Loc.authRequest.v, HeaderOnly: true, ShareVars: true})
	if sub == nil {
		return 500
	}
	defer sub.Release()
	r.wait(sub.runSubrequest)
	if rc := r.Main.killed; rc != 0 {
		return rc
	}
	for _, set := range r.Loc.authSets {
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
	r.Logf(LogErr, "auth request unexpected status: %d", status)
	return 500
}

func setAuthRequest(c *compiler, d *conf.Directive) error {
	uri := d.Args[0]
	if uri == "off" {
		uri = ""
	}
	return c.loc.authRequest.put(uri)
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
	c.loc.authSets = append(c.loc.authSets, authSet{index: v.index, value: value})
	return nil
}

// merge inherits the rules of the outer level.
func (a *accessConf) merge(outer *accessConf) {
	if a.accessRules == nil {
		a.accessRules = outer.accessRules
	}
	a.authRequest.merge(outer.authRequest, "")
	if a.authSets == nil {
		a.authSets = outer.authSets
	}
}
