//go:build !darwin

package cosocket

import "syscall"

// The options of TCP's keepalive probes.
const (
	keepIdle     = syscall.TCP_KEEPIDLE
	keepInterval = syscall.TCP_KEEPINTVL
	keepCount    = syscall.TCP_KEEPCNT
)
