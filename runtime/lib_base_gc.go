package runtime

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
)

// gcState is what collectgarbage remembers of what it was told; Go's collector goes its own way.
type gcState struct {
	stopped        bool
	pause, stepMul int

	// The latest call for a full collection, and how many in a row came from there.
	at     string
	inARow int
}

// maxFruitless is the number of full collections in a row, called for at one place, after which a
// program that uses weak tables or finalizers is taken to wait for them.
const maxFruitless = 300

// awaitsCollector is set when a table with a field __mode or __gc was made.
var awaitsCollector atomic.Bool

var gcOptions = []string{"stop", "restart", "collect", "count", "step", "setpause", "setstepmul", "isrunning"}

func baseCollectGarbage(th *Thread, args []Value) (Value, int) {
	opt := th.checkOption(args, 0, "collect", gcOptions)
	data := th.OptInt(args, 1, 0)
	gc := &th.State.gc
	switch opt {
	case "collect":
		th.fullCollection()
		return Int(0), 1
	case "count":
		return Number(heapBytes() / 1024), 1
	case "step": // the cycle is always over
		return True, 1
	case "isrunning":
		return Bool(!gc.stopped), 1
	case "setpause":
		old := gc.pause
		gc.pause = data
		return Int(old), 1
	case "setstepmul":
		old := gc.stepMul
		gc.stepMul = data
		return Int(old), 1
	}
	gc.stopped = opt == "stop"
	return Int(0), 1
}

// fullCollection collects, and raises an error when a loop waits for what never happens: weak
// tables are strong here and finalizers do not run.
func (th *Thread) fullCollection() {
	gc := &th.State.gc
	if awaitsCollector.Load() {
		if at := th.Where(1); at != gc.at {
			gc.at, gc.inARow = at, 0
		}
		if gc.inARow++; gc.inARow > maxFruitless {
			gc.inARow = 0
			th.Errorf("collectgarbage: weak tables (__mode) and finalizers (__gc) are not supported, and this loop seems to wait for them")
		}
	}
	th.forget()
	runtime.GC()
}

// forget clears what earlier calls left in the buffers for arguments and results,
// which would keep it from the collector.
func (th *Thread) forget() {
	clear(th.ret)
	clear(th.extra)
	clear(th.args.block[th.args.top:])
}

// heapBytes is the size of what lives on the heap, dead objects that were not found yet included.
// The world runs on meanwhile.
func heapBytes() float64 {
	sample := [1]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample[:])
	return float64(sample[0].Value.Uint64())
}

func baseGCInfo(th *Thread, args []Value) (Value, int) { return Int(int(heapBytes()) >> 10), 1 }
