//go:build !linux

package phases

import "errors"

// applyRights refuses to serve with rights that the configuration takes away.
func applyRights(r *processRights, _ *process) error {
	if r.user.v != nil || r.noFiles.set || r.coreSize.set || r.priority.set || len(r.cpus.v) > 0 || r.directory.v != "" {
		return errors.New("user, worker_rlimit_*, worker_priority, worker_cpu_affinity and working_directory are not supported on this system")
	}
	return nil
}
