package runtime

import (
	"sync"
	"sync/atomic"
)

// Thread runs Lua code: the main thread of a worker, the entry thread of a
// handler, or the inside of a coroutine. It is handed down every call and is
// used by one goroutine at a time.
//
// Calling convention: the first three arguments and the first result travel in
// registers. Further arguments are in extra, which the callee reads at entry before any
// call; further results in ret, which the caller reads at once.
type Thread struct {
	depth   int
	control *control
	ret     []Value // ret[i] is result i, i >= 1
	extra   []Value // extra[i] is argument 3+i
	State   *State

	// Host is the context the embedding program gave to the entry thread;
	// coroutines inherit it.
	Host any

	tail tailCall
	args arena

	envFrames []*Env       // of the active functions that have environments of their own
	envs      []chunkEnv   // of an entry thread: environments of the chunks it ran
	nesting   int          // resumes below this thread
	root      *Thread      // the entry thread that this coroutine belongs to; itself when it is one
	coroutine *coroutine   // nil for a main or entry thread
	light     *LightThread // it runs on; nil outside of a handler
	handle    *Coroutine   // of a main or entry thread, made by coroutine.running
	waitsAt   []uintptr    // Go stack of where it waits; see Stop
}

// control is what other goroutines may change; the coroutines of an entry thread
// share its control.
type control struct {
	stop   atomic.Uint32 // not 0: Poll has something to look at
	mu     sync.Mutex
	reason any           // what Poll panics with
	parked int           // coroutines in live
	live   *coroutine    // suspended coroutines, linked by their next
	left   bool          // there may be some that Close has to unwind; not under mu, but the baton's
	done   chan struct{} // closed by Interrupt; made by Done
}

// Interrupt makes the thread and its coroutines panic with reason, an *Error or an
// Abort, at their next Poll, and closes Done. Any goroutine may call it.
func (th *Thread) Interrupt(reason any) {
	c := th.control
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil {
		return
	}
	c.reason = reason
	c.stop.Store(1)
	if c.done != nil {
		close(c.done)
	}
}

// Done is closed when the thread was interrupted, for those who wait.
func (th *Thread) Done() <-chan struct{} {
	c := th.control
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.reason != nil {
			close(c.done)
		}
	}
	return c.done
}

// Interrupted returns the reason given to Interrupt, nil when there was none.
func (th *Thread) Interrupted() any {
	c := th.control
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// stopped raises what Interrupt asked for. An error is raised once, so that a pcall may
// handle it; an Abort stays.
//
//go:noinline
func (th *Thread) stopped() {
	c := th.control
	c.mu.Lock()
	reason := c.reason
	if _, ok := reason.(*Error); ok {
		c.reason = nil
		c.stop.Store(0)
	}
	c.mu.Unlock()
	switch reason := reason.(type) {
	case nil:
	case *Error:
		if reason.Value.IsString() {
			reason = &Error{Value: String(th.Where(0) + reason.Value.Str())}
		}
		panic(reason)
	default:
		panic(reason)
	}
}

// maxDepth is the limit of the summed weights of active calls.
const maxDepth = 32000

// Enter counts a call of weight w. Static functions that may recurse begin with it;
// Call0 and its kin count the calls they make.
func (th *Thread) Enter(w int) {
	if th.depth += w; th.depth > maxDepth {
		th.overflow()
	}
}

// Leave takes back what Enter counted. It is not deferred: who recovers a panic
// restores the depth.
func (th *Thread) Leave(w int) { th.depth -= w }

// overflowRoom is the depth that error handlers may use beyond maxDepth.
const overflowRoom = 1000

//go:noinline
func (th *Thread) overflow() {
	if th.depth > maxDepth+overflowRoom {
		panic(&Error{Value: String("error in error handling")})
	}
	depth := th.depth
	th.depth -= overflowRoom // room to build the message
	err := th.newError("stack overflow")
	th.depth = depth
	panic(err)
}

// Poll raises an error or unwinds when the watchdog or an abort asked for it.
// Loops call it on their back edge.
func (th *Thread) Poll() {
	if th.control.stop.Load() != 0 {
		th.stopped()
	}
}

// arena is a stack for the argument slices of Go functions. A slice in use is
// never moved: when the block is full a bigger one takes over, and the old one
// lives as long as the slices in it. Who takes puts top back; that is right also
// when the block has changed since, as nothing above top is in use in either.
type arena struct {
	block []Value
	top   int
}

// take returns a slice for n values that is valid until top is put back.
func (a *arena) take(n int) []Value {
	if a.top+n > len(a.block) {
		a.grow(n)
	}
	s := a.block[a.top : a.top+n : a.top+n]
	a.top += n
	return s
}

//go:noinline
func (a *arena) grow(n int) {
	a.block = make([]Value, max(8, 2*len(a.block), a.top+2*n))
}
