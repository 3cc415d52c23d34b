//go:build !linux

package serve

import (
	"errors"
	"syscall"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/listening"
)

// closeWait tells whether the client has shut its side of a TCP connection down
// behind unread bytes. Only Linux says so.
func closeWait(uintptr) bool { return false }

// dup makes the file descriptor to another one for the file of from.
func dup(from, to int) error { return syscall.Dup2(from, to) }

// setSystemOptions refuses the options of a socket that only Linux is known to have.
func setSystemOptions(_ int, o *listening.Options) error {
	k := o.KeepAlive
	if o.ReusePort || o.Deferred || o.FastOpen > 0 || k.Idle > 0 || k.Interval > 0 || k.Count > 0 {
		return errors.New("reuseport, deferred, fastopen and the times of so_keepalive need Linux")
	}
	return nil
}

// tcpInfo has nothing to tell here.
func tcpInfo(uintptr) (info core.TCPInfo, ok bool) { return info, false }
