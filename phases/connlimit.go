package phases

import (
	"errors"
	"fmt"
	"net"
)

// connLimit bounds the connections of the process (worker_connections).
type connLimit interface {
	// Dial calls dial, whose connection holds a slot until it is closed. Without
	// room the error is a *noSlotsError.
	Dial(dial func() (net.Conn, error)) (net.Conn, error)
}

// noSlotsError says that all connections are in use.
type noSlotsError struct{ each int64 }

func (e *noSlotsError) Error() string {
	return fmt.Sprintf("%d worker_connections are not enough", e.each)
}

// isNoSlots reports whether a connection could not be had for want of a slot.
func isNoSlots(err error) bool {
	var full *noSlotsError
	return errors.As(err, &full)
}

// Dial opens a connection to another server; it counts among the process's, where
// these are bounded.
func (c *Cycle) Dial(dial func() (net.Conn, error)) (net.Conn, error) {
	if c.slots == nil {
		return dial()
	}
	return c.slots.Dial(dial)
}
