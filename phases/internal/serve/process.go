package serve

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/guard"
)

// Process is the running server: its open addresses, its connections and the
// configuration it serves. nginx's master and workers are one process here, so
// the signals that nginx's master takes are taken by it.
type Process struct {
	opts options
	Program
	logs *errlog.Files
	test bool // -t: nothing is served

	// start is the log until the configuration names one: the file of -e.
	start *errlog.Log
	env   []string // the environment as the process got it

	Cycle     atomic.Pointer[core.Cycle]
	listeners map[string]*listener
	pidPath   string

	mu       sync.Mutex
	conns    map[*conn]struct{}
	slots    *connSlots
	idle     chan struct{} // closed when the last connection ends while stopping
	stopping atomic.Bool
	drained  chan struct{}  // closed when all is done after SIGQUIT
	exited   sync.Once      // exit_worker_by_lua has been run
	old      sync.WaitGroup // configurations that were replaced and are still in use

	accepted, handled atomic.Int64  // connections
	serving           []*core.Cycle // the configurations in use, guarded by mu
	past              int64         // requests of those that are not any more
}

// errLogged stands for an error whose text is in the log already.
var errLogged = errors.New("already logged")

// log writes a line that belongs to no request.
func (p *Process) log(level errlog.Level, msg string) {
	var log errlog.Logger = p.start
	if c := p.Cycle.Load(); c != nil && c.Log != nil {
		log = c.Log
	}
	if log.Enabled(level) {
		log.Output(level, 0, msg)
	}
}

// fail reports why the process cannot start.
func (p *Process) fail(err error) {
	level := errlog.Emerg
	var ce *conf.Error
	if errors.As(err, &ce) && ce.Level != "" {
		level, _ = errlog.ParseLevel(ce.Level)
	}
	if !errors.Is(err, errLogged) {
		p.start.Output(level, 0, err.Error())
	}
}

// Start serves what the command line args names, in a program that does other things
// too: signals and the pid of -s are that program's business.
func Start(args []string, b Program) (*Process, error) {
	o, err := parseArgs(args)
	if err != nil {
		return nil, err
	}
	p := newProcess(o, b)
	c, err := p.load()
	if err == nil {
		err = p.activate(c)
	}
	p.logs.LeaveConsole()
	return p, err
}

// Close ends the process as SIGQUIT does, and waits for it. One that is being ended
// already is left alone.
func (p *Process) Close() {
	if !p.stopping.Swap(true) {
		p.shutdown()
	}
}

// load reads and compiles the configuration.
func (p *Process) load() (*core.Cycle, error) {
	tree, err := p.parse()
	if tree == nil {
		return nil, err
	}
	if p.test && !p.opts.quiet {
		for _, note := range tree.Notes {
			p.say("[notice] %v", note)
		}
	}
	for _, d := range tree.Without(p.Without) {
		p.start.Output(errlog.Warn, 0, d.Errorf("the block \"%s\" is left out, as this server was built to", d.Name).Error())
	}
	c, err := core.Compile(tree.Directives, core.CompileOptions{
		Prefix:   p.opts.prefix,
		Map:      p.Map,
		ConfPath: p.opts.conf,
		Log:      p.start,
		Logs:     p.logs,
		Modules:  p.Modules,
		Previous: p.Cycle.Load(),
		Prepare:  p.Prepare,
	})
	if err != nil {
		return nil, err
	}
	if c.Log == nil || c.Log == errlog.Logger(p.start) {
		c.Log = p.logs.NewFile(p.opts.errorLog, errlog.Err)
	}
	if main, ok := c.Log.(*errlog.Log); ok {
		p.logs.SetFallback(main)
	}
	return c, p.logs.Open()
}

// parse reads the directives of -g and of the configuration file. The tree of a
// file with a syntax error carries that error.
func (p *Process) parse() (*conf.Tree, error) {
	params, err := conf.ParseParam(p.opts.globals)
	if err != nil {
		return nil, err
	}
	tree, _ := conf.Options{Map: p.Map}.ParseFile(p.opts.conf)
	tree.Directives = append(params.Directives, tree.Directives...)
	return tree, nil
}

