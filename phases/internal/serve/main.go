package serve

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/guard"
)

// options are the server's command line, which is nginx's.
type options struct {
	help, version, configure bool
	test, dump, quiet        bool
	signal                   string
	prefix                   string // ends in a slash
	errorLog                 string
	conf                     string
	globals                  string
}

// defaultConf is the configuration file, below the prefix.
const defaultConf = "conf/nginx.conf"

// Program is what the server is told of the program around it.
type Program struct {
	Version string         // of moonphase
	Modules []*core.Module // in the order of nginx's ngx_modules.c
	// Prepare is called with each configuration that is about to be read; nil for
	// nothing.
	Prepare func(*core.Cycle)
	Without []string     // outermost blocks of the configuration that are left out: "stream"
	Map     conf.PathMap // where files are that the configuration names by another machine's paths
}

// Main is the whole of a server program: it does what nginx's command line in args says
// and returns the exit code.
func Main(args []string, b Program) int {
	o, err := parseArgs(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "nginx: %v\n", err)
		return 1
	}
	if o.version || o.configure || o.help {
		printVersion(o, b)
		return 0
	}
	p := newProcess(o, b)
	switch {
	case o.test:
		return p.testConfig()
	case o.signal != "":
		// Whether its Lua is built in does not matter to a server that shall stop.
		p.Prepare = nil
		return p.sendSignal()
	}
	foreground := os.Getenv(ForegroundEnv) != ""
	_ = os.Unsetenv(ForegroundEnv)
	if !foreground && os.Getenv(daemonEnv) == "" && p.wantsDaemon() {
		return daemonize()
	}
	ready := daemonReady()
	if foreground {
		ready = p.announce
	}
	return p.run(ready)
}

// announce tells a person at a terminal where the server can be reached.
func (p *Process) announce() {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		addrs := slices.Sorted(maps.Keys(p.listeners))
		fmt.Fprintf(os.Stderr, "moonphase: serving %s; Ctrl-C stops\n", strings.Join(addrs, ", "))
	}
}

// parseArgs reads the command line: options may share a dash and their value may
// follow at once.
func parseArgs(args []string) (options, error) {
	o := options{prefix: "./", errorLog: errlog.StderrPath}
	values := map[byte]struct {
		target *string
		what   string
	}{
		'p': {&o.prefix, "directory name"},
		'e': {&o.errorLog, "file name"},
		'c': {&o.conf, "file name"},
		'g': {&o.globals, "parameter"},
		's': {&o.signal, "parameter"},
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") {
			return o, fmt.Errorf("invalid option: \"%s\"", arg)
		}
	letters:
		for j := 1; j < len(arg); j++ {
			switch c := arg[j]; c {
			case '?', 'h':
				o.help = true
			case 'v':
				o.version = true
			case 'V':
				o.configure = true
			case 't':
				o.test = true
			case 'T':
				o.test, o.dump = true, true
			case 'q':
				o.quiet = true
			default:
				v, ok := values[c]
				if !ok {
					return o, fmt.Errorf("invalid option: \"%c\"", c)
				}
				if *v.target = arg[j+1:]; *v.target == "" {
					if i++; i == len(args) || args[i] == "" {
						return o, fmt.Errorf("option \"-%c\" requires %s", c, v.what)
					}
					*v.target = args[i]
				}
				break letters
			}
		}
	}
	switch o.signal {
	case "", "stop", "quit", "reopen", "reload":
	default:
		return o, fmt.Errorf("invalid option: \"-s %s\"", o.signal)
	}
	o.complete()
	return o, nil
}

// complete makes the paths usable from any folder.
func (o *options) complete() {
	if !strings.HasPrefix(o.prefix, "/") {
		if dir, err := os.Getwd(); err == nil {
			o.prefix = dir + "/" + strings.TrimPrefix(strings.TrimPrefix(o.prefix, "."), "/")
		}
	}
	if !strings.HasSuffix(o.prefix, "/") {
		o.prefix += "/"
	}
	if o.conf == "" {
		o.conf = defaultConf
	}
	o.conf = core.FullPath(o.prefix, o.conf)
	if o.errorLog != errlog.StderrPath {
		o.errorLog = core.FullPath(o.prefix, o.errorLog)
	}
}

const usage = `Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: the current folder)
  -e filename   : set error log file (default: stderr)
  -c filename   : set configuration file (default: conf/nginx.conf)
  -g directives : set global directives out of configuration file

`

