//go:build !linux

package serve

import (
	"errors"

	"github.com/moonphase/moonphase/phases/internal/core"
)

// applyRights refuses to serve with rights that the configuration takes away.
func applyRights(r *core.ProcessRights, _ *Process) error {
	if r.User.V != nil || r.NoFiles.Set || r.CoreSize.Set || r.Priority.Set || len(r.CPUs.V) > 0 || r.Directory.V != "" {
		return errors.New("user, worker_rlimit_*, worker_priority, worker_cpu_affinity and working_directory are not supported on this system")
	}
	return nil
}
