package runtime

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

// LuaAbort makes a Defect an Abort.
func (d *Defect) LuaAbort() {}

// defectFrames is how many functions a Defect names.
const defectFrames = 8

// NewDefect describes a panic value. It is called while the panic unwinds, from a
// deferred function.
func NewDefect(x any) *Defect {
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

// defectReport is what is called with each Defect that no handler answers for.
var defectReport atomic.Pointer[func(*Defect)]

// ReportDefects makes report, which any goroutine may call, learn of the panics that
// Go and Guard stop. Without it they go to the standard error output.
func ReportDefects(report func(*Defect)) { defectReport.Store(&report) }

func (d *Defect) report() {
	if f := defectReport.Load(); f != nil {
		(*f)(d)
		return
	}
	fmt.Fprintln(os.Stderr, d.Error())
}

// Guard, deferred, stops a panic and reports it.
func Guard() {
	if x := recover(); x != nil {
		NewDefect(x).report()
	}
}

// Go runs f on a goroutine of its own. A panic in f ends that goroutine only.
func Go(f func()) {
	go func() {
		defer Guard()
		f()
	}()
}
