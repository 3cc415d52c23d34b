package core

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
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
	servers []*Server

	Stack   *compat.Stack // the OpenResty that is spoken
	Modules []*Module
	confs   []any // configuration of modules, by MainSlot

	zones    []*Zone // in the order of the file
	previous *Cycle  // until Start: the configuration that a reload replaces

	Vars VariableSet
	// WithoutEffect are directives of the configuration that are right and do nothing here.
	WithoutEffect []string
	hostname      string

	HTTP *Location // the http level

	ConnLimit   ConnLimit // nil: not bounded
	ThreadPools map[string]*ThreadPool

	stopping    atomic.Bool // the server drains: no connection is kept alive
	flow        flow
	ProcessStat func() Stat // of the process that serves it
}

// Start makes what requests need before the first one comes: Lua states, in
// which init_by_lua runs.
func (c *Cycle) Start() error {
	if err := c.startZones(); err != nil {
		return err
	}
	for _, m := range c.Modules {
		if m.Start != nil {
			if err := m.Start(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// Ready says that the configuration is served from now on (init_worker_by_lua).
func (c *Cycle) Ready() { c.Each(func(m *Module) func(*Cycle) { return m.Ready }) }

// Drain makes the responses from now on close their connections, and ends what
// waits for nobody: idle upstream connections, timers.
func (c *Cycle) Drain() {
	c.stopping.Store(true)
	c.Each(func(m *Module) func(*Cycle) { return m.Drain })
}

// Wait waits for the last requests and for what goes on without them.
func (c *Cycle) Wait() {
	for c.Running() > 0 {
		time.Sleep(drainPoll)
	}
	c.Each(func(m *Module) func(*Cycle) { return m.Wait })
}

// drainPoll is how often a configuration is asked whether its last request has
// ended.
const drainPoll = 10 * time.Millisecond

// Stop ends what Start and Ready began (exit_worker_by_lua).
func (c *Cycle) Stop() {
	c.Each(func(m *Module) func(*Cycle) { return m.Drain })
	c.Each(func(m *Module) func(*Cycle) { return m.Stop })
}

// Each calls a hook of the modules, the last one's first.
func (c *Cycle) Each(hook func(*Module) func(*Cycle)) {
	for i := len(c.Modules) - 1; i >= 0; i-- {
		if f := hook(c.Modules[i]); f != nil {
			f(c)
		}
	}
}

// MainConf is what the directives outside http say to the process.
type MainConf struct {
	Daemon          Opt[bool]
	MasterProcess   Opt[bool]
	Pid             Opt[string]
	WorkerProcesses Opt[int] // 0: auto
	ShutdownTimeout Opt[time.Duration]
	Env             []string // "NAME" or "NAME=value"
	Connections     Opt[int]
	TimerResolution Opt[time.Duration]
	errorLog        Opt[errlog.Logger]
	Rights          ProcessRights
	debugged        debugged
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
		Modules:  opts.Modules,
		Stack:    compat.Newest(),
		previous: opts.Previous,
		confs:    freshSlots(opts.Modules, slotMain),
		Vars:     newVariableSet(opts.Modules),
		hostname: ngxtext.Lower(name),

		ThreadPools: map[string]*ThreadPool{},
	}
}

// randomHex is n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
