package lua

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxSleep is ngx.sleep(seconds).
func ngxSleep(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("attempt to pass %d arguments, but accepted 1", len(args))
	}
	c := ctxOf(th)
	if c.Phase == caller.PhaseInit {
		th.Errorf(caller.NoRequest)
	}
	ms := int64(th.CheckNumber(args, 0) * 1000)
	if ms < 0 {
		th.Errorf("invalid sleep duration \"%d\"", ms)
	}
	gate(th, caller.Wait, caller.NoRequest)
	c.Logf(errlog.Debug, "lua ready to sleep for %d ms", ms)
	expired := false
	defer func() {
		if !expired { // killed while it slept
			c.Logf(errlog.Debug, "lua clean up the timer for pending ngx.sleep")
		}
	}()
	th.Park().Wait(time.Duration(ms) * time.Millisecond)
	expired = true
	if r := c.Request; r != nil {
		c.Logf(errlog.Debug, "lua sleep timer expired: \"%s?%s\"", r.URI, r.Args)
	} else {
		c.Logf(errlog.Debug, "lua sleep timer expired: \"?\"")
	}
	return rt.Nil, 0
}
