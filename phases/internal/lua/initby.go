package lua

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxshared"
	rt "github.com/moonphase/moonphase/runtime"
)

// initWorkers makes the Lua states and runs init_by_lua in each: where nginx
// forks workers from one state, every worker here has one of its own.
func initWorkers(c *core.Cycle) error {
	m := main.Of(c)
	n := max(c.Main.WorkerProcesses.V, 1)
	m.batons = rt.NewBatonPool(n)
	m.openState = openNgx
	var err error
	if m.dicts, err = ngxshared.Open(m.sharedDicts); err != nil {
		return err
	}
	for i := range n {
		m.workers = append(m.workers, newWorker(c, i, m.batons.Baton(i)))
	}
	for _, w := range m.workers {
		if err := w.open(); err != nil {
			if c.Log != nil {
				c.Log.Output(errlog.Err, 0, err.Error())
			}
			return err
		}
	}
	return nil
}

// everyWorker runs a handler of the workers' own phases in each of them; an error is
// logged.
func everyWorker(c *core.Cycle, h *handler, p caller.Phase) {
	if h == nil {
		return
	}
	for _, w := range main.Of(c).workers {
		if err := w.runMain(h, p); err != nil && c.Log != nil {
			c.Log.Output(errlog.Err, 0, fmt.Sprintf("%s error: %v", h.label(), err))
		}
	}
}

// label is how log lines name a handler without a request: blocks like the
// quoted form.
func (h *handler) label() string { return strings.TrimSuffix(h.ref.Directive, "_block") }

// runMain runs a chunk that belongs to no request.
func (w *worker) runMain(h *handler, p caller.Phase) error {
	w.baton.Acquire()
	defer w.baton.Release()
	if h.chunk == nil {
		return fmt.Errorf("cannot open %s", h.ref.Path)
	}
	fn := w.state.Load(h.chunk, h.ref.Name) // gives the chunk its name
	if text := w.state.ChunkError(h.chunk); text != "" {
		return errors.New(text)
	}
	run := &entryRun{thread: w.state.NewThread(), ctx: newCtx(w, p)} // those that are kept are for requests
	if p == caller.PhaseInitWorker {
		run.ctx.Number = core.ConnNumbers.Add(1) // it counts as a connection
	}
	_, failure, abort := run.call(fn)
	switch {
	case failure != nil:
		return fmt.Errorf("%s\n%s", errorText(failure), failure.Traceback)
	case abort != nil:
		return abort
	}
	return nil
}
