package core

import "github.com/moonphase/moonphase/phases/conf"

// Opt is a directive's value that may be absent: set where it was written,
// inherited by merge where it was not.
type Opt[T any] struct {
	V   T
	Set bool
}

// Merge takes the outer level's value, or the default, when there is no own
// value. Outer levels are merged first.
func (o *Opt[T]) Merge(outer Opt[T], def T) {
	if o.Set {
		return
	}
	if outer.Set {
		*o = outer
		return
	}
	o.V, o.Set = def, true
}

// OrDefault is the value, or def when the directive is absent.
func (o *Opt[T]) OrDefault(def T) T {
	if o.Set {
		return o.V
	}
	return def
}

// Put stores a value once; a second time is a duplicate directive.
func (o *Opt[T]) Put(v T) error {
	if o.Set {
		return ErrDuplicate
	}
	o.V, o.Set = v, true
	return nil
}

// MinZone is the least size of a zone of shared memory, in bytes: eight pages.
const MinZone = 8 * 4096

// SetPath stores a file name, from the folder of the configuration file.
func SetPath(field func(c *Compiler) *Opt[string]) Setter {
	return func(c *Compiler, d *conf.Directive) error { return field(c).Put(c.FullConfPath(d.Args[0])) }
}
