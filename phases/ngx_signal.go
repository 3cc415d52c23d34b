package phases

import (
	"os"
	"syscall"
)

// signalQuit asks the server to drain and end.
func signalQuit(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }
