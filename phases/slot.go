package phases

// A slot is a module's own configuration in a level of the file. Its number is
// that of a place in each Cycle, Server or Location; a level gets its value
// when it is opened, and inherits when it has been read
// (ngx_http_get_module_loc_conf and its kin).
//
// merge takes over from the level around it what this one does not say, and puts
// in defaults; nil inherits nothing. isIf tells that the level is an `if` or
// limit_except block.

// confSlot is a slot without its type, for the list of a Module.
type confSlot interface {
	place() (level slotLevel, i int)
	fresh() any
	inherit(inner, outer any, isIf bool)
}

type slotLevel uint8

const (
	slotMain slotLevel = iota
	slotServer
	slotLocation
	numSlotLevels
)

// slotCount is the number of slots of each level. Slots are package variables,
// so it is complete before main begins.
var slotCount [numSlotLevels]int

func nextSlot(l slotLevel) int {
	slotCount[l]++
	return slotCount[l] - 1
}

// slot has what the three kinds share.
type slot[T any] struct {
	i     int
	merge func(inner, outer *T, isIf bool)
}

func (s *slot[T]) fresh() any { return new(T) }
func (s *slot[T]) inherit(inner, outer any, isIf bool) {
	if s.merge != nil {
		s.merge(inner.(*T), outer.(*T), isIf)
	}
}

// mainSlot is configuration of the whole file. Its merge gets a zero outer value
// and puts in defaults.
type mainSlot[T any] struct{ slot[T] }

func newMainSlot[T any](merge func(inner, outer *T, isIf bool)) *mainSlot[T] {
	return &mainSlot[T]{slot[T]{nextSlot(slotMain), merge}}
}

func (s *mainSlot[T]) place() (slotLevel, int) { return slotMain, s.i }
func (s *mainSlot[T]) of(c *Cycle) *T          { return c.confs[s.i].(*T) }
func (s *mainSlot[T]) at(c *compiler) *T       { return s.of(c.cycle) }

// serverSlot is configuration of a server, or of an upstream block.
type serverSlot[T any] struct{ slot[T] }

func newServerSlot[T any](merge func(inner, outer *T, isIf bool)) *serverSlot[T] {
	return &serverSlot[T]{slot[T]{nextSlot(slotServer), merge}}
}

func (s *serverSlot[T]) place() (slotLevel, int) { return slotServer, s.i }
func (s *serverSlot[T]) of(srv *Server) *T       { return srv.confs[s.i].(*T) }
func (s *serverSlot[T]) at(c *compiler) *T       { return s.of(c.srv) }

// locSlot is configuration of a location and of the levels around it.
type locSlot[T any] struct{ slot[T] }

func newLocSlot[T any](merge func(inner, outer *T, isIf bool)) *locSlot[T] {
	return &locSlot[T]{slot[T]{nextSlot(slotLocation), merge}}
}

func (s *locSlot[T]) place() (slotLevel, int) { return slotLocation, s.i }
func (s *locSlot[T]) of(l *Location) *T       { return l.confs[s.i].(*T) }
func (s *locSlot[T]) at(c *compiler) *T       { return s.of(c.loc) }

// in makes the selector of a directive's field in a module's slot.
func in[T, V any](s interface{ at(*compiler) *T }, field func(*T) *opt[V]) func(*compiler) *opt[V] {
	return func(c *compiler) *opt[V] { return field(s.at(c)) }
}

// eachSlot visits the slots of a level in the order of the modules.
func eachSlot(modules []*Module, level slotLevel, visit func(i int, s confSlot)) {
	for _, m := range modules {
		for _, s := range m.conf {
			if of, i := s.place(); of == level {
				visit(i, s)
			}
		}
	}
}

// freshSlots makes the values of a new level.
func freshSlots(modules []*Module, level slotLevel) []any {
	values := make([]any, slotCount[level])
	eachSlot(modules, level, func(i int, s confSlot) { values[i] = s.fresh() })
	return values
}

// mergeSlots lets a level inherit.
func mergeSlots(modules []*Module, level slotLevel, inner, outer []any, isIf bool) {
	eachSlot(modules, level, func(i int, s confSlot) { s.inherit(inner[i], outer[i], isIf) })
}
