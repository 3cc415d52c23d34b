package ngxpipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// Places of a process's streams.
const (
	stdin = iota
	stdout
	stderr
)

// process is a process with our ends of its streams. The worker's baton guards it.
type process struct {
	pid     int
	end     *end
	streams [3]stream
	merged  bool // what it writes to stderr comes on stdout
	buffer  int
	limits  [4]time.Duration
	waiting bool // somebody is in wait
	told    bool // how it has ended
}

// end is the end of a process, which a goroutine of its own waits for.
type end struct {
	process *os.Process // nil when the program could not be run
	done    chan struct{}
	state   *os.ProcessState // once done is closed; nil when the program could not be run
}

// reason is "exit" and a code, or "signal" and its number.
func (e *end) reason() (string, int) {
	if e.state == nil {
		return "exit", 1
	}
	if status, ok := e.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "signal", int(status.Signal())
	}
	return "exit", e.state.ExitCode()
}

// over tells whether the process has ended.
func (e *end) over() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// start runs a program. As a child of nginx finds out by itself that there is none, that
// is no error here: the process ends with 1.
func start(th *rt.Thread, c *caller.Context, o *options) (*process, error) {
	p := &process{merged: o.merge, buffer: o.buffer, limits: o.limits, end: &end{done: make(chan struct{})}}
	var theirs [3]*os.File
	for i := range theirs {
		if i == stderr && o.merge {
			theirs[i] = theirs[stdout]
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			closeFiles(theirs[:])
			p.close()
			return nil, fmt.Errorf("pipe failed: %s", conf.Errno(err))
		}
		if theirs[i], p.streams[i].file = w, r; i == stdin {
			theirs[i], p.streams[i].file = r, w
		}
	}
	path, err := findProgram(o.args[0])
	if err == nil {
		p.end.process, err = os.StartProcess(path, o.args, &os.ProcAttr{Env: o.env, Files: theirs[:]})
	}
	closeFiles(theirs[:])
	if err != nil {
		p.fail(c, o, err)
	} else {
		p.pid = p.end.process.Pid
		guard.Go(p.end.wait)
	}
	c.AtEnd(th, p.close)
	return p, nil
}

// findProgram is where execvp finds a program: a name without a slash on PATH, which
// servers seldom have.
func findProgram(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path, ok := os.LookupEnv("PATH")
	if !ok {
		path = "/bin:/usr/bin"
	}
	for dir := range strings.SplitSeq(path, ":") {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", syscall.ENOENT
}

// fail makes the process one that could not be run.
func (p *process) fail(c *caller.Context, o *options, err error) {
	p.pid = os.Getpid()
	if log := c.Cycle.Log; log != nil && log.Enabled(errlog.Emerg) {
		log.Output(errlog.Emerg, 0, "lua pipe child execvp() failed while executing "+o.args[0]+" ("+conf.Errno(err)+")")
	}
	close(p.end.done)
}

// wait waits for the end of the process.
func (e *end) wait() {
	defer close(e.done)
	e.state, _ = e.process.Wait()
}

// close kills the process if it runs, and closes our ends: the request is over that it
// was made for.
func (p *process) close() {
	p.told = true
	if p.end.process != nil && !p.end.over() {
		_ = p.end.process.Kill()
	}
	for i := range p.streams {
		p.streams[i].close()
	}
}

func closeFiles(files []*os.File) {
	for i, f := range files {
		if f != nil && (i == 0 || f != files[i-1]) {
			_ = f.Close()
		}
	}
}

// finish closes our ends of a process whose end was told, but for those that somebody
// waits for.
func (p *process) finish() {
	p.told = true
	for i := range p.streams {
		if s := &p.streams[i]; !s.busy {
			s.close()
		}
	}
}

// maxSignal is the highest number of a signal.
const maxSignal = 64

// signal sends a signal, 0 for none; the text says why that failed.
func (p *process) signal(n float64) string {
	switch {
	case p.told:
		return "exited"
	case !(n >= 0 && n <= maxSignal):
		return "invalid signal"
	case p.end.process == nil || p.end.over():
		return "exited"
	}
	switch err := p.end.process.Signal(syscall.Signal(int(n))); {
	case err == nil:
		return ""
	case errors.Is(err, syscall.EINVAL):
		return "invalid signal"
	}
	return "exited"
}

// await waits for the end of the process; false after the time limit.
func (p *process) await(th *rt.Thread, limit time.Duration) bool {
	if p.end.over() {
		return true
	}
	var expired <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		expired = timer.C
	}
	killed := make(chan struct{})
	ended := false
	th.Block(func() { close(killed) }, func() {
		select {
		case <-p.end.done:
			ended = true
		case <-expired:
		case <-killed:
		}
	})
	return ended
}
