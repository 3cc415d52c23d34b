package proxy

import (
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// rules are those of a directive that may stand several times in a level, or say off.
type rules[T any] struct {
	list []T
	set  bool
}

// inherit takes over the rules of the level around, unless this one has some or says off.
func (l *rules[T]) inherit(outer rules[T]) {
	if !l.set {
		*l = outer
	}
}

// off reads the form with one argument, which alone has no rule. Others go on when done is
// false.
func (l *rules[T]) off(d *conf.Directive) (done bool, err error) {
	switch {
	case l.set && l.list == nil:
		return true, core.ErrDuplicate
	case len(d.Args) > 1:
		return false, nil
	case d.Args[0] != "off":
		return true, invalidParameter(d.Args[0])
	case l.set:
		return true, core.ErrDuplicate
	}
	l.set = true
	return true, nil
}

func (l *rules[T]) add(rule T) { l.list, l.set = append(l.list, rule), true }

// cookieRule is one proxy_cookie_domain or proxy_cookie_path.
type cookieRule struct {
	re       *core.Regex
	from, to core.Template
	whole    bool // from is all of the value but for its first dot, in any case
}

// setCookieDomain reads proxy_cookie_domain off or DOMAIN REPLACEMENT.
func setCookieDomain(c *core.Compiler, d *conf.Directive) error {
	l := &loc.At(c).cookieDomains
	if done, err := l.off(d); done {
		return err
	}
	rule := cookieRule{whole: true}
	from, to := d.Args[0], d.Args[1]
	var err error
	if pattern, ok := strings.CutPrefix(from, "~"); ok {
		rule.re, err = c.Regex(pattern, true)
	} else {
		rule.from, err = c.Template(strings.TrimPrefix(from, "."))
		to = strings.TrimPrefix(to, ".")
	}
	if err != nil {
		return err
	}
	rule.to, err = c.Template(to)
	l.add(rule)
	return err
}

// setCookiePath reads proxy_cookie_path off or PATH REPLACEMENT.
func setCookiePath(c *core.Compiler, d *conf.Directive) error {
	l := &loc.At(c).cookiePaths
	if done, err := l.off(d); done {
		return err
	}
	var rule cookieRule
	var err error
	if pattern, ok := strings.CutPrefix(d.Args[0], "~"); ok {
		pattern, anyCase := strings.CutPrefix(pattern, "*")
		rule.re, err = c.Regex(pattern, anyCase)
	} else {
		rule.from, err = c.Template(d.Args[0])
	}
	if err != nil {
		return err
	}
	rule.to, err = c.Template(d.Args[1])
	l.add(rule)
	return err
}

// apply gives what a rule makes of a value; ok is false when it is not for that.
func (rule *cookieRule) apply(r *core.Request, value string) (to string, ok bool) {
	if rule.re != nil {
		if rule.re.Exec(r, value) != core.OK {
			return "", false
		}
		return rule.to.Eval(r), true
	}
	from := rule.from.Eval(r)
	if rule.whole {
		domain, dotted := strings.CutPrefix(value, ".")
		if !ngxtext.EqualFold(domain, from) {
			return "", false
		}
		if to = rule.to.Eval(r); dotted {
			to = "." + to
		}
		return to, true
	}
	rest, ok := strings.CutPrefix(value, from)
	return rule.to.Eval(r) + rest, ok
}

// cookieFlags is one proxy_cookie_flags: what becomes of the flags of a cookie.
type cookieFlags struct {
	re    *core.Regex
	name  core.Template
	flags []core.Template
}

// setCookieFlags reads proxy_cookie_flags off or COOKIE FLAG...
func setCookieFlags(c *core.Compiler, d *conf.Directive) error {
	l := &loc.At(c).cookieFlags
	if done, err := l.off(d); done {
		return err
	}
	var rule cookieFlags
	var err error
	if pattern, ok := strings.CutPrefix(d.Args[0], "~"); ok {
		rule.re, err = c.Regex(pattern, true)
	} else {
		rule.name, err = c.Template(d.Args[0])
	}
	for _, arg := range d.Args[1:] {
		if err != nil {
			return err
		}
		var flag core.Template
		flag, err = c.Template(arg)
		rule.flags = append(rule.flags, flag)
	}
	l.add(rule)
	return err
}

// names tells whether the rule is for the cookie of that name.
func (rule *cookieFlags) names(r *core.Request, name string) bool {
	if rule.re != nil {
		return rule.re.Exec(r, name) == core.OK
	}
	return ngxtext.EqualFold(rule.name.Eval(r), name)
}

// attribute is one part of a cookie, the first being its name and value.
type attribute struct {
	name, value string
	valued      bool
	gone        bool // it was taken out
}

// RewriteCookie gives Set-Cookie the domain, path and flags that the configuration wants
// (ngx_http_proxy_rewrite_cookie).
func (x *exchange) RewriteCookie(text string) (to string, changed bool) {
	r, p := x.R, x.conf
	if p.cookieDomains.list == nil && p.cookiePaths.list == nil && p.cookieFlags.list == nil {
		return text, false
	}
	list := cookieAttributes(text)
	if !list[0].valued {
		return text, false
	}
	for i := 1; i < len(list); i++ {
		a := &list[i]
		switch {
		case !a.valued:
		case ngxtext.EqualFold(a.name, "domain"):
			changed = rewriteAttribute(r, a, p.cookieDomains.list) || changed
		case ngxtext.EqualFold(a.name, "path"):
			changed = rewriteAttribute(r, a, p.cookiePaths.list) || changed
		}
	}
	for i := range p.cookieFlags.list {
		if rule := &p.cookieFlags.list[i]; rule.names(r, list[0].name) {
			list, changed = rule.edit(r, list, changed)
			break
		}
	}
	if !changed {
		return text, false
	}
	var b strings.Builder
	for i := range list {
		a := &list[i]
		if a.gone {
			continue
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(a.name)
		if a.valued {
			b.WriteString("=" + a.value)
		}
	}
	return b.String(), true
}

// cookieAttributes parts a cookie (ngx_http_proxy_parse_cookie).
func cookieAttributes(text string) []attribute {
	list := make([]attribute, 0, 8)
	for part := range strings.SplitSeq(text, ";") {
		name, value, valued := strings.Cut(strings.TrimLeft(part, " "), "=")
		list = append(list, attribute{name: strings.TrimRight(name, " "), value: strings.Trim(value, " "), valued: valued})
	}
	return list
}

// rewriteAttribute has the first rule that fits change an attribute.
func rewriteAttribute(r *core.Request, a *attribute, list []cookieRule) bool {
	for i := range list {
		if to, ok := list[i].apply(r, a.value); ok {
			a.value = to
			return true
		}
	}
	return false
}

// flagOrder are the flags as they are put in, with what a rule calls them.
var flagOrder = [...]struct{ rule, name, value string }{
	{"secure", "Secure", ""}, {"httponly", "HttpOnly", ""},
	{"samesite=strict", "SameSite", "Strict"}, {"samesite=lax", "SameSite", "Lax"}, {"samesite=none", "SameSite", "None"},
}

// edit changes the flags of a cookie (ngx_http_proxy_edit_cookie_flags).
func (rule *cookieFlags) edit(r *core.Request, list []attribute, changed bool) ([]attribute, bool) {
	wanted, unwanted := map[string]bool{}, map[string]bool{}
	for i := range rule.flags {
		switch flag := ngxtext.Lower(rule.flags[i].Eval(r)); flag {
		case "nosecure", "nohttponly", "nosamesite":
			unwanted[flag[len("no"):]] = true
		case "secure", "httponly", "samesite=strict", "samesite=lax", "samesite=none":
			wanted[flag] = true
		}
	}
	if len(wanted)+len(unwanted) == 0 {
		return list, changed
	}
	for i := 1; i < len(list); i++ {
		a := &list[i]
		name := ngxtext.Lower(a.name)
		if name != "secure" && name != "httponly" && name != "samesite" {
			continue
		}
		found := false
		for _, f := range flagOrder {
			if !wanted[f.rule] || !ngxtext.EqualFold(f.name, name) {
				continue
			}
			delete(wanted, f.rule)
			found = true
			if f.value != "" && !ngxtext.EqualFold(a.value, f.value) {
				a.name, a.value, a.valued = f.name, f.value, true
			}
			break
		}
		if !found && unwanted[name] {
			a.gone = true
		}
	}
	for _, f := range flagOrder {
		if wanted[f.rule] {
			list = append(list, attribute{name: f.name, value: f.value, valued: f.value != ""})
		}
	}
	return list, true
}
