// Package charset is ngx_http_charset_filter_module, as far as it names a charset.
package charset

import (
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_charset_filter_module.
var Module = &core.Module{
	Name:       "charset_filter",
	Directives: directives,
	Conf:       []core.ConfSlot{main, loc},
	Build:      func(b *core.Builder, _ *core.Location) { b.FilterHeader(header) },
}

var (
	main = core.NewMainSlot[names](nil)
	loc  = core.NewLocSlot(merge)
)

// names are the charsets that the configuration knows, in lower case.
type names struct{ known map[string]bool }

// add makes a charset known.
func (n *names) add(name string) {
	if n.known == nil {
		n.known = map[string]bool{}
	}
	n.known[ngxtext.Lower(name)] = true
}

// config is what charset and charset_types say. Text is never recoded: that
// takes charset_map and source_charset.
type config struct {
	charset core.Opt[core.Template]
	off     bool // what charset says
	types   core.TypeSet
}

func merge(c, outer *config, _ bool) {
	c.charset.Merge(outer.charset, core.Template{Lit: "off"})
	c.off = c.charset.V.Lit == "off"
	c.types.Merge(outer.types, defaultTypes)
}

// defaultTypes are charset_types' own.
var defaultTypes = core.TypeSet{"text/html": true, "text/xml": true, "text/plain": true, "text/vnd.wap.wml": true,
	"application/javascript": true, "application/rss+xml": true}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "charset", In: core.InAnyLoc, Args: core.Take1, Set: set},
		{Name: "charset_types", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: core.SetTypes(func(c *core.Compiler) *core.TypeSet { return &loc.At(c).types }, "text/html")},
	}
}

// set reads charset NAME or $VARIABLE.
func set(c *core.Compiler, d *conf.Directive) error {
	f := &loc.At(c).charset
	if f.Set {
		return core.ErrDuplicate
	}
	t := core.Template{Lit: d.Args[0]}
	if name, ok := strings.CutPrefix(d.Args[0], "$"); ok {
		t.Parts = []core.TemplatePart{{Kind: core.PartVar, Index: c.VarIndex(name)}}
	}
	if t.IsStatic() {
		main.At(c).add(t.Lit)
	}
	return f.Put(t)
}

// header names the charset of text types (ngx_http_charset_header_filter).
// A subrequest's head is not sent, so only the main request's is named.
func header(r *core.Request) int {
	cs, o := loc.Of(r.Loc), &r.Out
	if cs.off && o.CharsetOverride == "" {
		return core.OK
	}
	if name := o.CharsetOverride; name != "" && r == r.Main && o.ContentType != "" {
		switch {
		case !main.Of(r.Cycle).known[ngxtext.Lower(name)]:
			r.Logf(errlog.Err, "unknown charset \"%s\" to override", name)
		case strings.IndexByte(o.ContentType, ';') < 0:
			o.Charset = name
		}
	}
	if r != r.Main || cs.off || o.Charset != "" || !cs.types.Has(o.ContentType) {
		return core.OK
	}
	if o.Status == 301 || o.Status == 302 {
		return core.OK // old browsers would take it for that of the next page
	}
	if p := cs.charset.V.Parts; len(p) > 0 {
		name, found := r.Indexed(p[0].Index)
		if !found {
			return core.Error
		}
		o.Charset = name
	} else {
		o.Charset = cs.charset.V.Lit
	}
	return core.OK
}
