package lower

import (
	"strconv"

	"github.com/moonphase/moonphase/transpile/internal/ir"
)

const (
	// bigFunc is how many raising operations a function may have before those
	// outside of loops are called and not inlined: inlining them into big
	// functions makes the Go compiler slow.
	bigFunc = 60
	// hotOps is how many operations inside loops a function inlines.
	hotOps = 160
)

// finish decides which operations are inlined.
func (f *fn) finish() {
	hot := 0
	for _, o := range f.ops {
		if o.Loop == 0 {
			o.Cold = f.out.Kind == ir.Main || len(f.ops) > bigFunc
			continue
		}
		hot++
		o.Cold = hot > hotOps
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
