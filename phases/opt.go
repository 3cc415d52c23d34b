package phases

// opt is a directive's value that may be absent: set where it was written,
// inherited by merge where it was not.
type opt[T any] struct {
	v   T
	set bool
}

// merge takes the outer level's value, or the default, when there is no own
// value. Outer levels are merged first.
func (o *opt[T]) merge(outer opt[T], def T) {
	if o.set {
		return
	}
	if outer.set {
		*o = outer
		return
	}
	o.v, o.set = def, true
}

// orDefault is the value, or def when the directive is absent.
func (o *opt[T]) orDefault(def T) T {
	if o.set {
		return o.v
	}
	return def
}

// put stores a value once; a second time is a duplicate directive.
func (o *opt[T]) put(v T) error {
	if o.set {
		return errDuplicate
	}
	o.v, o.set = v, true
	return nil
}

// minZone is the least size of a zone of shared memory, in bytes: eight pages.
const minZone = 8 * 4096
