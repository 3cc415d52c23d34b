package runtime

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// testAbort stands for ngx.exit.
type testAbort string

func (a testAbort) Error() string { return string(a) }
func (testAbort) LuaAbort()       {}

// lightTest runs body as an entry thread and returns what it noted, in order.
type lightTest struct {
	t     *testing.T
	state *State
	group ThreadGroup
	notes []string
}

func (lt *lightTest) note(format string, args ...any) {
	lt.notes = append(lt.notes, fmt.Sprintf(format, args...))
}

func (lt *lightTest) run(body func(th *Thread)) Abort {
	lt.t.Helper()
	lt.state = NewState(Options{})
	before := runtime.NumGoroutine()
	lt.state.Baton.Acquire()
	th := lt.state.NewThread()
	abort := lt.group.Run(th, func() bool { body(th); return true })
	lt.state.Baton.Release()
	for range 100 {
		if runtime.NumGoroutine() <= before+len(idleRunners.list) {
			return abort
		}
		time.Sleep(time.Millisecond)
	}
	lt.t.Errorf("%d goroutines are left behind", runtime.NumGoroutine()-before)
	return abort
}

// spawn starts body as a light thread that notes its name when it begins and ends.
func (lt *lightTest) spawn(th *Thread, name string, body func(th *Thread)) *LightThread {
	child := th.newLightThread()
	return th.spawn(child, func() ([]Value, bool) {
		lt.note("%s begins", name)
		body(child)
		lt.note("%s ends", name)
		return nil, true
	})
}

func status(lt *LightThread) string { return lt.Handle().Status() }

func sleep(th *Thread, d time.Duration) { th.Park().Wait(d) }

func TestLightThreadOrder(t *testing.T) {
	nap := func(th *Thread) { sleep(th, 5*time.Millisecond) }
	nothing := func(*Thread) {}
	tests := []struct {
		name string
		body func(lt *lightTest, th *Thread)
		want string
	}{
		{"a child that never waits ends before its parent goes on", func(lt *lightTest, th *Thread) {
			lt.spawn(th, "A", nothing)
			lt.note("entry ends")
		}, "A begins, A ends, entry ends"},
		{"a child that waits lets its parent go on", func(lt *lightTest, th *Thread) {
			lt.spawn(th, "A", nap)
			lt.note("entry ends")
		}, "A begins, entry ends, A ends"},
		{"posted threads run first-in first-out", func(lt *lightTest, th *Thread) {
			lt.spawn(th, "A", func(th *Thread) {
				lt.spawn(th, "B", nap)
				lt.note("A goes on")
				sleep(th, 60*time.Millisecond)
			})
			lt.note("entry ends")
		}, "A begins, B begins, entry ends, A goes on, B ends, A ends"},
		{"yield lets posted threads run", func(lt *lightTest, th *Thread) {
			lt.spawn(th, "A", func(th *Thread) {
				th.YieldTurn()
				lt.note("A goes on")
				th.YieldTurn()
			})
			lt.note("entry 1")
			th.YieldTurn()
			lt.note("entry 2")
		}, "A begins, entry 1, A goes on, entry 2, A ends"},
		{"yield with nobody posted goes on", func(lt *lightTest, th *Thread) {
			th.YieldTurn()
			lt.note("entry ends")
		}, "entry ends"},
		{"a waiting parent goes on before threads posted earlier", func(lt *lightTest, th *Thread) {
			a := lt.spawn(th, "A", nap)
			b := lt.spawn(th, "B", func(th *Thread) { sleep(th, 50*time.Millisecond) })
			ended := th.WaitAny([]*LightThread{a, b})
			lt.note("A first: %v", ended == a)
			ended.Reap()
			lt.note("%s %s", status(a), status(b))
			ended = th.WaitAny([]*LightThread{b})
			lt.note("then B: %v %s", ended == b, status(b))
		}, "A begins, B begins, A ends, A first: true, dead running, B ends, then B: true zombie"},
		{"a killed thread never goes on", func(lt *lightTest, th *Thread) {
			a := lt.spawn(th, "A", func(th *Thread) { sleep(th, time.Hour) })
			b := lt.spawn(th, "B", func(th *Thread) {
				stop := make(chan struct{})
				th.Block(func() { close(stop) }, func() { <-stop })
			})
			a.Kill()
			b.Kill()
			lt.note("%s %s", status(a), status(b))
		}, "A begins, B begins, dead dead"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lt := &lightTest{t: t}
			if abort := lt.run(func(th *Thread) { tt.body(lt, th) }); abort != nil {
				t.Errorf("aborted: %v", abort)
			}
			if got := strings.Join(lt.notes, ", "); got != tt.want {
				t.Errorf("got:  %s\nwant: %s", got, tt.want)
			}
		})
	}
}

// TestAbortKillsAll raises an Abort in a light thread and in the entry thread.
func TestAbortKillsAll(t *testing.T) {
	for _, inEntry := range []bool{false, true} {
		lt := &lightTest{t: t}
		abort := lt.run(func(th *Thread) {
			lt.spawn(th, "A", func(th *Thread) { sleep(th, time.Hour) })
			lt.spawn(th, "B", func(th *Thread) {
				sleep(th, time.Millisecond)
				if !inEntry {
					panic(testAbort("exit"))
				}
				sleep(th, time.Hour)
			})
			if inEntry {
				panic(testAbort("exit"))
			}
			sleep(th, time.Hour)
			lt.note("entry goes on")
		})
		if abort != testAbort("exit") {
			t.Errorf("in entry %v: got abort %v", inEntry, abort)
		}
		if got := strings.Join(lt.notes, ", "); got != "A begins, B begins" {
			t.Errorf("in entry %v: %s", inEntry, got)
		}
	}
}

