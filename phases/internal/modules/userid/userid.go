// Package userid is ngx_http_userid_filter_module: clients get a cookie by which they are
// known again.
package userid

import (
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_userid_filter_module.
var Module = &core.Module{
	Name:       "userid_filter",
	Directives: directives,
	Variables:  variables,
	Conf:       []core.ConfSlot{main, loc},
	Finish: func(c *core.Compiler) error {
		main.At(c).reset = c.VarIndex("uid_reset")
		return nil
	},
	Clear: note.Drop,
	Detach: func(main, twin *core.Request) {
		if i := note.Get(main); i != nil {
			*note.Of(twin) = *i
		}
	},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).mode.V >= v1 {
			b.FilterHeader(header)
		}
	},
}

var (
	main = core.NewMainSlot[struct{ reset int }](nil) // the index of $uid_reset
	loc  = core.NewLocSlot(merge)
	note = core.NewNote[id](nil) // of the main request
)

// config is what the directives say in a location.
type config struct {
	mode    core.Opt[int]
	name    core.Opt[string]
	domain  core.Opt[string] // "; domain=...", or ""
	path    core.Opt[string] // "; path=..."
	p3p     core.Opt[string]
	expires core.Opt[time.Duration]
	service core.Opt[int]
	mark    core.Opt[byte] // 0: none
	flags   core.Opt[int]  // bits of flagTexts
}

// The values of userid.
const (
	off     = iota
	logOnly // what clients bring is looked at, and none get any
	v1
	on // of version 2
)

// noService is the service of a configuration that names none.
const noService = -1

// forever is what userid_expires max says: the end of 2037.
const forever = time.Duration(math.MaxInt64)

func merge(c, outer *config, _ bool) {
	c.mode.Merge(outer.mode, off)
	c.name.Merge(outer.name, "uid")
	c.domain.Merge(outer.domain, "")
	c.path.Merge(outer.path, "; path=/")
	c.p3p.Merge(outer.p3p, "")
	c.expires.Merge(outer.expires, 0)
	c.service.Merge(outer.service, noService)
	c.mark.Merge(outer.mark, 0)
	c.flags.Merge(outer.flags, 1) // off
}

func directives() []core.Directive {
	text := func(field func(c *config) *core.Opt[string]) func(*core.Compiler) *core.Opt[string] {
		return core.In(loc, field)
	}
	return []core.Directive{
		{Name: "userid", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetEnum(core.In(loc, func(c *config) *core.Opt[int] { return &c.mode }), "off", "log", "v1", "on")},
		{Name: "userid_service", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetNumber(core.In(loc, func(c *config) *core.Opt[int] { return &c.service }))},
		{Name: "userid_name", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetText(text(func(c *config) *core.Opt[string] { return &c.name }))},
		{Name: "userid_domain", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setPart("; domain=", func(c *config) *core.Opt[string] { return &c.domain })},
		{Name: "userid_path", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setPart("; path=", func(c *config) *core.Opt[string] { return &c.path })},
		{Name: "userid_p3p", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setPart("", func(c *config) *core.Opt[string] { return &c.p3p })},
		{Name: "userid_expires", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setExpires},
		{Name: "userid_flags", In: core.InHTTPSrvLoc, Args: core.Take123, Set: setFlags},
		{Name: "userid_mark", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setMark},
	}
}

// setPart stores a part of the cookie; none leaves out those that have no default.
func setPart(prefix string, field func(c *config) *core.Opt[string]) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		value := prefix + d.Args[0]
		if d.Args[0] == "none" && d.Name != "userid_path" {
			value = ""
		}
		return field(loc.At(c)).Put(value)
	}
}

// setExpires reads userid_expires TIME | max | off.
func setExpires(c *core.Compiler, d *conf.Directive) error {
	f := &loc.At(c).expires
	if f.Set {
		return core.ErrDuplicate
	}
	switch d.Args[0] {
	case "max":
		return f.Put(forever)
	case "off":
		return f.Put(0)
	}
	t, ok := ngxtext.ParseSeconds(d.Args[0])
	if !ok {
		return core.ErrInvalidValue
	}
	return f.Put(t)
}

