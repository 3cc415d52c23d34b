package core

import (
	"errors"
	"fmt"
	"net"

	"github.com/moonphase/moonphase/runtime/sockio"
)

// ConnLimit bounds the connections of the process (worker_connections).
type ConnLimit interface {
	// Dial calls dial, whose connection holds a slot until it is closed. Without
	// room the error is a *ConnLimitError.
	Dial(dial func() (net.Conn, error)) (net.Conn, error)
}

// ConnLimitError says that all connections are in use.
type ConnLimitError struct{ Each int64 }

func (e *ConnLimitError) Error() string {
	return fmt.Sprintf("%d worker_connections are not enough", e.Each)
}

// IsConnLimit reports whether a connection could not be had for want of a slot.
func IsConnLimit(err error) bool {
	var full *ConnLimitError
	return errors.As(err, &full)
}

// Dial opens a connection to another server; it counts among the process's, where
// these are bounded.
func (c *Cycle) Dial(dial func() (net.Conn, error)) (net.Conn, error) {
	open := func() (net.Conn, error) {
		nc, err := dial()
		if err != nil {
			return nil, err
		}
		return sockio.Wrap(nc), nil
	}
	if c.ConnLimit == nil {
		return open()
	}
	return c.ConnLimit.Dial(open)
}
