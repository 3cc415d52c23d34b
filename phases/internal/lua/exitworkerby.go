package lua

import "github.com/moonphase/moonphase/phases/internal/core"

// stopWorkers runs exit_worker_by_lua in every worker.
func stopWorkers(c *core.Cycle) {
	everyWorker(c, main.Of(c).exitWorker, PhaseExitWorker)
}
