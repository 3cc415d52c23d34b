package proxy

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// redirect is one proxy_redirect: a prefix of Location and what replaces it.
type redirect struct {
	from, to  core.Template
	re        *core.Regex
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
func (p *config) mergeRedirects(outer *config) {
	if p.redirectSet == redirectUnset {
		p.redirectSet, p.redirects = outer.redirectSet, outer.redirects
		if p.redirectSet == redirectUnset && p.pass != nil && p.pass.vars.IsStatic() {
			p.redirectSet = redirectOn
			p.redirects = []redirect{{isDefault: true}}
		}
	}
	for i := range p.redirects {
		if p.redirects[i].isDefault && p.pass != nil {
			p.redirects[i] = p.pass.defaultRedirect()
		}
	}
}

// defaultRedirect turns what proxy_pass names back into the location.
func (t *target) defaultRedirect() redirect {
	if t.uri != "" {
		return redirect{from: core.Template{Lit: t.url}, to: core.Template{Lit: t.location}}
	}
	return redirect{from: core.Template{Lit: t.url + "/"}, to: core.Template{Lit: "/"}}
}

// setRedirect reads proxy_redirect off, default or FROM TO.
func setRedirect(c *core.Compiler, d *conf.Directive) error {
	p := loc.At(c)
	if p.redirectSet == redirectOff {
		return core.ErrDuplicate
	}
	if len(d.Args) == 1 {
		switch d.Args[0] {
		case "off":
			if p.redirectSet != redirectUnset {
				return core.ErrDuplicate
			}
			p.redirectSet = redirectOff
			return nil
		case "default":
			switch {
			case p.pass == nil:
				return fmt.Errorf("\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive")
			case !p.pass.vars.IsStatic():
				return fmt.Errorf("\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables")
			}
			p.redirectSet = redirectOn
			p.redirects = append(p.redirects, redirect{isDefault: true})
			return nil
		}
		return fmt.Errorf("invalid parameter \"%s\"", d.Args[0])
	}
	var pr redirect
	var err error
	if from := d.Args[0]; strings.HasPrefix(from, "~") {
		pattern := strings.TrimPrefix(strings.TrimPrefix(from, "~"), "*")
		pr.re, err = c.Regex(pattern, strings.HasPrefix(from, "~*"))
	} else {
		pr.from, err = c.Template(from)
	}
	if err != nil {
		return err
	}
	if pr.to, err = c.Template(d.Args[1]); err != nil {
		return err
	}
	p.redirectSet = redirectOn
	p.redirects = append(p.redirects, pr)
	return nil
}
