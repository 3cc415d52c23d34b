package core

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

func mainDirectives() []Directive {
	return []Directive{
		{"compat", InMain, Take1, setCompat},
		{"daemon", InMain, TakeFlag, SetFlag(global(func(m *MainConf) *Opt[bool] { return &m.Daemon }))},
		{"master_process", InMain, TakeFlag, SetFlag(global(func(m *MainConf) *Opt[bool] { return &m.MasterProcess }))},
		{"pid", InMain, Take1, SetText(global(func(m *MainConf) *Opt[string] { return &m.Pid }))},
		{"worker_processes", InMain, Take1, setWorkerProcesses},
		{"worker_shutdown_timeout", InMain, Take1, SetMsec(global(func(m *MainConf) *Opt[time.Duration] { return &m.ShutdownTimeout }))},
		{"timer_resolution", InMain, Take1, SetMsec(global(func(m *MainConf) *Opt[time.Duration] { return &m.TimerResolution }))},
		{"env", InMain, Take1, setEnv},
		{"thread_pool", InMain, Take2 | Take3, setThreadPool},
		{"worker_connections", InEvents, Take1, setConnections},
		{"events", InMain, Take0 | TakeBlock, setEvents},
		{"http", InMain, Take0 | TakeBlock, setHTTP},
		{"error_log", InMain | InHTTPSrvLoc, TakeMore1, setErrorLog},
	}
}

// setCompat reads the version of nginx to be compatible with. chooseStack has looked at
// its argument before all other directives, which depend on it.
func setCompat(c *Compiler, d *conf.Directive) error {
	return Discarded[string](d.Name)(c).Put(d.Args[0])
}

// chooseStack settles which OpenResty is spoken (directive compat, ours).
func (c *Compiler) chooseStack(tree []*conf.Directive) error {
	var at *conf.Directive
	release := ""
	for _, d := range tree {
		if d.Name == "compat" && len(d.Args) == 1 {
			at, release = d, d.Args[0]
			break
		}
	}
	stack, err := compat.Choose(release)
	switch {
	case err == nil:
		c.Cycle.Stack = stack
		return nil
	case at == nil || os.Getenv(compat.Env) != "":
		return fmt.Errorf("%s in %s of the environment", err, compat.Env)
	}
	return c.Located(at, err)
}

func setWorkerProcesses(c *Compiler, d *conf.Directive) error {
	f := &c.Cycle.Main.WorkerProcesses
	if f.Set {
		return ErrDuplicate
	}
	if d.Args[0] == "auto" {
		return f.Put(runtime.GOMAXPROCS(0))
	}
	n, ok := ngxtext.ParseDecimal(d.Args[0])
	if !ok {
		return DirectiveError("invalid value")
	}
	return f.Put(int(n))
}

func setEnv(c *Compiler, d *conf.Directive) error {
	c.Cycle.Main.Env = append(c.Cycle.Main.Env, d.Args[0])
	return nil
}

func setEvents(c *Compiler, d *conf.Directive) error {
	if err := Discarded[bool](d.Name)(c).Put(true); err != nil {
		return err
	}
	return c.Within(InEvents, d, nil)
}

// setConnections reads worker_connections, whose complaint has a form of its own.
func setConnections(c *Compiler, d *conf.Directive) error {
	f := &c.Cycle.Main.Connections
	if f.Set {
		return ErrDuplicate
	}
	n, ok := ngxtext.ParseDecimal(d.Args[0])
	if !ok {
		return fmt.Errorf("invalid number \"%s\"", d.Args[0])
	}
	return f.Put(int(n))
}
