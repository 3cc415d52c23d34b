package caller

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// LogEnabled tells whether lines of a level are written.
func (c *Context) LogEnabled(level errlog.Level) bool {
	if c.Request != nil {
		log := c.Request.Logger()
		return log != nil && log.Enabled(level)
	}
	log := c.logger()
	return log != nil && log.Enabled(level)
}

// logger is the error log of a context without a request.
func (c *Context) logger() errlog.Logger {
	if c.Loc != nil && c.Loc.ErrorLog.V != nil {
		return c.Loc.ErrorLog.V
	}
	return c.Cycle.Log
}

// Log writes a line to the error log of the context.
func (c *Context) Log(level errlog.Level, msg string) {
	if c.Request != nil {
		c.Request.Log(level, msg)
		return
	}
	if log := c.logger(); log != nil && log.Enabled(level) {
		if c.Phase != PhaseInit && c.Phase != PhaseExitWorker {
			msg += ", context: " + c.Phase.Directive() + c.Peer
		}
		log.Output(level, c.Number, msg)
	}
}

// Logf is Log with a format.
func (c *Context) Logf(level errlog.Level, format string, args ...any) {
	if c.LogEnabled(level) {
		c.Log(level, fmt.Sprintf(format, args...))
	}
}

// PeerText describes the client and the listening address of the context.
func (c *Context) PeerText() string {
	if c.Request == nil || c.Request.Main.Conn == nil {
		return c.Peer
	}
	return ", client: " + core.AddrHost(c.Request.ClientAddr()) + ", server: " + c.Request.Main.Listen.Addr
}
