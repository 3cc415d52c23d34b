package phases

// StartWorkers runs init_worker_by_lua in every worker. An error is logged and
// does not keep the server from running.
func startWorkers(c *Cycle) { everyWorker(c, luaMain.of(c).initWorker, PhaseInitWorker) }
