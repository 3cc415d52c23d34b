package runtime

import (
	"runtime"
	"sync"
	"testing"
)

func TestBatonIsExclusive(t *testing.T) {
	for _, workers := range []int{1, 3} {
		p := NewBatonPool(workers)
		counts := make([]int, workers) // written under the baton only: -race watches
		var wg sync.WaitGroup
		const goroutines, rounds = 16, 300
		for g := range goroutines {
			wg.Add(1)
			go func() {
				defer wg.Done()
				b := p.Acquire(g)
				for range rounds {
					counts[b.ID]++
					b.Release()
					if g%2 == 0 {
						runtime.Gosched()
						b = p.Acquire(g)
					} else {
						b.Acquire()
					}
				}
				b.Release()
			}()
		}
		wg.Wait()
		sum := 0
		for i, n := range counts {
			sum += n
			if !p.Baton(i).TryAcquire() {
				t.Errorf("%d workers: baton %d still held", workers, i)
			}
		}
		if sum != goroutines*rounds {
			t.Errorf("%d workers: %d turns, want %d", workers, sum, goroutines*rounds)
		}
	}
}

// TestBatonIsFair queues goroutines one after another and wants them served in
// that order, newcomers to the pool and returning goroutines alike.
func TestBatonIsFair(t *testing.T) {
	p := NewBatonPool(1)
	b := p.Baton(0)
	b.Acquire()
	var order []int
	done := make(chan struct{})
	for i := range 10 {
		w := newBatonWaiter()
		if i%2 == 0 {
			if p.queueForAny(w) != nil {
				t.Fatal("a held baton was given away")
			}
		} else if b.enqueue(w) {
			t.Fatal("a held baton was given away")
		}
		go func() {
			<-w.wake
			order = append(order, i)
			w.got.Release()
			done <- struct{}{}
		}()
	}
	b.Release()
	for range 10 {
		<-done
	}
	b.Acquire()
	for i, got := range order {
		if got != i {
			t.Fatalf("served in order %v", order)
		}
	}
}

func BenchmarkBatonUncontended(bench *testing.B) {
	b := NewBaton()
	for bench.Loop() {
		b.Acquire()
		b.Release()
	}
}

func BenchmarkBatonPoolUncontended(bench *testing.B) {
	p := NewBatonPool(4)
	for bench.Loop() {
		p.Acquire(1).Release()
	}
}

func BenchmarkBatonContended(bench *testing.B) {
	b := NewBaton()
	bench.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			b.Acquire()
			b.Release()
		}
	})
}
