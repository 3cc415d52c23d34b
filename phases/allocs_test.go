//go:build !race

package phases

import "testing"

// TestServeAllocs holds what a request may allocate: pooled requests keep their
// memory, that of the modules' notes included. (The race detector empties pools.)
func TestServeAllocs(t *testing.T) {
	for _, c := range serveLoads {
		t.Run(c.name, func(t *testing.T) {
			ask := serveLoad(t, c.http, c.conf)
			for range 100 {
				ask()
			}
			if n := testing.AllocsPerRun(1000, ask); n > c.allocs {
				t.Errorf("%v allocations a request, want at most %v", n, c.allocs)
			}
		})
	}
}
