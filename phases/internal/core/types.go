package core

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// TypeSet holds content types, or "*" for all (ngx_http_types_slot); nil is unset.
type TypeSet map[string]bool

// Merge takes the outer level's types, or the default, when there are no own ones.
func (t *TypeSet) Merge(outer, def TypeSet) {
	if *t == nil {
		if *t = outer; *t == nil {
			*t = def
		}
	}
}

// Has tells whether the set holds the type of a Content-Type
// (ngx_http_test_content_type).
func (t TypeSet) Has(contentType string) bool {
	if contentType == "" {
		return false
	}
	for i := 0; i < len(contentType); i++ {
		if contentType[i] == ';' {
			contentType = contentType[:i]
			break
		}
	}
	return t["*"] || t[ngxtext.Lower(contentType)]
}

// SetTypes stores the arguments of a *_types directive on top of the types
// that are always there.
func SetTypes(field func(c *Compiler) *TypeSet, always ...string) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		t := field(c)
		if *t == nil {
			*t = TypeSet{}
			for _, name := range always {
				(*t)[name] = true
			}
		}
		for _, arg := range d.Args {
			name := ngxtext.Lower(arg)
			if (*t)[name] {
				c.Warnf(d, "duplicate MIME type \"%s\"", arg)
			}
			(*t)[name] = true
		}
		return nil
	}
}
