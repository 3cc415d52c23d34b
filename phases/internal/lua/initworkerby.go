package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// startWorkers runs init_worker_by_lua in every worker. An error is logged and
// does not keep the server from running.
func startWorkers(c *core.Cycle) { everyWorker(c, main.Of(c).initWorker, caller.PhaseInitWorker) }