// newProcess prepares the start: from here on errors go to the log of -e.
func newProcess(o options, b Program) *Process {
	p := &Process{
		opts: o, Program: b, test: o.test,
		logs:      errlog.NewFiles(),
		env:       os.Environ(),
		listeners: map[string]*listener{},
		conns:     map[*conn]struct{}{},
		slots:     &connSlots{},
		drained:   make(chan struct{}),
	}
	p.slots.spare = p.reuseConns
	p.start = p.logs.NewFile(o.errorLog, errlog.Notice)
	if err := p.logs.Open(); err != nil {
		fmt.Fprintf(os.Stderr, "nginx: [alert] could not open error log file: %v\n", err)
	}
	guard.ReportTo(func(d *guard.Defect) { p.log(errlog.Alert, d.Error()) })
	return p
}

// testConfig answers -t and -T: the configuration is read, its log files and
// addresses are opened, nothing is run.
func (p *Process) testConfig() int {
	c, err := p.load()
	if err == nil {
		if !p.opts.quiet {
			p.say("the configuration file %s syntax is ok", p.opts.conf)
		}
		var opened []*listener
		opened, err = p.openListeners(c)
		closeAll(opened)
	}
	if err != nil {
		p.fail(err)
		fmt.Fprintf(os.Stderr, "nginx: configuration file %s test failed\n", p.opts.conf)
		return 1
	}
	if !p.opts.quiet {
		p.say("configuration file %s test is successful", p.opts.conf)
	}
	if p.opts.dump {
		tree, _ := p.parse()
		for _, f := range tree.Files {
			fmt.Printf("# configuration file %s:\n%s\n", f.Name, f.Data)
		}
	}
	return 0
}

func (p *Process) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "nginx: "+format+"\n", args...)
}

// sendSignal answers -s: it tells the process in the pid file what to do.
func (p *Process) sendSignal() int {
	c, err := p.load()
	if err != nil {
		p.fail(err)
		return 1
	}
	path := p.pidFile(c)
	if path == "" {
		path = core.FullPath(p.opts.prefix, defaultPid)
	}
	p.logs.LeaveConsole()
	p.start.Output(errlog.Notice, 0, "signal process started")
	text, err := os.ReadFile(path)
	if err != nil {
		p.start.Output(errlog.Err, 0, fmt.Sprintf(`open() "%s" failed (%s)`, path, conf.Errno(err)))
		return 1
	}
	word := strings.TrimRight(string(text), "\r\n")
	pid, err := strconv.Atoi(word)
	if err != nil {
		p.start.Output(errlog.Err, 0, fmt.Sprintf(`invalid PID number "%s" in "%s"`, word, path))
		return 1
	}
	signals := map[string]syscall.Signal{
		"stop": syscall.SIGTERM, "quit": syscall.SIGQUIT, "reopen": syscall.SIGUSR1, "reload": syscall.SIGHUP,
	}
	s := signals[p.opts.signal]
	if err := syscall.Kill(pid, s); err != nil {
		p.start.Output(errlog.Alert, 0, fmt.Sprintf("kill(%d, %d) failed (%s)", pid, int(s), conf.Errno(err)))
		return 1
	}
	return 0
}

// ForegroundEnv, set in the environment, keeps the server in the foreground whatever
// the daemon directive says.
const ForegroundEnv = "MOONPHASE_FOREGROUND"

// daemonEnv is set in the process that daemon mode starts.
const daemonEnv = "MOONPHASE_DAEMON"

// wantsDaemon looks for the daemon directive without giving the configuration
// its meaning; errors are left to the process that serves.
func (p *Process) wantsDaemon() bool {
	tree, err := p.parse()
	if err != nil {
		return false
	}
	for _, d := range tree.Directives {
		if d.Name == "daemon" && len(d.Args) == 1 {
			return !ngxtext.EqualFold(d.Args[0], "off")
		}
		if d.Err != nil {
			return false
		}
	}
	return true
}

// daemonize starts the server detached and waits until it serves or has failed.
// A Go program cannot fork, so it runs itself again.
func daemonize() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(os.Stderr, "nginx: [emerg] %v\n", err)
		return 1
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		fmt.Fprintf(os.Stderr, "nginx: [alert] pipe() failed (%s)\n", conf.Errno(err))
		return 1
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), daemonEnv+"=3")
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "nginx: [emerg] fork() failed (%s)\n", conf.Errno(err))
		return 1
	}
	_ = theirs.Close()
	if n, _ := ready.Read(make([]byte, 1)); n == 1 {
		return 0
	}
	_ = cmd.Wait()
	return 1
}

// daemonReady gives the function to call when the server is ready: in a daemon
// it lets the process that started it go and leaves its terminal.
func daemonReady() func() {
	if os.Getenv(daemonEnv) == "" {
		return func() {}
	}
	_ = os.Unsetenv(daemonEnv)
	return func() {
		pipe := os.NewFile(3, "ready")
		_, _ = pipe.Write([]byte{1})
		_ = pipe.Close()
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return
		}
		for fd := 0; fd <= 2; fd++ {
			_ = dup(int(null.Fd()), fd)
		}
		_ = null.Close()
	}
}
