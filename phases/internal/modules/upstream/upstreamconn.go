package upstream

import (
	"syscall"
	"time"
)

// Readable tells whether more has come on the connection, or comes in a moment.
func (c *Conn) Readable() bool {
	if c == nil || c.raw == nil {
		return false
	}
	look := func() (ready bool) {
		_ = c.raw.Control(func(fd uintptr) {
			var b [1]byte
			_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			ready = err == nil
		})
		return ready
	}
	if look() {
		return true
	}
	time.Sleep(pipePause)
	return look()
}
