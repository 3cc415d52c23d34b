// Package caller tells a function of the ngx API who calls it: which request, timer or
// handshake, in which phase, under which configuration, and where its log lines go.
package caller

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	rt "github.com/moonphase/moonphase/runtime"
)

// Context says on whose behalf Lua code runs: one handler of a request, a timer, or
// one of the chunks of a worker's own life. It is part of the Host of the handler's
// threads.
type Context struct {
	Request   *core.Request // nil in init, init_worker, exit_worker and timers
	Phase     Phase
	Cycle     *core.Cycle
	Handshake *ssl.Handshake         // of the TLS phases, nil elsewhere
	Upstream  *upstream.TLSHandshake // of the TLS phases of a request's upstream, nil elsewhere
	Loc       *core.Location         // without a request: the configuration, nil for that of http{}

	Number int64  // for log lines: the connection's, 0 for none
	Peer   string // for log lines: the client, of a timer that of the request that began it all

	ends []func() // see AtEnd
}

// AtEnd notes what is to be done when the request, or a run without one, is over. It is
// called with the baton of the worker that th belongs to.
func (c *Context) AtEnd(th *rt.Thread, f func()) {
	if c.Request == nil {
		c.ends = append(c.ends, f)
		return
	}
	baton := th.State.Baton
	c.Request.OnFree(func(*core.Request) {
		baton.Acquire()
		defer baton.Release()
		f()
	})
}

// End does what AtEnd has noted; whoever began the run calls it.
func (c *Context) End() {
	for _, f := range c.ends {
		f()
	}
	c.ends = nil
}

// Caller is the context itself: who embeds it can be the Host of a thread.
func (c *Context) Caller() *Context { return c }

// Of is the context of the running code.
func Of(th *rt.Thread) *Context { return th.Host.(interface{ Caller() *Context }).Caller() }

// Location is the configuration that applies to the running code.
func (c *Context) Location() *core.Location {
	switch {
	case c.Request != nil:
		return c.Request.Loc
	case c.Loc != nil:
		return c.Loc
	}
	return c.Cycle.HTTP
}

// What functions say to code that runs for no request.
const (
	NoRequest       = "no request found"
	NoRequestObject = "no request object found"
)

// Gate raises the error of a call in a phase that does not allow a group; missing is
// the text for code that runs for no request at all.
func Gate(th *rt.Thread, g Group, missing string) *Context {
	c := Of(th)
	if refusal := c.Refusal(g, missing); refusal != "" {
		th.Errorf("%s", refusal)
	}
	return c
}

// Refusal is the message of the error that Gate raises, "" for none.
func (c *Context) Refusal(g Group, missing string) string {
	switch {
	case c.Phase == PhaseInit:
		return missing
	case !c.Phase.Allows(g):
		return "API disabled in the context of " + c.Phase.Directive()
	}
	return ""
}

// Request is the request of the running code, which must have a real one; missing is
// the text of the error in init_by_lua, NoRequest for most functions.
func Request(th *rt.Thread, missing string) *core.Request {
	c := Of(th)
	if c.Request == nil {
		if c.Phase == PhaseInit {
			th.Errorf("%s", missing)
		}
		th.Errorf("API disabled in the current context")
	}
	return c.Request
}
