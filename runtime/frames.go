package runtime

import (
	"runtime"
	"strings"
)

// frame is a level of the Lua call stack.
type frame struct {
	chunk  *Chunk // of a Lua function
	proto  *Proto // nil for a main chunk, or when unknown
	line   int
	native string // name of a Go function, when chunk is nil
	via    via    // how the level around it called it
	event  string // of viaEvent: "__index"

	// replaced is the name of a function that is gone: it ended with a direct call of this one.
	replaced string
	env      int // place in Thread.envFrames from its end, 0 without one
}

// via is how a function was called.
type via uint8

const (
	viaHost  via = iota // by a library or the host, or in an unknown way
	viaCall             // by a call in Lua code
	viaEvent            // by an operation, through a metamethod
	viaFor              // by a generic for
)

// frames returns the Lua call stack, innermost first, up to most levels. The Go
// stack holds it: functions of generated code are known by the file name that
// //line gave them, Go functions of libraries by registerNative.
func (th *Thread) frames(most int) []frame {
	w := frameWalk{th: th, most: most}
	pcs := make([]uintptr, 64)
	for skip := 2; ; {
		n := runtime.Callers(skip, pcs)
		if w.add(pcs[:n]) || n < len(pcs) {
			return w.frames
		}
		skip += n
		pcs = make([]uintptr, 4*n) // Callers walks the skipped frames again
	}
}

// frameWalk makes Lua levels of Go program counters.
type frameWalk struct {
	th     *Thread
	most   int    // levels
	tail   bool   // the next Lua level is gone: it ended with a tail call of a Go function
	via    via    // how the next level calls the one before it
	event  string // the same
	direct bool   // the level before was called without the runtime between
	envs   int    // functions with environments of their own so far
	frames []frame
}

// add goes on with pcs and reports whether there are enough levels.
func (w *frameWalk) add(pcs []uintptr) bool {
	if len(pcs) == 0 {
		return true
	}
	it := runtime.CallersFrames(pcs)
	for {
		f, more := it.Next()
		fr, ok := w.th.frameOf(&f)
		switch {
		case ok:
			w.level(fr)
		case w.between(f.Function):
			return true
		}
		if len(w.frames) > w.most {
			w.frames = w.frames[:w.most]
			return true
		}
		if !more {
			return false
		}
	}
}

// level adds a level, unless it is one that a tail call has ended: Go keeps it.
func (w *frameWalk) level(fr frame) {
	if fr.chunk != nil && w.tail {
		w.tail = false
		w.via, w.event, w.direct = viaCall, "", false
		return
	}
	if n := len(w.frames); n > 0 && fr.native == "tostring" && w.frames[n-1].chunk != nil {
		return // LuaJIT's tostring makes a tail call of __tostring
	} else if n > 0 && fr.chunk != nil {
		callee := &w.frames[n-1]
		if w.direct && callee.chunk != nil {
			w.via = viaCall
		}
		if callee.via, callee.event = w.via, w.event; w.via == viaCall && w.th.endedByTail(&fr, callee) {
			callee.replaced = fr.definedAs()
			return
		}
	}
	w.frames = append(w.frames, fr)
	w.via, w.event, w.direct = viaHost, "", true
}

// between looks at a Go function between two levels and reports whether it is where the
// stack of the handler begins.
func (w *frameWalk) between(function string) (end bool) {
	name, ok := strings.CutPrefix(function, runtimePackage)
	if !ok || len(w.frames) == 0 {
		return false
	}
	w.direct = false
	switch name {
	case "(*Thread).tailCall":
		w.tail = true
	case "(*Thread).indexSlow":
		w.via, w.event = viaEvent, "__index"
	case "(*Thread).setIndexSlow":
		w.via, w.event = viaEvent, "__newindex"
	case "(*Iter).Next":
		w.via = viaFor
	case "(*ThreadGroup).Run":
		return true
	case "NewFunctionEnv.func1":
		w.envs++
		w.frames[len(w.frames)-1].env = w.envs
	default:
		if event := operators[name]; event != "" {
			w.via, w.event = viaEvent, event
		} else if w.via == viaHost && isCall(name) {
			w.via = viaCall
		}
	}
	return false
}

// operators has the functions that generated code calls for operations with metamethods.
var operators = map[string]string{
	"Add": "__add", "Sub": "__sub", "Mul": "__mul", "Div": "__div", "Mod": "__mod", "Pow": "__pow", "Unm": "__unm",
	"Concat": "__concat", "ConcatN": "__concat", "Len": "__len", "Eq": "__eq", "Lt": "__lt", "Gt": "__lt", "Le": "__le", "Ge": "__le",
}

// isCall reports whether generated code calls Lua functions through a function of this
// package.
func isCall(name string) bool {
	for _, prefix := range [...]string{"Call", "Method", "Yield", "Select", "(*Thread).Finish"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// frameOf tells what Lua function a Go frame is.
func (th *Thread) frameOf(f *runtime.Frame) (frame, bool) {
	base := f.File[strings.LastIndexByte(f.File, '/')+1:]
	if c := th.State.chunks.byLine(base); c != nil {
		return frame{chunk: c, proto: c.protoOf(f.Function, f.Line), line: f.Line}, true
	}
	if name, ok := nativeName(f.Function); ok {
		return frame{native: name}, true
	}
	return frame{}, false
}

// runtimePackage is the prefix of this package's functions in stack traces.
var runtimePackage = func() string {
	pc, _, _, _ := runtime.Caller(0)
	name := runtime.FuncForPC(pc).Name()
	slash := strings.LastIndexByte(name, '/') + 1
	return name[:slash+strings.IndexByte(name[slash:], '.')+1]
}()
