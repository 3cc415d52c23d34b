//go:build moonphase_coroswitch && !race && go1.26 && !go1.27

package runtime

import _ "unsafe" // for linkname: no memory is touched

// stack is what stack_iter.go describes, on the two functions below iter.Pull: its
// checks and closures are an eighth of what a switch costs. Go keeps them for
// package iter, so this file is only for the builds of gobuild, which lift the
// linker's check, and for the Go versions it was tested with.
type stack struct {
	coro    *coro
	stopped bool
}

// coro is the runtime's own.
type coro struct{}

//go:linkname newcoro runtime.newcoro
func newcoro(func(*coro)) *coro

//go:linkname coroswitch runtime.coroswitch
func coroswitch(*coro)

func (s *stack) start(body func()) { s.coro = newcoro(func(*coro) { body() }) }

func (s *stack) enter() { coroswitch(s.coro) }

func (s *stack) leave() bool {
	if !s.stopped {
		coroswitch(s.coro)
	}
	return !s.stopped
}

func (s *stack) stop() {
	s.stopped = true
	coroswitch(s.coro)
}
