package runtime

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
)

// natives maps the Go name of a library function to its Lua name; known has the
// entry points that were entered, closures being made again and again.
var natives = struct {
	sync.RWMutex
	names map[string]string
	known sync.Map
}{names: map[string]string{}}

// registerNative makes the Go function fn known to messages and tracebacks.
func registerNative(name string, fn any) {
	pc := reflect.ValueOf(fn).Pointer()
	if _, ok := natives.known.Load(pc); ok {
		return
	}
	natives.known.Store(pc, true)
	full := goName(fn)
	natives.Lock()
	defer natives.Unlock()
	natives.names[strings.TrimSuffix(full, "-fm")] = name // stack traces leave a method value's wrapper out
}

// goName returns the name that a Go function has in stack traces.
func goName(fn any) string {
	return runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
}

func nativeName(full string) (string, bool) {
	natives.RLock()
	defer natives.RUnlock()
	name, ok := natives.names[full]
	return name, ok
}

// The levels that a traceback shows from each end of a deep stack.
const (
	tracebackHead = 12
	tracebackTail = 10
)

// Traceback returns a traceback in LuaJIT's format that begins with level, 0 being
// the running function. message, when not empty, becomes the first line.
func (th *Thread) Traceback(message string, level int) string {
	return th.traceback(message, th.frames(math.MaxInt), level, false)
}

// deadTraceback is the traceback of a thread that err has ended, while the Go stack of
// the error is still there. A message handler sees all of it. Who looks at a dead coroutine
// finds it cut off at the outermost library function that had called Lua code, or without the line
// of an operation that failed.
func (th *Thread) deadTraceback(err *Error) string {
	frames := th.frames(math.MaxInt)
	if th.coroutine == nil && th.rules() != HandlerCoroutines {
		return th.traceback("", frames, 0, false)
	}
	for i := len(frames) - 1; i > 0; i-- {
		if frames[i].chunk == nil {
			return th.traceback("", frames[i:], 0, false)
		}
	}
	return th.traceback("", frames, 0, err.operation)
}

func (th *Thread) traceback(message string, frames []frame, level int, firstLineLost bool) string {
	var b strings.Builder
	if message != "" {
		b.WriteString(message)
		b.WriteByte('\n')
	}
	b.WriteString(tracebackTitle)
	th.writeFrames(&b, frames, level, firstLineLost)
	return b.String()
}

// maxStopped bounds the Go frames that Stop remembers.
const maxStopped = 48

// Stop remembers where the running thread is, for tracebacks of the light threads
// it waits for; Go forgets.
func (th *Thread) Stop() {
	if th.waitsAt == nil {
		th.waitsAt = make([]uintptr, maxStopped)
	}
	th.waitsAt = th.waitsAt[:runtime.Callers(2, th.waitsAt[:maxStopped])]
}

// Go ends what Stop began: the thread runs on.
func (th *Thread) Go() { th.waitsAt = th.waitsAt[:0] }

// StoppedTraceback returns the levels of where Stop was called, a line each with a
// newline before it; "" for a thread that runs or waits elsewhere.
func (th *Thread) StoppedTraceback() string {
	w := frameWalk{th: th, most: math.MaxInt}
	w.add(th.waitsAt)
	var b strings.Builder
	th.writeFrames(&b, w.frames, 0, false)
	return b.String()
}

// writeFrames writes the levels from level on.
func (th *Thread) writeFrames(b *strings.Builder, frames []frame, level int, firstLineLost bool) {
	level = max(level, 0)
	for i := min(level, len(frames)); i < len(frames); i++ {
		if i == level+tracebackHead && len(frames)-i > tracebackTail {
			b.WriteString("\n\t...")
			i = len(frames) - tracebackTail
		}
		b.WriteString("\n\t")
		b.WriteString(th.frameLine(frames, i, firstLineLost && i == 0))
	}
}

// frameLine describes a frame in a traceback.
func (th *Thread) frameLine(frames []frame, i int, lineLost bool) string {
	f := &frames[i]
	name, _ := nameAt(frames, i)
	if f.chunk == nil {
		if name == "" {
			return "[C]: ?"
		}
		return "[C]: in function '" + name + "'"
	}
	source := ShortSource(th.State.chunks.name(f.chunk))
	at := fmt.Sprintf("%s:%d: in ", source, f.line)
	if lineLost {
		at = source + ": in "
	}
	switch {
	case f.proto == nil || f.proto.Line == 0:
		return at + "main chunk"
	case name != "":
		return at + "function '" + name + "'"
	}
	return at + fmt.Sprintf("function <%s:%d>", source, f.proto.Line)
}

// Level describes a level of the call stack to the debug library.
type Level struct {
	Name   string // "" when unknown
	Kind   string // of name: "local", "method"
	Native bool
	Main   bool
	Source string // the chunk's name
	Line   int
	Proto  *Proto
}

// Level returns level n of the call stack, 0 being the running Go function.
func (th *Thread) Level(n int) (Level, bool) {
	if n < 0 || n > maxDepth {
		return Level{}, false
	}
	frames := th.frames(n + 2)
	if n >= len(frames) {
		return Level{}, false
	}
	f := &frames[n]
	name, kind := nameAt(frames, n)
	if f.chunk == nil {
		return Level{Name: name, Kind: kind, Native: true, Source: "=[C]", Line: -1}, true
	}
	l := Level{Name: name, Kind: kind, Source: th.State.chunks.name(f.chunk), Line: f.line, Proto: f.proto}
	l.Main = f.proto == nil || f.proto.Line == 0
	return l, true
}
