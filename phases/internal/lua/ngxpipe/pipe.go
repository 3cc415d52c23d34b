// Package ngxpipe is the module ngx.pipe: processes that scripts start and speak to
// through their streams.
package ngxpipe

import (
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// Module makes the module; version is that of lua-resty-core.
func Module(version string) *rt.Table {
	index := methods.Table(0)
	meta := rt.NewTable(0, 1)
	meta.SetStr("__index", rt.TableValue(index))
	kind := &rt.Struct{Name: "struct ngx_http_lua_ffi_pipe_proc_t", Meta: meta}
	t := rt.NewTable(0, 2)
	t.SetStr("version", rt.String(version))
	t.SetStr("spawn", rt.NewGoFunction("spawn", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return spawn(th, kind, args) }))
	return t
}

var methods = lib.Functions{
	{"pid", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return rt.Int(processOf(th, args).pid), 1 }},
	{"set_timeouts", setTimeouts},
	{"stdout_read_all", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return read(th, args, stdout, readAll) }},
	{"stdout_read_line", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return read(th, args, stdout, readLine) }},
	{"stdout_read_bytes", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return readBytes(th, args, stdout) }},
	{"stdout_read_any", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return readSome(th, args, stdout) }},
	{"stderr_read_all", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return read(th, args, stderr, readAll) }},
	{"stderr_read_line", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return read(th, args, stderr, readLine) }},
	{"stderr_read_bytes", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return readBytes(th, args, stderr) }},
	{"stderr_read_any", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return readSome(th, args, stderr) }},
	{"write", write},
	{"shutdown", shutdown},
	{"wait", wait},
	{"kill", kill},
}

// processOf is the process that a method was called on.
func processOf(th *rt.Thread, args []rt.Value) *process {
	if v := rt.ArgAt(args, 0); v.IsCData() {
		if p, ok := v.CData().Object.(*process); ok {
			return p
		}
	}
	lib.RaiseAt(th, 1, "not a process instance")
	return nil
}

// waitingCaller checks that the running code may wait.
func waitingCaller(th *rt.Thread) {
	c := caller.Of(th)
	if refusal := c.Refusal(caller.Wait, caller.NoRequest); refusal != "" {
		lib.RaiseAt(th, 1, refusal)
	}
}

// defaultTimeout is how long reads, writes and waits take at most.
const defaultTimeout = 10 * time.Second

// spawn is spawn(args, options): args is a list, or a command for the shell.
func spawn(th *rt.Thread, kind *rt.Struct, args []rt.Value) (rt.Value, int) {
	c := caller.Of(th)
	if c.Phase == caller.PhaseInit {
		lib.RaiseAt(th, 1, "API disabled in the current context")
	}
	o := options{buffer: 4096}
	for i := range o.limits {
		o.limits[i] = defaultTimeout
	}
	switch v := rt.ArgAt(args, 0); {
	case v.IsTable():
		for i := 1; !v.Table().Int(i).IsNil(); i++ {
			o.args = append(o.args, lib.Text(th, v.Table().Int(i)))
		}
		if len(o.args) == 0 {
			lib.RaiseAt(th, 1, "bad args arg: non-empty table expected")
		}
	case v.IsString():
		o.args = []string{"/bin/sh", "-c", v.Str()}
	default:
		lib.RaiseAt(th, 1, "bad args arg: table expected, got "+rt.TypeName(v))
	}
	if v := rt.ArgAt(args, 1); v.Truthy() {
		o.read(th, v)
	}
	p, err := start(th, c, &o)
	if err != nil {
		return lib.Fail(th, err.Error())
	}
	return rt.NewStruct(kind, p), 1
}

// options are those of a new process.
type options struct {
	args   []string
	env    []string // nil: that of the server
	merge  bool
	buffer int // bytes of one read
	limits [4]time.Duration
}

// Places of the time limits.
const (
	writeLimit = iota
	stdoutLimit
	stderrLimit
	waitLimit
)

var limitNames = [...]string{writeLimit: "write_timeout", stdoutLimit: "stdout_read_timeout", stderrLimit: "stderr_read_timeout", waitLimit: "wait_timeout"}

// maxBuffer bounds what one read takes, in bytes.
const maxBuffer = 1 << 20

