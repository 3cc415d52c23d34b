package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// stopWorkers runs exit_worker_by_lua in every worker.
func stopWorkers(c *core.Cycle) {
	everyWorker(c, main.Of(c).exitWorker, caller.PhaseExitWorker)
}
