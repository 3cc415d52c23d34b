package lua

import (
	"container/heap"
	"slices"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// ngxTimer is the ngx.timer table.
var ngxTimer = lib.Functions{
	{"at", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return newTimer(th, args, false) }},
	{"every", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return newTimer(th, args, true) }},
	{"running_count", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		gate(th, 0, "no request")
		return rt.Int(apiOf(th).timers.running), 1
	}},
	{"pending_count", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		gate(th, 0, "no request")
		return rt.Int(len(apiOf(th).timers.pending)), 1
	}},
}

// timerSet is the timers of a worker. The baton guards it.
type timerSet struct {
	pending timerHeap
	aborted []*timer // to be fired early
	serial  uint64
	running int
	exiting bool
	idle    chan struct{} // closed when nothing is left, for who waits for it
}

// timerHeap has the timer that expires first at its head; of those of the same
// millisecond, the one that was made first.
type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && h[i].serial < h[j].serial
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(*timer)) }
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return t
}

// timer is one call of ngx.timer.at or ngx.timer.every.
type timer struct {
	api      *ngxAPI
	callback rt.Value
	args     []rt.Value
	delay    time.Duration
	every    bool
	peer     string // the client on whose behalf it was made, for log lines
	loc      *core.Location
	due      int64 // on the clock of monotonicMillis
	serial   uint64
	clock    *time.Timer
	run      *entryRun // the thread it will run on, taken when it is armed as in ngx_lua
}

// newTimer is ngx.timer.at and ngx.timer.every(delay, callback, ...).
func newTimer(th *rt.Thread, args []rt.Value, every bool) (rt.Value, int) {
	if len(args) < 2 {
		th.Errorf("expecting at least 2 arguments but got %d", len(args))
	}
	delay := time.Duration(th.CheckNumber(args, 0)*1000) * time.Millisecond
	if every && delay == 0 {
		th.Errorf("delay cannot be zero")
	}
	if !args[1].IsFunction() || args[1].Func().Proto() == nil {
		th.ArgError(1, "Lua function expected")
	}
	c := gate(th, caller.Timer, "no request")
	api := apiOf(th)
	set := &api.timers
	if set.exiting && delay > 0 {
		return lib.Fail(th, "process exiting")
	}
	if len(set.pending) >= main.Of(api.worker.cycle).maxPendingTimers.V {
		return lib.Fail(th, "too many pending timers")
	}
	t := &timer{api: api, callback: args[1], args: slices.Clone(args[2:]), delay: delay, every: every, peer: c.PeerText(), loc: c.Location()}
	c.Logf(errlog.Debug, "created timer (delay %d ms)", delay.Milliseconds())
	api.worker.hold()
	t.start()
	return lib.One()
}

// start arms the timer; the caller holds the baton.
func (t *timer) start() {
	t.run = t.api.worker.takeRun()
	set := &t.api.timers
	set.serial++
	t.serial, t.due = set.serial, lib.MonotonicMillis()+t.delay.Milliseconds()
	heap.Push(&set.pending, t)
	t.clock = time.AfterFunc(t.delay, t.api.timerExpired)
}

// timerExpired runs when some timer's delay is over, on a goroutine of its own, and
// fires the timer that is due first: goroutines do not come here in the order
// in which their timers expired.
func (api *ngxAPI) timerExpired() {
	defer guard.Stop()
	w := api.worker
	w.baton.Acquire()
	defer w.baton.Release()
	if set := &api.timers; len(set.pending) > 0 && set.pending[0].due <= lib.MonotonicMillis() {
		heap.Pop(&set.pending).(*timer).fire(false)
	}
}

// fire runs the callback of a timer that is not pending any more as a handler of its
// own. The caller holds the baton.
func (t *timer) fire(premature bool) {
	set, w, run := &t.api.timers, t.api.worker, t.run
	run.ctx = newCtx(w, caller.PhaseTimer)
	run.ctx.Peer, run.ctx.Loc = t.peer, t.loc
	c := run.ctx // for log lines behind the end of the run
	c.Logf(errlog.Debug, "lua ngx.timer expired")
	if limit := main.Of(w.cycle).maxRunningTimers.V; set.running >= limit {
		c.Logf(errlog.Alert, "lua failed to run timer with function defined at %s: %d lua_max_running_timers are not enough",
			w.state.FunctionSource(t.callback), limit)
		run.end()
		w.drop(c.Log)
		set.wake()
		return
	}
	c.Number = core.ConnNumbers.Add(1) // a timer counts as a connection
	run.ctx.Number = c.Number
	again := t.every && !premature && !set.exiting
	if again {
		t.start()
	}
	set.running++
	_, _, _ = run.call(t.callback, append([]rt.Value{rt.Bool(premature)}, t.args...)...) // it has logged what went wrong
	if run.ctx.table != nil {
		c.Logf(errlog.Debug, "lua release ngx.ctx at ref 1")
	}
	run.end()
	set.running--
	c.Logf(errlog.Debug, "http lua close fake http connection %v", rt.Address{Pointer: t})
	if !again {
		w.drop(c.Log)
	}
	set.wake()
}

func (s *timerSet) busy() bool { return s.running > 0 || len(s.pending) > 0 || len(s.aborted) > 0 }

func (s *timerSet) wake() {
	if s.idle != nil && !s.busy() {
		close(s.idle)
		s.idle = nil
	}
}

// abortTimers ends the timers of the cycle's workers, as when a worker of nginx
// begins to exit: each pending callback runs at once with premature = true, and a
// new timer must have no delay. It does not wait for the callbacks.
func abortTimers(c *core.Cycle) {
	for _, w := range main.Of(c).workers {
		w.baton.Acquire()
		if api, ok := w.state.Host.(*ngxAPI); ok {
			api.pools.Shutdown() // callbacks shall find that nothing is kept any more
			api.abortTimers()
		}
		w.baton.Release()
	}
}

// waitTimers returns when no callback of a timer runs or is about to.
func waitTimers(c *core.Cycle) {
	for _, w := range main.Of(c).workers {
		w.baton.Acquire()
		api, ok := w.state.Host.(*ngxAPI)
		var idle chan struct{}
		if ok && api.timers.busy() {
			if api.timers.idle == nil {
				api.timers.idle = make(chan struct{})
			}
			idle = api.timers.idle
		}
		w.baton.Release()
		if idle != nil {
			<-idle
		}
	}
}

// abortTimers fires what is pending; the caller holds the baton.
func (api *ngxAPI) abortTimers() {
	set := &api.timers
	set.exiting = true
	n := len(set.pending)
	if n == 0 {
		return
	}
	c := newCtx(api.worker, caller.PhaseTimer)
	c.Logf(errlog.Debug, "lua found %d pending timers to be aborted prematurely", n)
	c.Logf(errlog.Debug, "lua abort pending timers")
	for len(set.pending) > 0 {
		t := heap.Pop(&set.pending).(*timer)
		t.clock.Stop()
		set.aborted = append(set.aborted, t)
		guard.Go(api.fireAborted)
	}
}

// fireAborted fires the next of the timers that were cut short.
func (api *ngxAPI) fireAborted() {
	api.worker.baton.Acquire()
	defer api.worker.baton.Release()
	t := api.timers.aborted[0]
	api.timers.aborted = api.timers.aborted[1:]
	t.fire(true)
}
