package serve

import (
	"net"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/guard"
)

// guard, deferred, ends the connection whose goroutine panicked.
func (c *conn) guard(nc net.Conn) {
	if x := recover(); x != nil {
		c.owner.process.log(errlog.Alert, guard.New(x).Error())
		c.owner.process.untrack(c)
		_ = nc.Close()
	}
}
