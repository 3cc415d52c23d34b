package runtime

import (
	"runtime"
	"sync"
)

// A coroutine runs on a goroutine of its own and is switched to directly, without
// the scheduler (see stack). Three objects keep its life apart:
//
//   - Coroutine is the handle, what a Lua value of type thread points at.
//   - coroutine is the state. The goroutine's stack refers to it, never to the
//     handle, so a handle that becomes unreachable tells that nobody can resume
//     the coroutine any more; it is then unwound.
//   - runner is the goroutine; it is used again when its coroutine has ended.

// Coroutine is the handle of a coroutine.
type Coroutine struct {
	co *coroutine

	// The collector keeps the cleanups of a span in a list that it searches from
	// the front. A bigger object makes for a shorter list.
	_ [7]uint64
}

// unwatched is the number of suspended coroutines of an entry thread that may
// wait for Close when they became unreachable. Only those beyond get a cleanup,
// which costs more than all else about a coroutine.
const unwatched = 100

// coroutineStatus is what coroutine.status tells.
type coroutineStatus uint8

const (
	suspended coroutineStatus = iota
	running
	normal // it resumed another one
	dead
	zombie // a light thread that ended and that its parent has not asked about
)

var statusNames = [...]string{suspended: "suspended", running: "running", normal: "normal", dead: "dead", zombie: "zombie"}

// coroutine is the state of a coroutine.
type coroutine struct {
	th     *Thread
	fn     Value
	status coroutineStatus
	runner *runner    // nil before the first resume and after the end
	handle *Coroutine // while it runs: the resumer keeps it alive anyway

	// What a switch carries: n values, the first in v, the others in more; or
	// the panic that ended the coroutine.
	n     int
	v     Value
	more  []Value
	fail  any
	ended bool
	trace string // traceback of where it ended with an error
	probe func() // what to run on its stack instead of resuming it

	parked     bool       // it yielded: it is in control.live
	prev, next *coroutine // in control.live of the entry thread

	thread  Thread   // what th points at
	results [4]Value // the thread's first ret
}

// runner is a goroutine that runs coroutines one after the other.
type runner struct {
	job *coroutine
	stack
}

// idleRunners keeps goroutines whose coroutine has ended.
var idleRunners = struct {
	sync.Mutex
	list []*runner
}{}

// maxIdleRunners bounds idleRunners; a goroutine more than that ends.
const maxIdleRunners = 256

// newRunner returns a goroutine to run co on.
func newRunner(co *coroutine) *runner {
	idleRunners.Lock()
	if n := len(idleRunners.list); n > 0 {
		r := idleRunners.list[n-1]
		idleRunners.list = idleRunners.list[:n-1]
		idleRunners.Unlock()
		r.job = co
		return r
	}
	idleRunners.Unlock()
	r := &runner{job: co}
	r.start(r.loop)
	return r
}

// retire puts a runner whose coroutine has ended aside.
func (r *runner) retire() {
	r.job = nil
	idleRunners.Lock()
	keep := len(idleRunners.list) < maxIdleRunners
	if keep {
		idleRunners.list = append(idleRunners.list, r)
	}
	idleRunners.Unlock()
	if !keep {
		r.stop()
	}
}

// loop is the body of the goroutine.
func (r *runner) loop() {
	for {
		r.job.run()
		if !r.leave() {
			return
		}
	}
}

// killed unwinds a coroutine that will never be resumed.
type killed struct{}

func (killed) Error() string { return "coroutine killed" }

// LuaAbort makes killed an Abort.
func (killed) LuaAbort() {}

// maxNesting bounds how deep coroutines resume coroutines, as LuaJIT's limit of C
// calls does.
const maxNesting = 200

// maxHandlerNesting is maxNesting where ngx_lua's coroutines resume each other without C, with
// memory as their only limit.
const maxHandlerNesting = 10000

// probed is leave for a switch that came to run a probe.
//
//go:noinline
func (co *coroutine) probed() {
	co.probe()
	co.leave()
}

func init() { registerNative("yield", (*coroutine).probed) }

// run calls the coroutine's function and leaves its results, or the panic that
// ended it, in co.
func (co *coroutine) run() {
	defer func() {
		co.ended = true
		if x := recover(); x != nil {
			if err, ok := x.(*Error); ok && err.Traceback == "" {
				co.trace = co.th.deadTraceback(err)
			}
			co.fail = x
		}
	}()
	n, a, b, c := co.arguments()
	f := co.fn
	co.fn = Nil
	v, r := f.Func().fn(co.th, n, a, b, c)
	if r < 0 {
		v, r = co.th.runTail()
	}
	co.put(co.th, v, r)
}

