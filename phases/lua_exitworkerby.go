package phases

// StopWorkers runs exit_worker_by_lua in every worker.
func stopWorkers(c *Cycle) {
	everyWorker(c, luaMain.of(c).exitWorker, PhaseExitWorker)
}