// run serves until a signal ends it and returns the exit code. ready is called
// when all addresses are open.
func (p *Process) run(ready func()) int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
	signal.Ignore(syscall.SIGPIPE)
	c, err := p.load()
	if err == nil {
		err = p.activate(c)
	}
	if err != nil {
		p.fail(err)
		return 1
	}
	tuneRuntime(c)
	p.log(errlog.Notice, c.Stack.Product)
	p.log(errlog.Notice, "OS: "+kernelVersion())
	ready()
	p.logs.LeaveConsole()
	p.log(errlog.Notice, "start worker processes")
	p.warnFiles(c)
	for running := true; running; {
		select {
		case s := <-signals:
			running = !p.Signal(s.(syscall.Signal))
		case <-p.drained:
			running = false
		}
	}
	p.removePid()
	p.logs.Flush()
	p.log(errlog.Notice, "exit")
	return 0
}

// Signal does what nginx's master does for s; true ends the process.
func (p *Process) Signal(s syscall.Signal) bool {
	name := signalNames[s]
	note := func(what string) {
		p.log(errlog.Notice, fmt.Sprintf("signal %d (%s) received, %s", int(s), name, what))
	}
	switch s {
	case syscall.SIGHUP:
		note("reconfiguring")
		if !p.stopping.Load() {
			p.reload()
		}
	case syscall.SIGUSR1:
		note("reopening logs")
		for _, err := range p.logs.Reopen() {
			p.log(errlog.Emerg, err.Error())
		}
	case syscall.SIGQUIT:
		note("shutting down")
		if !p.stopping.Swap(true) {
			guard.Go(func() {
				defer close(p.drained)
				p.shutdown()
			})
		}
	case syscall.SIGTERM, syscall.SIGINT:
		note("exiting")
		p.terminate()
		return true
	case syscall.SIGWINCH, syscall.SIGUSR2:
		note("ignored: binary upgrade is not supported")
	}
	return false
}

var signalNames = map[syscall.Signal]string{
	syscall.SIGHUP: "SIGHUP", syscall.SIGQUIT: "SIGQUIT", syscall.SIGTERM: "SIGTERM", syscall.SIGINT: "SIGINT",
	syscall.SIGUSR1: "SIGUSR1", syscall.SIGUSR2: "SIGUSR2", syscall.SIGWINCH: "SIGWINCH",
}

// activate makes c the configuration that is served: its addresses are opened,
// its Lua states made, then new connections and requests go to it.
func (p *Process) activate(c *core.Cycle) error {
	opened, err := p.openListeners(c)
	if err != nil {
		return err
	}
	p.setEnvironment(c)
	p.slots.configure(c)
	c.ConnLimit, c.ProcessStat = p.slots, p.stat
	if err := c.Start(); err != nil {
		closeAll(opened)
		return errLogged
	}
	if err := p.settle(c); err != nil {
		closeAll(opened)
		return err
	}
	for _, l := range opened {
		p.listeners[l.addr] = l
	}
	used := map[string]bool{}
	for _, l := range c.Listens {
		used[l.Addr] = true
		p.listeners[l.Addr].bound.Store(newBinding(c, l))
	}
	for addr, l := range p.listeners {
		if !used[addr] {
			_ = l.socket.Close()
			delete(p.listeners, addr)
		}
	}
	p.Cycle.Store(c)
	p.mu.Lock()
	p.serving = append(p.serving, c)
	p.mu.Unlock()
	c.Ready()
	for _, l := range opened {
		guard.Go(l.serve)
	}
	return nil
}

// settle does the last things that need the rights the process was started with:
// it writes the pid file, then, when it starts, gives those rights up.
func (p *Process) settle(c *core.Cycle) error {
	if err := p.writePid(c); err != nil {
		return err
	}
	if p.Cycle.Load() != nil {
		return nil
	}
	return applyRights(&c.Main.Rights, p)
}

// reload takes a changed configuration over. If it is bad, the old one goes on.
func (p *Process) reload() {
	old := p.Cycle.Load()
	p.log(errlog.Notice, "reconfiguring")
	c, err := p.load()
	if err == nil {
		err = p.activate(c)
	}
	if err != nil {
		if !errors.Is(err, errLogged) {
			p.log(errlog.Emerg, err.Error())
		}
		return
	}
	p.old.Add(1)
	guard.Go(func() {
		defer p.old.Done()
		old.Drain()
		p.interruptConns()
		old.Wait()
		old.Stop()
		p.mu.Lock()
		p.past += old.Begun()
		p.serving = slices.DeleteFunc(p.serving, func(c *core.Cycle) bool { return c == old })
		p.mu.Unlock()
	})
}