// put stores r results of th for the other side of a switch.
func (co *coroutine) put(th *Thread, v Value, r int) {
	co.v, co.n = v, r
	if r > len(co.more)+1 {
		co.more = make([]Value, r)
	}
	if r > 1 {
		copy(co.more, th.ret[1:r])
	}
}

// putArgs stores the arguments of a call on th for the other side of a switch.
func (co *coroutine) putArgs(th *Thread, n int, a, b, c Value) {
	co.n = n
	co.v.set(a)
	if n < 2 {
		return
	}
	if n > len(co.more)+1 {
		co.more = make([]Value, n+2)
	}
	co.more[0].set(b)
	if n > 2 {
		co.more[1].set(c)
	}
	if n > 3 {
		copy(co.more[2:], th.extra[:n-3])
	}
}

// arguments takes what a switch brought as the arguments of a call.
func (co *coroutine) arguments() (n int, a, b, c Value) {
	n, a = co.n, co.v
	if n > 1 {
		b = co.more[0]
	}
	if n > 2 {
		c = co.more[1]
	}
	if n > 3 {
		co.th.setExtra(co.more[2 : n-1])
	}
	return n, a, b, c
}

// take returns what a switch brought as results on th.
func (co *coroutine) take(th *Thread) (Value, int) {
	n := co.n
	if n > 1 {
		if n > len(th.ret) {
			th.ret = make([]Value, 2*n)
		}
		for i := range co.more[:n-1] { // few; cheaper than a copy with barriers
			th.ret[1+i].set(co.more[i])
		}
	}
	return co.v, n
}

// NewCoroutine returns a coroutine that will run the function f.
func (th *Thread) NewCoroutine(f Value) *Coroutine {
	co := &coroutine{fn: f}
	co.th = &co.thread
	co.thread = Thread{
		State: th.State, Host: th.Host, control: th.control, root: th.root,
		coroutine: co, ret: co.results[:],
	}
	return &Coroutine{co: co}
}

// park makes sure that a coroutine that has suspended itself for the first time
// is unwound when its entry thread is closed, or, if there are many, when its
// handle becomes unreachable.
func (co *coroutine) park(handle *Coroutine) {
	co.parked = true
	c := co.th.control
	c.left = true
	c.mu.Lock()
	if co.next = c.live; co.next != nil {
		co.next.prev = co
	}
	c.live = co
	c.parked++
	many := c.parked > unwatched
	c.mu.Unlock()
	if many {
		runtime.AddCleanup(handle, func(co *coroutine) { co.kill() }, co)
	}
}

// unlink takes co out of its entry thread's list and returns its runner, nil when
// somebody else did so before.
func (co *coroutine) unlink() *runner {
	if !co.parked {
		r := co.runner
		co.runner = nil
		return r
	}
	c := co.th.control
	c.mu.Lock()
	defer c.mu.Unlock()
	r := co.runner
	if r == nil {
		return nil
	}
	co.runner = nil
	c.parked--
	if co.prev != nil {
		co.prev.next = co.next
	} else {
		c.live = co.next
	}
	if co.next != nil {
		co.next.prev = co.prev
	}
	co.prev, co.next = nil, nil
	return r
}

// kill unwinds a suspended coroutine and ends its goroutine.
func (co *coroutine) kill() {
	if r := co.unlink(); r != nil {
		r.stop()
	}
}

// Close unwinds the suspended coroutines that the thread's Lua code has left, when a
// request has ended.
func (th *Thread) Close() {
	clear(th.envs)
	th.envs = th.envs[:0]
	c := th.control
	if !c.left {
		return
	}
	c.left = false
	for {
		c.mu.Lock()
		co := c.live
		c.mu.Unlock()
		if co == nil {
			return
		}
		co.kill()
		co.status = dead
	}
}

// Resume continues handle's coroutine with args. The error is the one that ended the
// coroutine or that says why it cannot run.
func (th *Thread) Resume(handle *Coroutine, args []Value) (Value, int, *Error) {
	n, a, b, c := th.spread(args)
	return th.resume(handle, n, a, b, c)
}

func (th *Thread) resume(handle *Coroutine, n int, a, b, c Value) (Value, int, *Error) {
	if err := th.beginResume(handle, n, a, b, c); err != nil {
		return Nil, 0, err
	}
	handle.co.runner.enter()
	return th.endResume(handle)
}

