package runtime

import (
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/runtime/guard"
)

// Light threads: how one handler's Lua runs on several goroutines, one at a time.
//
// The entry thread runs the handler's chunk on the request's own goroutine; each
// light thread it spawns gets a goroutine. Whoever holds the worker's baton runs.
// The order in which they take over is observable and is ngx_lua's:
//
//   - Spawn runs the new thread at once; its parent is posted and goes on when the
//     child first waits or ends.
//   - Posted threads run first-in first-out, all of them, before the worker turns
//     to other requests.
//   - A thread whose wait ended (a socket, a timer) queues for the baton with
//     everybody else of its worker.
//   - A parent that waits for a child goes on as soon as that child ends.
//
// All fields below are guarded by the baton. What a killed thread was waiting for
// is interrupted; then it takes the baton once more, in its turn, only to unwind.
// So unwinding Go code may touch the same data that running code may.

// A ThreadGroup is the entry thread of one handler run and its light threads.
// The zero value is ready for Run; a group may be used again after Run returned.
type ThreadGroup struct {
	// Coroutines says whose coroutine library the handler sees. Context names the
	// handler where it sees none, as in "set_by_lua*".
	Coroutines CoroutineRules
	Context    string

	baton  *Baton
	entry  LightThread
	posted []*LightThread // runnable, in order; posted[:next] have run
	next   int
	alive  []*LightThread // spawned threads whose goroutine has not ended
	abort  Abort          // why everything is being unwound, nil while nothing is
	ending bool           // the entry thread is over and waits for the others
	over   bool
}

// A LightThread is a thread of control of a handler: the entry thread, or one made
// by Spawn. Its coroutines run on it: when one waits, the whole light thread waits.
type LightThread struct {
	// Subrequests counts the subrequests this thread waits for. A thread that
	// has some cannot be killed.
	Subrequests int

	group     *ThreadGroup
	thread    *Thread // the coroutine the light thread began as
	parent    *Thread // the coroutine that spawned it, nil for the entry thread
	state     lightStatus
	killed    bool
	turn      batonWaiter // how it queues for the baton
	interrupt func()      // ends the wait it is in, nil when it cannot be hurried
	parking   *Parking    // the wait it is in, when that is a Parking
	waiter    *Parking    // its parent's wait that names it
	results   []Value
	succeeded bool
}

type lightStatus uint8

const (
	lightRunning lightStatus = iota
	lightZombie              // ended, results not yet fetched by the parent
	lightDead
)

// Alive is the number of light threads that have not ended, without the entry thread.
func (g *ThreadGroup) Alive() int { return len(g.alive) }

// Parent returns the coroutine that spawned lt, nil for an entry thread.
func (lt *LightThread) Parent() *Thread { return lt.parent }

// Group returns the handler run lt belongs to.
func (lt *LightThread) Group() *ThreadGroup { return lt.group }

// threadKilled unwinds the goroutine of a light thread that was killed.
type threadKilled struct{}

func (threadKilled) Error() string { return "light thread killed" }

// LuaAbort makes threadKilled an Abort.
func (threadKilled) LuaAbort() {}

// Run runs body as the entry thread on th and returns when it and all light
// threads it left behind have ended. The caller holds the baton, before and after.
// body reports whether it succeeded; a failure ends the other threads at once, as
// does an Abort raised in any of them, which is then the result. Suspended coroutines
// that are left are unwound.
func (g *ThreadGroup) Run(th *Thread, body func() bool) Abort {
	g.baton, g.abort, g.ending, g.over = th.State.Baton, nil, false, false
	wake := g.entry.turn.wake
	if wake == nil {
		wake = make(chan struct{}, 1)
	}
	g.entry = LightThread{group: g, thread: th, turn: batonWaiter{wake: wake}}
	th.light, th.handle = &g.entry, nil
	ok, abort := g.entry.call(body)
	g.entry.setState(lightDead)
	switch {
	case abort != nil && !g.entry.killed:
		g.stop(abort)
	case !ok:
		g.killAll()
	}
	for len(g.alive) > 0 {
		g.ending = true
		g.passOn()
		<-g.entry.turn.wake
	}
	g.over = true
	th.Close()
	abort, g.abort = g.abort, nil
	g.posted, g.next = g.posted[:0], 0
	return abort
}

