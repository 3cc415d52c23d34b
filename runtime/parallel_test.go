package runtime

import (
	"sync"
	"testing"
)

// TestHammerSharedSites runs the same code in several states at once: shapes and
// sites are shared, and a cached slot must never be used with another shape.
func TestHammerSharedSites(t *testing.T) {
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}
	sites := make([]Site, len(keys))
	for i := range sites {
		sites[i].Key = keys[i]
	}
	var method = Site{Key: "method"}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			th := NewState(Options{}).NewThread()
			class := NewTable(0, 0)
			meta := NewTable(0, 0)
			meta.SetStr("__index", TableValue(class))
			class.SetStr(keys[worker], True) // every worker gives its class another shape
			class.SetStr("method", Int(worker))
			for round := range 2000 {
				o := TableValue(NewTable(0, round%9))
				o.Table().SetMeta(meta)
				for i := range keys {
					k := (i*5 + worker + round) % len(keys)
					SetField(th, o, &sites[k], Int(k), "")
				}
				for i := range sites {
					if v := Field(th, o, &sites[i], ""); v.Num() != float64(i) {
						t.Errorf("field %s = %s", keys[i], Describe(v))
						return
					}
				}
				if v := Field(th, o, &method, ""); v.Num() != float64(worker) {
					t.Errorf("method of %d is %s", worker, Describe(v))
					return
				}
			}
		})
	}
	wg.Wait()
}
