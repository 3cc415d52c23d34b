package core

// A slot is a module's own configuration in a level of the file. Its number is
// that of a place in each Cycle, Server or Location; a level gets its value
// when it is opened, and inherits when it has been read
// (ngx_http_get_module_loc_conf and its kin).
//
// merge takes over from the level around it what this one does not say, and puts
// in defaults; nil inherits nothing. isIf tells that the level is an `if` or
// limit_except block.

// ConfSlot is a slot without its type, for the list of a Module.
type ConfSlot interface {
	place() (level slotLevel, i int)
	fresh() any
	inherit(inner, outer any, isIf bool)
}

// slotLevel is the kind of level that has a slot.
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

// MainSlot is configuration of the whole file. Its merge gets a zero outer value
// and puts in defaults.
type MainSlot[T any] struct{ slot[T] }

// NewMainSlot makes a slot of the whole file.
func NewMainSlot[T any](merge func(inner, outer *T, isIf bool)) *MainSlot[T] {
	return &MainSlot[T]{slot[T]{nextSlot(slotMain), merge}}
}

func (s *MainSlot[T]) place() (slotLevel, int) { return slotMain, s.i }

// Of is the value in a configuration.
func (s *MainSlot[T]) Of(c *Cycle) *T { return c.confs[s.i].(*T) }

// At is the value where the compiler is.
func (s *MainSlot[T]) At(c *Compiler) *T { return s.Of(c.Cycle) }

// ServerSlot is configuration of a server, or of an upstream block.
type ServerSlot[T any] struct{ slot[T] }

// NewServerSlot makes a slot of servers.
func NewServerSlot[T any](merge func(inner, outer *T, isIf bool)) *ServerSlot[T] {
	return &ServerSlot[T]{slot[T]{nextSlot(slotServer), merge}}
}

func (s *ServerSlot[T]) place() (slotLevel, int) { return slotServer, s.i }

// Of is the value of a server.
func (s *ServerSlot[T]) Of(srv *Server) *T { return srv.confs[s.i].(*T) }

// At is the value where the compiler is.
func (s *ServerSlot[T]) At(c *Compiler) *T { return s.Of(c.Srv) }

// LocSlot is configuration of a location and of the levels around it.
type LocSlot[T any] struct{ slot[T] }

// NewLocSlot makes a slot of locations.
func NewLocSlot[T any](merge func(inner, outer *T, isIf bool)) *LocSlot[T] {
	return &LocSlot[T]{slot[T]{nextSlot(slotLocation), merge}}
}

func (s *LocSlot[T]) place() (slotLevel, int) { return slotLocation, s.i }

// Of is the value of a location.
func (s *LocSlot[T]) Of(l *Location) *T { return l.confs[s.i].(*T) }

// At is the value where the compiler is.
func (s *LocSlot[T]) At(c *Compiler) *T { return s.Of(c.Loc) }

// In makes the selector of a directive's field in a module's slot.
func In[T, V any](s interface{ At(*Compiler) *T }, field func(*T) *Opt[V]) func(*Compiler) *Opt[V] {
	return func(c *Compiler) *Opt[V] { return field(s.At(c)) }
}

// eachSlot visits the slots of a level in the order of the modules.
func eachSlot(modules []*Module, level slotLevel, visit func(i int, s ConfSlot)) {
	for _, m := range modules {
		for _, s := range m.Conf {
			if of, i := s.place(); of == level {
				visit(i, s)
			}
		}
	}
}

// freshSlots makes the values of a new level.
func freshSlots(modules []*Module, level slotLevel) []any {
	values := make([]any, slotCount[level])
	eachSlot(modules, level, func(i int, s ConfSlot) { values[i] = s.fresh() })
	return values
}

// mergeSlots lets a level inherit.
func mergeSlots(modules []*Module, level slotLevel, inner, outer []any, isIf bool) {
	eachSlot(modules, level, func(i int, s ConfSlot) { s.inherit(inner[i], outer[i], isIf) })
}
