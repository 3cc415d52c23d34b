package phases

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Cycle is one generation of the server: a compiled configuration and the
// workers that run its Lua. HUP makes a new one; requests finish on the one
// they started with.
type Cycle struct {
	Prefix   string
	ConfPath string
	Log      errlog.Logger // main-level error log; the compiler sets it from error_log

	Main    MainConf
	Listens []*Listen
	Servers []*Server

	modules []*Module
	confs   []any // configuration of modules, by mainSlot

	zones    []*Zone // in the order of the file
	previous *Cycle  // until Start: the configuration that a reload replaces

	vars     variableSet
	hostname string

	http *Location // the http level

	slots       connLimit // nil: not bounded
	threadPools map[string]*threadPool

	stopping atomic.Bool // the server drains: no connection is kept alive
	flow     flow
	stat     func() Stat // of the process that serves it
}

// Start makes what requests need before the first one comes: Lua states, in
// which init_by_lua runs.
func (c *Cycle) Start() error {
	if err := c.startZones(); err != nil {
		return err
	}
	for _, m := range c.modules {
		if m.start != nil {
			if err := m.start(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// Ready says that the configuration is served from now on (init_worker_by_lua).
func (c *Cycle) Ready() { c.each(func(m *Module) func(*Cycle) { return m.ready }) }

// Drain makes the responses from now on close their connections, and ends what
// waits for nobody: idle upstream connections, timers.
func (c *Cycle) Drain() {
	c.stopping.Store(true)
	c.each(func(m *Module) func(*Cycle) { return m.drain })
}

// Wait waits for the last requests and for what goes on without them.
func (c *Cycle) Wait() {
	for c.Running() > 0 {
		time.Sleep(drainPoll)
	}
	c.each(func(m *Module) func(*Cycle) { return m.wait })
}

// drainPoll is how often a configuration is asked whether its last request has
// ended.
const drainPoll = 10 * time.Millisecond

// Stop ends what Start and Ready began (exit_worker_by_lua).
func (c *Cycle) Stop() {
	c.each(func(m *Module) func(*Cycle) { return m.drain })
	c.each(func(m *Module) func(*Cycle) { return m.stop })
}

// each calls a hook of the modules, the last one's first.
func (c *Cycle) each(hook func(*Module) func(*Cycle)) {
	for i := len(c.modules) - 1; i >= 0; i-- {
		if f := hook(c.modules[i]); f != nil {
			f(c)
		}
	}
}

// MainConf is what the directives outside http say to the process.
type MainConf struct {
	Daemon          opt[bool]
	MasterProcess   opt[bool]
	Pid             opt[string]
	WorkerProcesses opt[int] // 0: auto
	ShutdownTimeout opt[time.Duration]
	Env             []string // "NAME" or "NAME=value"
	Connections     opt[int]
	TimerResolution opt[time.Duration]
	errorLog        opt[errlog.Logger]
	rights          processRights
}

// newCycle is an empty configuration.
func newCycle(opts CompileOptions) *Cycle {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	return &Cycle{
		Prefix:   opts.Prefix,
		ConfPath: opts.ConfPath,
		Log:      opts.Log,
		modules:  opts.Modules,
		previous: opts.Previous,
		confs:    freshSlots(opts.Modules, slotMain),
		vars:     newVariableSet(opts.Modules),
		hostname: lowerString(name),

		threadPools: map[string]*threadPool{},
	}
}

// randomHex is n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
