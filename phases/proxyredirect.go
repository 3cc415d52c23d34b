package phases

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

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

// mergeRedirects settles the rules of proxy_redirect; without any the default one
// holds (ngx_http_proxy_merge_loc_conf).
func (p *proxyConf) mergeRedirects(outer *proxyConf) {
	if p.redirectSet == redirectUnset {
		p.redirectSet, p.redirects = outer.redirectSet, outer.redirects
		if p.redirectSet == redirectUnset && p.pass != nil && p.pass.vars.isStatic() {
			p.redirectSet = redirectOn
			p.redirects = []proxyRedirect{{isDefault: true}}
		}
	}
	for i := range p.redirects {
		if p.redirects[i].isDefault && p.pass != nil {
			p.redirects[i] = p.pass.defaultRedirect()
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

// setProxyRedirect reads proxy_redirect off, default or FROM TO.
func setProxyRedirect(c *compiler, d *conf.Directive) error {
	p := proxyLoc.at(c)
	if p.redirectSet == redirectOff {
		return errDuplicate
	}
	if len(d.Args) == 1 {
		switch d.Args[0] {
		case "off":
			if p.redirectSet != redirectUnset {
				return errDuplicate
			}
			p.redirectSet = redirectOff
			return nil
		case "default":
			switch {
			case p.pass == nil:
				return fmt.Errorf("\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive")
			case !p.pass.vars.isStatic():
				return fmt.Errorf("\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables")
			}
			p.redirectSet = redirectOn
			p.redirects = append(p.redirects, proxyRedirect{isDefault: true})
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
	p.redirectSet = redirectOn
	p.redirects = append(p.redirects, pr)
	return nil
}

// rewriteLocation applies the first proxy_redirect that fits.
func (x *exchange) rewriteLocation(value string) (to string, changed bool) {
	r, p := x.r, x.conf
	for i := range p.redirects {
		pr := &p.redirects[i]
		if pr.re != nil {
			if pr.re.exec(r, value) == rcOK {
				return pr.to.eval(r), true
			}
			continue
		}
		if rest, ok := strings.CutPrefix(value, pr.from.eval(r)); ok {
			return pr.to.eval(r) + rest, true
		}
	}
	return value, false
}
