package phases

import (
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// charsetModule is ngx_http_charset_filter_module.
var charsetModule = &Module{
	name:       "charset_filter",
	directives: charsetDirectives,
	conf:       []confSlot{charsetMain, charsetLoc},
	build:      func(b *builder, _ *Location) { b.filterHeader(charsetHeader) },
}

var (
	charsetMain = newMainSlot[charsetNames](nil)
	charsetLoc  = newLocSlot(mergeCharset)
)

// charsetNames are the charsets that the configuration knows, in lower case.
type charsetNames struct{ known map[string]bool }

// add makes a charset known.
func (n *charsetNames) add(name string) {
	if n.known == nil {
		n.known = map[string]bool{}
	}
	n.known[lowerString(name)] = true
}

// charsetConf is what charset and charset_types say. Text is never recoded: that
// takes charset_map and source_charset.
type charsetConf struct {
	charset opt[template]
	types   typeSet
}

func mergeCharset(c, outer *charsetConf, _ bool) {
	c.charset.merge(outer.charset, template{lit: "off"})
	c.types.merge(outer.types, defaultCharsetTypes)
}

// defaultCharsetTypes are charset_types' own.
var defaultCharsetTypes = typeSet{"text/html": true, "text/xml": true, "text/plain": true, "text/vnd.wap.wml": true,
	"application/javascript": true, "application/rss+xml": true}

func charsetDirectives() []directive {
	return []directive{
		{"charset", inAnyLoc, take1, setCharset},
		{"charset_types", inHTTPSrvLoc, takeMore1, contentTypes(func(c *compiler) *typeSet { return &charsetLoc.at(c).types }, "text/html")},
	}
}

// setCharset reads charset NAME or $VARIABLE.
func setCharset(c *compiler, d *conf.Directive) error {
	f := &charsetLoc.at(c).charset
	if f.set {
		return errDuplicate
	}
	t := template{lit: d.Args[0]}
	if name, ok := strings.CutPrefix(d.Args[0], "$"); ok {
		t.parts = []templatePart{{kind: partVar, index: c.varIndex(name)}}
	}
	if t.isStatic() {
		charsetMain.at(c).add(t.lit)
	}
	return f.put(t)
}

// charsetHeader names the charset of text types (ngx_http_charset_header_filter).
// A subrequest's head is not sent, so only the main request's is named.
func charsetHeader(r *Request) int {
	cs := charsetLoc.of(r.Loc)
	o := &r.Out
	if name := o.charsetOverride; name != "" && r == r.Main && o.ContentType != "" {
		switch {
		case !charsetMain.of(r.Cycle).known[lowerString(name)]:
			r.Logf(errlog.Err, "unknown charset \"%s\" to override", name)
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
