package phases

import "github.com/moonphase/moonphase/phases/conf"

// typeSet holds content types, or "*" for all (ngx_http_types_slot); nil is unset.
type typeSet map[string]bool

func (t *typeSet) merge(outer, def typeSet) {
	if *t == nil {
		if *t = outer; *t == nil {
			*t = def
		}
	}
}

// has tells whether the set holds the type of a Content-Type
// (ngx_http_test_content_type).
func (t typeSet) has(contentType string) bool {
	if contentType == "" {
		return false
	}
	for i := 0; i < len(contentType); i++ {
		if contentType[i] == ';' {
			contentType = contentType[:i]
			break
		}
	}
	return t["*"] || t[lowerString(contentType)]
}

// contentTypes stores the arguments of a *_types directive on top of the types
// that are always there.
func contentTypes(field func(c *compiler) *typeSet, always ...string) setter {
	return func(c *compiler, d *conf.Directive) error {
		t := field(c)
		if *t == nil {
			*t = typeSet{}
			for _, name := range always {
				(*t)[name] = true
			}
		}
		for _, arg := range d.Args {
			name := lowerString(arg)
			if (*t)[name] {
				c.warnf(d, "duplicate MIME type \"%s\"", arg)
			}
			(*t)[name] = true
		}
		return nil
	}
}
