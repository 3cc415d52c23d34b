package cosocket

import "syscall"

// The options of TCP's keepalive probes, from <netinet/tcp.h>; package syscall
// has only the first of them.
const (
	keepIdle     = syscall.TCP_KEEPALIVE
	keepInterval = 0x101 // TCP_KEEPINTVL
	keepCount    = 0x102 // TCP_KEEPCNT
)