// call runs body and turns the Abort that ends it into a result. So does any other
// panic, which is a Defect.
func (lt *LightThread) call(body func() bool) (ok bool, abort Abort) {
	defer func() {
		if r := recover(); r != nil {
			a, isAbort := r.(Abort)
			if !isAbort {
				a = guard.New(r)
			}
			abort = a
		}
	}()
	return body(), nil
}

// Spawn calls f at once in a new light thread and returns when the caller's turn comes
// again: when the new thread waits or has ended. An error that f does not handle
// goes to failed and becomes the thread's result.
func (th *Thread) Spawn(f Value, args []Value, failed func(*Thread, *Error)) *LightThread {
	child := th.newLightThread()
	args = append([]Value(nil), args...)
	return th.spawn(child, child.caller(f, args, failed))
}

// caller returns the body of a light thread that calls f.
func (th *Thread) caller(f Value, args []Value, failed func(*Thread, *Error)) func() ([]Value, bool) {
	return func() ([]Value, bool) {
		results, err := th.PCall(f, args...)
		if err != nil {
			failed(th, err)
			if len(err.coroutines) > 0 { // ngx_lua looks for the error on the wrong stack
				return nil, false
			}
			return append(err.Args, err.Value), false
		}
		return results, true
	}
}

// newLightThread returns a thread for a goroutine of its own. It shares the entry
// thread's control: what stops the one stops the other, and Close reaches the
// coroutines of both.
func (th *Thread) newLightThread() *Thread {
	child := th.State.NewThread()
	child.control, child.Host = th.control, th.Host
	return child
}

// spawn is Spawn for any body, which runs on child.
func (th *Thread) spawn(child *Thread, body func() ([]Value, bool)) *LightThread {
	parent := th.light
	g := parent.group
	lt := g.add(child, th)
	g.post(parent)
	guard.Go(func() { lt.main(body) })
	parent.awaitTurn()
	return lt
}

// Inject calls f in a light thread that comes from outside, a child of the entry
// thread; the caller does not hold the baton. It reports false when the handler is
// over.
func (g *ThreadGroup) Inject(f Value, failed func(*Thread, *Error)) bool {
	g.baton.Acquire()
	if g.over || g.abort != nil {
		g.baton.Release()
		return false
	}
	child := g.entry.thread.newLightThread()
	lt, body := g.add(child, g.entry.thread), child.caller(f, nil, failed)
	guard.Go(func() { lt.main(body) })
	return true
}

func (g *ThreadGroup) add(child, parent *Thread) *LightThread {
	lt := &LightThread{group: g, thread: child, parent: parent, turn: batonWaiter{wake: make(chan struct{}, 1)}}
	child.light = lt
	g.alive = append(g.alive, lt)
	return lt
}

// main is the goroutine of a spawned light thread. It begins with the baton.
func (lt *LightThread) main(body func() ([]Value, bool)) {
	_, abort := lt.call(func() bool {
		lt.results, lt.succeeded = body()
		return true
	})
	th := lt.thread // Lua may keep its handle; what it worked with can go
	th.ret, th.extra, th.args, th.tail = nil, nil, arena{}, tailCall{}
	g := lt.group
	switch {
	case lt.killed:
		lt.discard()
	case abort != nil:
		lt.discard()
		g.stop(abort)
	default:
		lt.end()
	}
	g.remove(lt)
	if g.ending && len(g.alive) == 0 {
		g.entry.resume()
		return
	}
	g.passOn()
}

// end keeps the results for a parent that may still ask, and lets a parent that is
// asking go on next.
func (lt *LightThread) end() {
	switch {
	case lt.waiter != nil && lt.waiter.claim(parkWoken):
		lt.setState(lightZombie)
		lt.group.postFirst(lt.waiter.light)
	case lt.parent.ended():
		lt.discard()
	default:
		lt.setState(lightZombie)
	}
}

// ended reports whether th is the inside of a coroutine or light thread that is over.
func (th *Thread) ended() bool {
	if th.coroutine != nil {
		return th.coroutine.status == dead
	}
	return th.light.state == lightDead
}

func (lt *LightThread) discard() {
	lt.setState(lightDead)
	lt.results = nil
}

// setState also updates what coroutine.status shows of the thread's handle.
func (lt *LightThread) setState(s lightStatus) {
	lt.state = s
	if h := lt.thread.handle; h != nil {
		h.co.status = s.shown()
	}
}

func (s lightStatus) shown() coroutineStatus {
	return [...]coroutineStatus{running, zombie, dead}[s]
}

// Handle returns the coroutine that Lua sees as the light thread.
func (lt *LightThread) Handle() *Coroutine {
	h := lt.thread.mainHandle()
	if lt.state != lightRunning {
		h.co.status = lt.state.shown()
	}
	return h
}

// Light returns the light thread that c is the handle of, nil for a coroutine.
func (c *Coroutine) Light() *LightThread {
	if c.co.th.coroutine != nil {
		return nil
	}
	return c.co.th.light
}

func (g *ThreadGroup) remove(lt *LightThread) {
	for i, other := range g.alive {
		if other == lt {
			last := len(g.alive) - 1
			g.alive[i] = g.alive[last]
			g.alive[last] = nil
			g.alive = g.alive[:last]
			return
		}
	}
}

// WaitAny waits until one of the children, all spawned by th and none of them dead
// or zombie yet, has ended, and returns that one.
func (th *Thread) WaitAny(children []*LightThread) *LightThread {
	p := th.Park()
	for _, c := range children {
		if c.state == lightRunning {
			c.waiter = p
		}
	}
	p.Wait(-1)
	var ended *LightThread
	for _, c := range children {
		if c.waiter == p {
			c.waiter = nil
		}
		if ended == nil && c.state == lightZombie {
			ended = c
		}
	}
	return ended
}

// IsZombie reports whether lt has ended and Reap would return its results.
func (lt *LightThread) IsZombie() bool { return lt.state == lightZombie }

// IsDead reports whether lt was killed or its results were fetched.
func (lt *LightThread) IsDead() bool { return lt.state == lightDead }

// Reap fetches the results of a zombie, which makes it dead.
func (lt *LightThread) Reap() (results []Value, succeeded bool) {
	results, succeeded = lt.results, lt.succeeded
	lt.discard()
	return results, succeeded
}

// Kill ends a light thread that is not the caller's own: what it waits for is
// interrupted and it never runs Lua again.
func (lt *LightThread) Kill() {
	if lt.state == lightRunning && !lt.killed {
		lt.killed = true
		lt.setState(lightDead)
		if p := lt.parking; p != nil && p.claim(parkWoken) {
			p.requeue()
		}
		if f := lt.interrupt; f != nil {
			lt.interrupt = nil
			f()
		}
	}
}

// stop makes abort the outcome of the handler and kills what still runs.
func (g *ThreadGroup) stop(abort Abort) {
	if g.abort == nil {
		g.abort = abort
	}
	g.killAll()
}

func (g *ThreadGroup) killAll() {
	g.entry.Kill()
	for _, lt := range g.alive {
		lt.Kill()
	}
}

// Abort ends the handler from outside, as when the client has gone; the caller does
// not hold the baton. It does nothing when the handler is over.
func (g *ThreadGroup) Abort(abort Abort) {
	g.baton.Acquire()
	if !g.over {
		g.stop(abort)
	}
	g.baton.Release()
}

// post queues lt to run before the group gives the baton up.
func (g *ThreadGroup) post(lt *LightThread) { g.posted = append(g.posted, lt) }

func (g *ThreadGroup) postFirst(lt *LightThread) {
	if g.next > 0 {
		g.next--
		g.posted[g.next] = lt
		return
	}
	g.posted = append(g.posted, nil)
	copy(g.posted[1:], g.posted)
	g.posted[0] = lt
}

