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
	if contentType == "" || t["*"] {
		return t["*"]
	}
	for i := 0; i < len(contentType); i++ {
		if contentType[i] == ';' {
			contentType = contentType[:i]
			break
		}
	}
	return t[ngxtext.Lower(contentType)]
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

// setTypes reads a types{} block: a type and the extensions it is for.
func setTypes(c *Compiler, d *conf.Directive) error {
	if c.Loc.types == nil {
		c.Loc.types = map[string]string{}
	}
	for _, line := range d.Block {
		if line.Err != nil {
			return line.Err
		}
		for _, ext := range line.Args {
			ext = ngxtext.Lower(ext)
			if before, ok := c.Loc.types[ext]; ok {
				c.Warnf(line, "duplicate extension \"%s\", content type: \"%s\", previous content type: \"%s\"", ext, line.Name, before)
			}
			c.Loc.types[ext] = line.Name
		}
	}
	return nil
}

// defaultTypes are the types of a configuration without a types block.
var defaultTypes = map[string]string{"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"}

// SetContentType gives the response the type of the URI's extension
// (ngx_http_set_content_type).
func (r *Request) SetContentType() {
	if r.Out.ContentType == "" {
		r.Out.ContentType = r.TypeOfURI()
	}
}

// TypeOfURI is the type of the URI's extension, or else default_type.
func (r *Request) TypeOfURI() string {
	l := r.Loc
	for i := len(r.URI) - 1; i > 0 && r.URI[i] != '/'; i-- {
		if r.URI[i] == '.' {
			if t, ok := l.types[ngxtext.Lower(r.URI[i+1:])]; ok {
				return t
			}
			break
		}
	}
	return l.defaultType.V
}