func (o *options) read(th *rt.Thread, v rt.Value) {
	field := func(name string) rt.Value { return rt.Index(th, v, rt.String(name), "local opts") }
	o.merge = field("merge_stderr").Truthy()
	if size := field("buffer_size"); size.Truthy() {
		n, ok := rt.ToNumber(size)
		if !ok || !(n >= 1) {
			lib.RaiseAt(th, 1, "bad buffer_size option")
		}
		o.buffer = int(min(n, maxBuffer))
	}
	if env := field("environ"); env.Truthy() {
		o.env = environment(th, env)
	}
	for i, name := range limitNames {
		if limit := field(name); limit.Truthy() {
			o.limits[i] = limitOf(th, limit, name)
		}
	}
}

// environment checks the option environ; an empty one is the server's.
func environment(th *rt.Thread, v rt.Value) (env []string) {
	if !v.IsTable() {
		lib.RaiseAt(th, 1, "bad environ option: table expected, got "+rt.TypeName(v))
	}
	for i := 1; ; i++ {
		entry := v.Table().Int(i)
		switch {
		case entry.IsNil():
			return env
		case !entry.IsString():
			lib.RaiseAt(th, 1, "bad value at index "+strconv.Itoa(i)+" of environ option: string expected, got "+rt.TypeName(entry))
		case len(entry.Str()) < 2 || strings.IndexByte(entry.Str()[1:], '=') < 0:
			lib.RaiseAt(th, 1, "bad value at index "+strconv.Itoa(i)+" of environ option: 'name=[value]' format expected, got '"+entry.Str()+"'")
		}
		env = append(env, entry.Str())
	}
}

// limitOf is a time limit in milliseconds, 0 for none.
func limitOf(th *rt.Thread, v rt.Value, name string) time.Duration {
	n, ok := rt.ToNumber(v)
	if !ok || !v.IsNumber() {
		th.Errorf("attempt to compare %s with number", rt.TypeName(v))
	}
	if !(n >= 0 && n <= 0xFFFFFFFF) {
		lib.RaiseAt(th, 1, "bad "+name+" option")
	}
	return time.Duration(n) * time.Millisecond
}

// setTimeouts is set_timeouts(write, stdout_read, stderr_read, wait).
func setTimeouts(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	p := processOf(th, args)
	for i, name := range limitNames {
		if v := rt.ArgAt(args, i+1); v.Truthy() {
			p.limits[i] = limitOf(th, v, name)
		}
	}
	return rt.Nil, 0
}

// shutdown is shutdown(direction): "stdin", "stdout" or "stderr".
func shutdown(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	p := processOf(th, args)
	which := rt.ArgAt(args, 1)
	var s *stream
	switch {
	case rt.EqString(which, "stdin"):
		s = &p.streams[stdin]
	case rt.EqString(which, "stdout"):
		s = &p.streams[stdout]
	case rt.EqString(which, "stderr") && p.merged:
		return lib.Fail(th, "merged to stdout")
	case rt.EqString(which, "stderr"):
		s = &p.streams[stderr]
	default:
		if !which.IsString() && !which.IsNumber() {
			th.Errorf("attempt to concatenate local 'direction' (a %s value)", rt.TypeName(which))
		}
		lib.RaiseAt(th, 1, "bad shutdown arg: "+lib.Text(th, which))
	}
	if p.told {
		return lib.Fail(th, "closed")
	}
	s.close()
	return rt.True, 1
}

// kill is kill(signal).
func kill(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	p := processOf(th, args)
	v := rt.ArgAt(args, 1)
	if !v.IsNumber() {
		lib.RaiseAt(th, 1, "bad signal arg: number expected, got "+lib.TextOrNil(th, v))
	}
	if text := p.signal(v.Num()); text != "" {
		return lib.Fail(th, text)
	}
	return rt.True, 1
}

// wait is wait(): how the process has ended, once.
func wait(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	p := processOf(th, args)
	waitingCaller(th)
	switch {
	case p.told:
		return lib.Fail(th, "exited")
	case p.waiting:
		return lib.Fail(th, "pipe busy waiting")
	}
	p.waiting = true
	defer func() { p.waiting = false }() // also when the light thread is killed
	if !p.await(th, p.limits[waitLimit]) {
		return lib.Fail(th, "timeout")
	}
	p.finish()
	reason, status := p.end.reason()
	return th.Return3(rt.Bool(reason == "exit" && status == 0), rt.String(reason), rt.Int(status))
}