// passOn gives the baton to the next posted thread, or to the next in the worker.
func (g *ThreadGroup) passOn() {
	if g.next == len(g.posted) {
		g.baton.Release()
		return
	}
	lt := g.posted[g.next]
	g.posted[g.next] = nil
	if g.next++; g.next == len(g.posted) {
		g.posted, g.next = g.posted[:0], 0
	}
	lt.resume()
}

// resume hands the baton, which the caller holds, to lt.
func (lt *LightThread) resume() { lt.turn.wake <- struct{}{} }

// awaitTurn returns when the baton, which the caller has given on, is back with lt.
func (lt *LightThread) awaitTurn() {
	<-lt.turn.wake
	lt.turn.got, lt.parking = nil, nil
	lt.unwindIfKilled()
}

func (lt *LightThread) unwindIfKilled() {
	if lt.killed {
		panic(threadKilled{})
	}
}

// Light returns the light thread th runs on, nil outside of a handler.
func (th *Thread) Light() *LightThread { return th.light }

// YieldTurn lets the handler's other posted threads run; with none, th goes on.
func (th *Thread) YieldTurn() {
	lt := th.light
	if g := lt.group; g.next < len(g.posted) {
		g.post(lt)
		g.passOn()
		lt.awaitTurn()
	}
}

// Block runs wait, which touches no Lua value, without the baton. When th's light
// thread is killed meanwhile, interrupt is called (by a goroutine that holds the
// baton, possibly just after wait has returned) to make wait return soon; Block
// then unwinds instead of returning. A nil interrupt means wait cannot be hurried.
func (th *Thread) Block(interrupt, wait func()) {
	lt := th.light
	if lt == nil {
		wait()
		return
	}
	lt.interrupt = interrupt
	lt.group.passOn()
	defect := stopPanic(wait)
	lt.group.baton.acquireAs(&lt.turn)
	lt.interrupt = nil
	lt.unwindIfKilled()
	if defect != nil {
		panic(defect)
	}
}

// stopPanic calls f and returns the panic that ended it: unwinding Lua code needs the
// baton, which f runs without.
func stopPanic(f func()) (d *guard.Defect) {
	defer func() {
		if x := recover(); x != nil {
			d = guard.New(x)
		}
	}()
	f()
	return nil
}

// A Parking is one wait of a light thread for something that happens in Lua or in
// time: a semaphore's post, a child's end, a timer. Unlike a goroutine blocked on a
// channel, it queues for the baton at the moment it is woken.
type Parking struct {
	light *LightThread
	state atomic.Int32
}

const (
	parkWaiting = iota
	parkWoken
	parkExpired
)

// Park prepares a wait of th. The caller makes the Parking known to whoever shall
// wake it and then calls Wait, without giving up the baton in between.
func (th *Thread) Park() *Parking { return &Parking{light: th.light} }

// claim decides who ends the wait.
func (p *Parking) claim(outcome int32) bool { return p.state.CompareAndSwap(parkWaiting, outcome) }

// requeue asks for the baton on behalf of the waiting light thread.
func (p *Parking) requeue() {
	if lt := p.light; lt.group.baton.enqueue(&lt.turn) {
		lt.resume()
	}
}

// Wake ends the wait and reports whether it was this call that did. Any goroutine
// may call it, with or without the baton.
func (p *Parking) Wake() bool {
	if !p.claim(parkWoken) {
		return false
	}
	p.requeue()
	return true
}

// Wait waits until Wake, for at most d when d >= 0, and reports whether it was
// woken. It unwinds when the light thread is killed.
func (p *Parking) Wait(d time.Duration) bool {
	lt := p.light
	if d >= 0 {
		timer := time.AfterFunc(d, func() {
			defer guard.Stop()
			if p.claim(parkExpired) {
				p.requeue()
			}
		})
		defer timer.Stop()
	}
	lt.parking = p
	lt.group.passOn()
	lt.awaitTurn()
	return p.state.Load() == parkWoken
}
