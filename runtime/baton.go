package runtime

import (
	"sync"
	"sync/atomic"
)

// A Baton is the right to run Lua in one worker. Exactly one goroutine holds it
// at a time, and everything a Lua state contains is touched only by the holder:
// that is what makes module-level tables safe without locks, as they are in a
// single nginx worker.
//
// The uncontended path is one compare-and-swap each way (state 0 <-> 1). Only
// when somebody waits (state 2) do both sides take the pool's mutex. A baton that
// has waiters is never put down: Release hands it to the waiter that came first,
// so nobody is overtaken.
type Baton struct {
	state atomic.Int32
	// ID numbers the worker in its pool, from 0.
	ID    int
	pool  *BatonPool
	queue waitList
}

const (
	batonFree      = 0
	batonHeld      = 1
	batonContended = 2 // held, and a waiter may be queued here or in the pool
)

// A BatonPool is the set of batons of one server generation. A new request takes
// any baton that is free before it queues for one; a goroutine that has run in a
// worker before comes back to that worker's own queue.
type BatonPool struct {
	mu      sync.Mutex
	batons  []*Baton
	arrival uint64   // tickets handed out, to serve both kinds of queue in order
	anyone  waitList // newcomers, content with whichever baton comes first
	parked  sync.Pool
}

// A batonWaiter is one goroutine queued for a baton. It gets the baton in got and
// then a token on wake, whose buffer of one lets the giver go on without it.
type batonWaiter struct {
	wake   chan struct{}
	got    *Baton
	next   *batonWaiter
	ticket uint64
}

// waitList is a first-in first-out list linked through the waiters themselves.
type waitList struct{ head, tail *batonWaiter }

func (l *waitList) push(w *batonWaiter) {
	w.next = nil
	if l.tail == nil {
		l.head = w
	} else {
		l.tail.next = w
	}
	l.tail = w
}

func (l *waitList) pop() *batonWaiter {
	w := l.head
	if w != nil {
		if l.head = w.next; l.head == nil {
			l.tail = nil
		}
		w.next = nil
	}
	return w
}

// NewBatonPool makes n batons, all free.
func NewBatonPool(n int) *BatonPool {
	p := &BatonPool{batons: make([]*Baton, n)}
	p.parked.New = func() any { return newBatonWaiter() }
	for i := range p.batons {
		p.batons[i] = &Baton{ID: i, pool: p}
	}
	return p
}

// NewBaton makes a baton that belongs to no server: a script, a test.
func NewBaton() *Baton { return NewBatonPool(1).batons[0] }

func newBatonWaiter() *batonWaiter { return &batonWaiter{wake: make(chan struct{}, 1)} }

// Baton returns the baton of worker i.
func (p *BatonPool) Baton(i int) *Baton { return p.batons[i] }

// Len returns the number of workers.
func (p *BatonPool) Len() int { return len(p.batons) }

// Acquire takes the first free baton, looking at worker hint first (a connection
// passes the worker it used last, whose data is still in this processor's cache).
// When all are held it waits for whichever is released first.
func (p *BatonPool) Acquire(hint int) *Baton {
	n := len(p.batons)
	for i := range n {
		if b := p.batons[(hint+i)%n]; b.TryAcquire() {
			return b
		}
	}
	w := p.parked.Get().(*batonWaiter)
	b := p.queueForAny(w)
	if b == nil {
		<-w.wake
		b = w.got
	}
	w.got = nil
	p.parked.Put(w)
	return b
}

// queueForAny puts w among the newcomers, unless a baton turns out to be free.
func (p *BatonPool) queueForAny(w *batonWaiter) *Baton {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.batons {
		if b.markContended() {
			return b
		}
	}
	p.arrival++
	w.ticket = p.arrival
	p.anyone.push(w)
	return nil
}

// TryAcquire takes the baton if it is free.
func (b *Baton) TryAcquire() bool {
	return b.state.Load() == batonFree && b.state.CompareAndSwap(batonFree, batonHeld)
}

// Acquire takes the baton, waiting behind everybody who asked earlier.
func (b *Baton) Acquire() {
	if b.state.CompareAndSwap(batonFree, batonHeld) {
		return
	}
	w := b.pool.parked.Get().(*batonWaiter)
	b.acquireAs(w)
	b.pool.parked.Put(w)
}

// acquireAs is Acquire with a waiter the caller owns.
func (b *Baton) acquireAs(w *batonWaiter) {
	if b.enqueue(w) {
		return
	}
	<-w.wake
	w.got = nil
}

// enqueue asks for the baton on behalf of w and reports whether w has it already;
// if not, the baton arrives with a token on w.wake.
func (b *Baton) enqueue(w *batonWaiter) bool {
	if b.state.CompareAndSwap(batonFree, batonHeld) {
		return true
	}
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.markContended() {
		return true
	}
	p.arrival++
	w.ticket = p.arrival
	b.queue.push(w)
	return false
}

// markContended, under the pool's mutex, makes the holder's Release take the slow
// path. It reports true when there was no holder: the caller is it now.
func (b *Baton) markContended() bool {
	for {
		switch b.state.Load() {
		case batonFree:
			if b.state.CompareAndSwap(batonFree, batonHeld) {
				return true
			}
		case batonHeld:
			if b.state.CompareAndSwap(batonHeld, batonContended) {
				return false
			}
		default:
			return false
		}
	}
}

// Release puts the baton down, or hands it to the longest-waiting goroutine.
func (b *Baton) Release() {
	if b.state.CompareAndSwap(batonHeld, batonFree) {
		return
	}
	b.releaseContended()
}

func (b *Baton) releaseContended() {
	p := b.pool
	p.mu.Lock()
	w := b.longestWaiting()
	if w == nil {
		b.state.Store(batonFree)
	} else if b.queue.head == nil && p.anyone.head == nil {
		b.state.Store(batonHeld)
	}
	p.mu.Unlock()
	if w != nil {
		w.got = b
		w.wake <- struct{}{}
	}
}

// longestWaiting takes the earliest of this worker's waiters and the newcomers.
func (b *Baton) longestWaiting() *batonWaiter {
	own, newcomer := b.queue.head, b.pool.anyone.head
	if own == nil || newcomer != nil && newcomer.ticket < own.ticket {
		return b.pool.anyone.pop()
	}
	return b.queue.pop()
}

// Contended reports whether somebody waits for this baton. Long-running Go code
// that works under the baton may look at it to decide to take turns.
func (b *Baton) Contended() bool { return b.state.Load() == batonContended }