func TestFailureOfEntryKillsAll(t *testing.T) {
	st := NewState(Options{})
	st.Baton.Acquire()
	var g ThreadGroup
	th := st.NewThread()
	done := false
	g.Run(th, func() bool {
		child := th.newLightThread()
		th.spawn(child, func() ([]Value, bool) { sleep(child, time.Hour); done = true; return nil, true })
		return false
	})
	if done {
		t.Error("the light thread went on after the entry thread failed")
	}
}

// TestAbortFromOutside is the client going away while everything waits.
func TestAbortFromOutside(t *testing.T) {
	lt := &lightTest{t: t}
	abort := lt.run(func(th *Thread) {
		lt.spawn(th, "A", func(th *Thread) { sleep(th, time.Hour) })
		go lt.group.Abort(testAbort("gone"))
		sleep(th, time.Hour)
	})
	if abort != testAbort("gone") {
		t.Errorf("got abort %v", abort)
	}
	lt.group.Abort(testAbort("late")) // must do nothing
}

// TestCoroutineInLightThread waits inside a coroutine: the light thread waits as a
// whole, others run, and killing it unwinds through the coroutine.
func TestCoroutineInLightThread(t *testing.T) {
	lt := &lightTest{t: t}
	lt.run(func(th *Thread) {
		inCoroutine := func(th *Thread, name string, d time.Duration) {
			co := th.NewCoroutine(NewGoFunction("co", func(th *Thread, _ []Value) (Value, int) {
				sleep(th, d)
				lt.note("%s woke", name)
				return Nil, 0
			}))
			th.Resume(co, nil)
			lt.note("%s resumed: %s", name, co.Status())
		}
		a := lt.spawn(th, "A", func(th *Thread) { inCoroutine(th, "a", time.Millisecond) })
		b := lt.spawn(th, "B", func(th *Thread) { inCoroutine(th, "b", time.Hour) })
		th.WaitAny([]*LightThread{a})
		b.Kill()
		lt.note("entry ends")
	})
	want := "A begins, B begins, a woke, a resumed: dead, A ends, entry ends"
	if got := strings.Join(lt.notes, ", "); got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
}

func TestInject(t *testing.T) {
	lt := &lightTest{t: t}
	lt.run(func(th *Thread) {
		p := th.Park()
		f := NewGoFunction("f", func(*Thread, []Value) (Value, int) { lt.note("injected"); p.Wake(); return Nil, 0 })
		go lt.group.Inject(f, nil)
		lt.note("woken %v", p.Wait(-1))
	})
	if got := strings.Join(lt.notes, ", "); got != "injected, woken true" {
		t.Error(got)
	}
	if lt.group.Inject(Nil, nil) {
		t.Error("a thread was added to a handler that is over")
	}
}

// TestHammerLightThreads runs many handlers with waiting, yielding, killing and
// aborting threads over few workers. The shared counters are guarded by nothing but
// the batons, so the race detector checks the hand-offs.
func TestHammerLightThreads(t *testing.T) {
	pool := NewBatonPool(2)
	states := [2]*State{NewState(Options{Baton: pool.Baton(0)}), NewState(Options{Baton: pool.Baton(1)})}
	var turns [2]int
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var g ThreadGroup
			for round := range 5 {
				b := pool.Acquire(i)
				th := states[b.ID].NewThread()
				abort := g.Run(th, func() bool {
					var all []*LightThread
					for j := range 4 {
						child := th.newLightThread()
						all = append(all, th.spawn(child, func() ([]Value, bool) {
							for k := range 6 {
								turns[b.ID]++
								switch (i + j + k) % 4 {
								case 0:
									child.YieldTurn()
								case 1:
									sleep(child, time.Duration(k)*50*time.Microsecond)
								case 2:
									stop := make(chan struct{})
									child.Block(func() { close(stop) }, func() {
										select {
										case <-stop:
										case <-time.After(100 * time.Microsecond):
										}
									})
								case 3:
									if j == 3 && i%3 == 0 && k > 2 {
										panic(testAbort("exit"))
									}
								}
							}
							return nil, true
						}))
					}
					all[0].Kill()
					if !all[1].IsZombie() {
						th.WaitAny(all[1:2])
					}
					return round != 3
				})
				if abort != nil && i%3 != 0 {
					t.Errorf("handler %d: %v", i, abort)
				}
				b.Release()
			}
		}()
	}
	wg.Wait()
	if turns[0]+turns[1] == 0 {
		t.Error("nothing ran")
	}
}

func BenchmarkRunEmptyHandler(bench *testing.B) {
	st := NewState(Options{})
	st.Baton.Acquire()
	var g ThreadGroup
	th := st.NewThread()
	body := func() bool { return true }
	bench.ReportAllocs()
	for bench.Loop() {
		g.Run(th, body)
	}
}

func BenchmarkSpawnAndWait(bench *testing.B) {
	st := NewState(Options{})
	st.Baton.Acquire()
	var g ThreadGroup
	th := st.NewThread()
	bench.ReportAllocs()
	g.Run(th, func() bool {
		for bench.Loop() {
			th.spawn(th.newLightThread(), func() ([]Value, bool) { return nil, true }).Reap()
		}
		return true
	})
}