// beginResume is resume up to the switch. The processor predicts returns by the calls before
// them and is wrong about every frame between the Lua code and a switch, on both
// sides; so what is hot switches in its own frame, between beginResume and endResume.
func (th *Thread) beginResume(handle *Coroutine, n int, a, b, c Value) *Error {
	co := handle.co
	if co.th.control != th.control {
		th.checkOwn(co)
	}
	if co.status != suspended {
		return th.cannotResume(co)
	}
	if th.nesting >= maxNesting && (th.nesting >= maxHandlerNesting || th.rules() != HandlerCoroutines) {
		return &Error{Value: String("C stack overflow")}
	}
	if co.runner == nil {
		if co.fn.n == tagNil { // its request has ended
			return &Error{Value: String("cannot resume dead coroutine")}
		}
		co.runner = newRunner(co)
	}
	co.putArgs(th, n, a, b, c)
	co.thread.nesting = th.nesting + 1
	if co.thread.light != th.light {
		co.thread.light = th.light
	}
	th.setShown(normal)
	co.status, co.handle = running, handle
	return nil
}

// endResume is resume from the switch on.
func (th *Thread) endResume(handle *Coroutine) (Value, int, *Error) {
	co := handle.co
	co.handle = nil
	th.setShown(running)
	if !co.ended {
		co.status = suspended
		if !co.parked {
			co.park(handle)
		}
		v, n := co.take(th)
		return v, n, nil
	}
	co.status = dead
	if r := co.unlink(); r != nil {
		r.retire()
	}
	if co.fail != nil {
		x := co.fail
		co.fail = nil
		return Nil, 0, th.endedBy(x)
	}
	v, n := co.take(th)
	return v, n, nil
}

// setShown sets what coroutine.status tells of th, if Lua knows it.
func (th *Thread) setShown(s coroutineStatus) {
	if th.coroutine != nil {
		th.coroutine.status = s
	} else if th.handle != nil {
		th.handle.co.status = s
	}
}

// Yield suspends the running coroutine, giving args to who resumed it, and
// returns what the next resume passes.
func (th *Thread) Yield(args []Value) (Value, int) {
	n, a, b, c := th.spread(args)
	return coroutineYield(th, n, a, b, c)
}

// coroutineYield is coroutine.yield.
func coroutineYield(th *Thread, n int, a, b, c Value) (Value, int) {
	co := th.coroutine
	if co == nil {
		if th.rules() == HandlerCoroutines {
			th.YieldTurn()
			return Nil, 0
		}
		th.checkCoroutines()
		th.Errorf("attempt to yield across C-call boundary")
	}
	co.putArgs(th, n, a, b, c)
	co.leave()
	return co.take(th)
}

// leave switches to who resumed the coroutine, and returns when it is resumed.
func (co *coroutine) leave() {
	for {
		if !co.runner.leave() {
			panic(killed{})
		}
		if co.probe == nil {
			return
		}
		co.probe()
	}
}

// visit runs f on the stack of a coroutine that has yielded, without resuming it.
func (c *Coroutine) visit(f func()) {
	c.co.probe = f
	c.co.runner.enter()
	c.co.probe = nil
}

// yieldFunction is coroutine.yield.
var yieldFunction = NewBuiltin("yield", coroutineYield).Func()

// Yield1 is Call1 where the source calls something named yield: if it is coroutine.yield, the
// switch is made without a frame of its own.
func Yield1(th *Thread, f Value, where string, a Value) (Value, int) {
	co := th.coroutine
	if co == nil || f.n != tagFunction || f.Func() != yieldFunction {
		return Call1(th, f, where, a)
	}
	co.n = 1
	co.v.set(a)
	if !co.runner.leave() {
		panic(killed{})
	}
	if co.probe != nil {
		co.probed()
	}
	return co.take(th)
}

// Yield2 is Yield1 for two values.
func Yield2(th *Thread, f Value, where string, a, b Value) (Value, int) {
	co := th.coroutine
	if co == nil || f.n != tagFunction || f.Func() != yieldFunction {
		return Call2(th, f, where, a, b)
	}
	co.putArgs(th, 2, a, b, Value{})
	if !co.runner.leave() {
		panic(killed{})
	}
	if co.probe != nil {
		co.probed()
	}
	return co.take(th)
}

// Running returns the handle of the coroutine th is the inside of; nil for a main or entry thread.
func (th *Thread) Running() *Coroutine {
	if th.coroutine == nil {
		return nil
	}
	return th.coroutine.handle
}

// Status returns what coroutine.status gives.
func (c *Coroutine) Status() string { return statusNames[c.co.status] }
