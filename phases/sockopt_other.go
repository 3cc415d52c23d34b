//go:build !linux

package phases

import (
	"errors"
	"syscall"
)

// closeWait tells whether the client has shut its side of a TCP connection down
// behind unread bytes. Only Linux says so.
func closeWait(uintptr) bool { return false }

// dup makes the file descriptor to another one for the file of from.
func dup(from, to int) error { return syscall.Dup2(from, to) }

// setSystemOptions refuses the options of a socket that only Linux is known to have.
func setSystemOptions(_ int, o *socketOptions) error {
	k := o.keepAlive
	if o.reusePort || o.deferred || o.fastopen > 0 || k.idle > 0 || k.interval > 0 || k.count > 0 {
		return errors.New("reuseport, deferred, fastopen and the times of so_keepalive need Linux")
	}
	return nil
}
