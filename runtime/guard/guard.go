// Package guard keeps a panic of Go code from ending the process. Everything that
// starts goroutines uses it; it imports the standard library only.
package guard

import (
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
)

// A Defect is a panic of Go code, which is a fault of this program and not of the
// script. It ends what ran, a handler, a timer, a goroutine, and never the process.
type Defect struct {
	Value any
	Where string // the innermost functions, "f (file.go:12) < g (file.go:3)"
}

// Error returns the panic's message and where it came from, on one line.
func (d *Defect) Error() string { return fmt.Sprintf("internal error: %v in %s", d.Value, d.Where) }

// LuaAbort makes a Defect an Abort of package runtime: Lua code does not catch it.
func (d *Defect) LuaAbort() {}

// defectFrames is how many functions a Defect names.
const defectFrames = 8

// New describes a panic value. It is called while the panic unwinds, from a
// deferred function.
func New(x any) *Defect {
	if d, ok := x.(*Defect); ok {
		return d
	}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	var names []string
	panicked := false
	for more := true; more && len(names) < defectFrames; {
		var f runtime.Frame
		f, more = frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			names = append(names, fmt.Sprintf("%s (%s:%d)", path.Base(f.Function), path.Base(f.File), f.Line))
		}
	}
	return &Defect{Value: x, Where: strings.Join(names, " < ")}
}

// receiver is what is called with each Defect that no handler answers for.
var receiver atomic.Pointer[func(*Defect)]

// ReportTo makes report, which any goroutine may call, learn of the panics that
// Go and Stop stop. Without it they go to the standard error output.
func ReportTo(report func(*Defect)) { receiver.Store(&report) }

// Report tells of a Defect that no handler answers for.
func (d *Defect) Report() {
	if f := receiver.Load(); f != nil {
		(*f)(d)
		return
	}
	fmt.Fprintln(os.Stderr, d.Error())
}

// Stop stops a panic and reports it; it is to be deferred.
func Stop() {
	if x := recover(); x != nil {
		New(x).Report()
	}
}

// Go runs f on a goroutine of its own. A panic in f ends that goroutine only.
func Go(f func()) {
	go func() {
		defer Stop()
		f()
	}()
}
