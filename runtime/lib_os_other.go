//go:build !unix

package runtime

import (
	"os/exec"
	"time"
)

// cpuTime returns the time since the start: the processor time is not at hand here.
func cpuTime() time.Duration { return time.Since(processStart) }

// exitSignal returns 0: commands do not end by signals here.
func exitSignal(*exec.ExitError) int { return 0 }