// stat counts what is going on. A request costs nothing for it: who asks looks at
// all connections.
func (p *Process) stat() core.Stat {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := core.Stat{Accepted: p.accepted.Load(), Handled: p.handled.Load(), Requests: p.past, Active: int64(len(p.conns))}
	for c := range p.conns {
		if c.wait.state() != clientBusy {
			s.Waiting++
		}
	}
	for _, c := range p.serving {
		s.Requests += c.Begun()
		s.Writing += c.Running()
	}
	s.Reading = max(s.Active-s.Waiting-s.Writing, 0)
	return s
}

// track notes a connection, untrack that it has ended.
func (p *Process) track(c *conn) {
	p.mu.Lock()
	p.conns[c] = struct{}{}
	p.mu.Unlock()
}

func (p *Process) untrack(c *conn) {
	p.mu.Lock()
	delete(p.conns, c)
	if !c.slotGiven.Load() {
		p.slots.give()
	}
	if p.idle != nil && len(p.conns) == 0 {
		close(p.idle)
		p.idle = nil
	}
	p.mu.Unlock()
}

// tuneRuntime fits the Go runtime to the configuration: as many threads run Lua
// as there are workers, and the garbage collector works when the heap has grown
// to five times what is in use, but not below 16 MB (4 MB * GOGC / 100). A server
// with a small heap would otherwise collect hundreds of times a second. GOMAXPROCS,
// GOGC and GOMEMLIMIT in the environment overrule this.
func tuneRuntime(c *core.Cycle) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(c.Main.WorkerProcesses.V, 1))
	}
	TuneCollector()
}

// TuneCollector trades memory for time unless the environment says otherwise.
func TuneCollector() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
	}
}

// setEnvironment leaves what the env directives name, and TZ, as nginx does for
// its workers; and the stack to be compatible with, for the next reload.
func (p *Process) setEnvironment(c *core.Cycle) {
	get := func(name string) (string, bool) {
		for _, e := range p.env {
			if k, v, _ := strings.Cut(e, "="); k == name {
				return v, true
			}
		}
		return "", false
	}
	os.Clearenv()
	for _, e := range append([]string{"TZ", compat.Env}, c.Main.Env...) {
		name, value, given := strings.Cut(e, "=")
		if !given {
			if value, given = get(name); !given {
				continue
			}
		}
		_ = os.Setenv(name, value)
	}
}

// writePid writes the pid file.
func (p *Process) writePid(c *core.Cycle) error {
	path := p.pidFile(c)
	if path == p.pidPath {
		return nil
	}
	if path != "" {
		text := strconv.Itoa(os.Getpid()) + "\n"
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return &conf.Error{Msg: fmt.Sprintf(`open() "%s" failed (%s)`, path, conf.Errno(err))}
		}
	}
	p.removePid()
	p.pidPath = path
	return nil
}

// pidFile is the path of the pid file. The default one is only written when its
// folder exists, so that a bare configuration runs anywhere.
func (p *Process) pidFile(c *core.Cycle) string {
	if c.Main.Pid.Set {
		return core.FullPath(p.opts.prefix, c.Main.Pid.V)
	}
	return p.defaultPath(defaultPid)
}

const defaultPid = "logs/nginx.pid"

// defaultPath gives a path below the prefix if its folder exists, else "".
func (p *Process) defaultPath(name string) string {
	path := core.FullPath(p.opts.prefix, name)
	if dir := path[:strings.LastIndexByte(path, '/')+1]; !core.IsDir(dir) {
		return ""
	}
	return path
}

func (p *Process) removePid() {
	if p.pidPath == "" {
		return
	}
	// A folder of root's is closed to a process that gave its rights up.
	if err := os.Remove(p.pidPath); err != nil && !errors.Is(err, os.ErrNotExist) {
		p.log(errlog.Alert, fmt.Sprintf("unlink() \"%s\" failed (%s)", p.pidPath, conf.Errno(err)))
	}
}

// kernelVersion is how nginx names the system in its start-up notices.
func kernelVersion() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(b))
}
