//go:build !moonphase_coroswitch || race || !go1.26 || go1.27

package runtime

import "iter"

// stack is a goroutine that is entered and left like a coroutine: enter runs it
// until it leaves, leave goes back to who entered it. leave returns false when the
// goroutine shall end, which stop waits for; it then returns false at once.
type stack struct {
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	end   func()
}

// start makes the goroutine that will run body.
func (s *stack) start(body func()) {
	s.next, s.end = iter.Pull(func(yield func(struct{}) bool) {
		s.yield = yield
		body()
	})
}

func (s *stack) enter()      { s.next() }
func (s *stack) leave() bool { return s.yield(struct{}{}) }
func (s *stack) stop()       { s.end() }