// setMark reads userid_mark LETTER | DIGIT | = | off.
func setMark(c *core.Compiler, d *conf.Directive) error {
	f, arg := &loc.At(c).mark, d.Args[0]
	switch {
	case f.Set:
		return core.ErrDuplicate
	case arg == "off":
		return f.Put(0)
	case len(arg) != 1 || arg != "=" && !core.IsNameByte(arg[0]) || arg == "_":
		return core.DirectiveError("value must be \"off\" or a single letter, digit or \"=\"")
	}
	return f.Put(arg[0])
}

// flagTexts are the values of userid_flags and what they add to the cookie, in its order.
var flagTexts = []struct{ value, text string }{
	{"off", ""}, {"secure", "; secure"}, {"httponly", "; httponly"},
	{"samesite=strict", "; samesite=strict"}, {"samesite=lax", "; samesite=lax"}, {"samesite=none", "; samesite=none"},
}

// firstSameSite is the first of the flags of which one alone counts.
const firstSameSite = 3

// setFlags reads userid_flags FLAG...; several directives add up.
func setFlags(c *core.Compiler, d *conf.Directive) error {
	f := &loc.At(c).flags
	f.Set = true
next:
	for _, arg := range d.Args {
		for i, known := range flagTexts {
			if ngxtext.EqualFold(arg, known.value) {
				if f.V&(1<<i) != 0 || i >= firstSameSite && f.V>>firstSameSite != 0 {
					c.Warnf(d, "duplicate value \"%s\"", arg)
				} else {
					f.V |= 1 << i
				}
				continue next
			}
		}
		return fmt.Errorf("invalid value \"%s\"", arg)
	}
	return nil
}

// header gives the client its cookie (ngx_http_userid_filter).
func header(r *core.Request) int {
	if r != r.Main {
		return core.OK
	}
	c := loc.Of(r.Loc)
	i := idOf(r, c)
	i.settle(r, c)
	if i.set[3] == 0 {
		return core.OK
	}
	r.Out.Headers.Add("Set-Cookie", i.cookie(c))
	if c.p3p.V != "" {
		r.Out.Headers.Add("P3P", c.p3p.V)
	}
	return core.OK
}

// cookie is the Set-Cookie of the id (ngx_http_userid_set_uid).
func (i *id) cookie(c *config) string {
	var b strings.Builder
	b.WriteString(c.name.V + "=")
	if i.got[3] == 0 || i.reset {
		text := i.set.encode()
		if c.mark.V != 0 {
			text = text[:len(text)-2] + string(c.mark.V) + "="
		}
		b.WriteString(text)
	} else { // the one that it brought, with the mark
		b.WriteString(i.brought[:22] + string(c.mark.V) + "=")
	}
	switch {
	case c.expires.V == forever:
		b.WriteString("; expires=Thu, 31-Dec-37 23:55:55 GMT")
	case c.expires.V != 0:
		b.WriteString("; expires=" + cookieTime(time.Now().Add(c.expires.V)))
	}
	b.WriteString(c.domain.V + c.path.V)
	for n, known := range flagTexts {
		if c.flags.V&(1<<n) != 0 {
			b.WriteString(known.text)
		}
	}
	return b.String()
}

// cookieTime writes a time as cookies have it, a year up to 2037 with two digits
// (ngx_http_cookie_time).
func cookieTime(t time.Time) string {
	form := "Mon, 02-Jan-06 15:04:05 GMT"
	if t = t.UTC(); t.Year() > 2037 {
		form = "Mon, 02-Jan-2006 15:04:05 GMT"
	}
	return t.Format(form)
}

// startValue tells this process's ids from those of others.
var startValue = uint32(time.Now().Nanosecond()/1000/20)<<16 | uint32(os.Getpid())&0xffff
