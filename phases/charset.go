package phases

import (
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

var charsetModule = &Module{
	name:  "charset_filter",
	build: func(b *builder, _ *Location) { b.filterHeader((*Request).charsetFilter) },
}

// charsetConf is what charset and charset_types say. Text is never recoded: that
// takes charset_map and source_charset.
type charsetConf struct {
	charset opt[template]
	types   typeSet
}

func (c *charsetConf) merge(outer *charsetConf) {
	c.charset.merge(outer.charset, template{lit: "off"})
	c.types.merge(outer.types, defaultCharsetTypes)
}

// defaultCharsetTypes are charset_types' own.
var defaultCharsetTypes = typeSet{"text/html": true, "text/xml": true, "text/plain": true, "text/vnd.wap.wml": true,
	"application/javascript": true, "application/rss+xml": true}

func setCharset(c *compiler, d *conf.Directive) error {
	f := &c.loc.charset.charset
	if f.set {
		return errDuplicate
	}
	t := template{lit: d.Args[0]}
	if name, ok := strings.CutPrefix(d.Args[0], "$"); ok {
		t.parts = []templatePart{{kind: partVar, index: c.varIndex(name)}}
	}
	if t.isStatic() {
		c.cycle.charsets[lowerString(t.lit)] = true
	}
	return f.put(t)
}

// charsetFilter names the charset of text types (ngx_http_charset_header_filter).
// A subrequest's head is not sent, so only the main request's is named.
func (r *Request) charsetFilter() int {
	cs := &r.Loc.charset
	o := &r.Out
	if name := o.charsetOverride; name != "" && r == r.Main && o.ContentType != "" {
		switch {
		case !r.Cycle.charsets[lowerString(name)]:
			r.Logf(LogErr, "unknown charset \"%s\" to override", name)
		case strings.IndexByte(o.ContentType, ';') < 0:
			o.Charset = name
		}
	}
	if r != r.Main || cs.charset.v.lit == "off" || o.Charset != "" || !cs.types.has(o.ContentType) {
		return rcOK
	}
	if o.Status == 301 || o.Status == 302 {
		return rcOK // old browsers would take it for that of the next page
	}
	if p := cs.charset.v.parts; len(p) > 0 {
		name, found := r.indexed(p[0].index)
		if !found {
			return rcError
		}
		o.Charset = name
	} else {
		o.Charset = cs.charset.v.lit
	}
	return rcOK
}
