package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	rt "github.com/moonphase/moonphase/runtime"
)

// setCtx gives the request its ngx.ctx.
func setCtx(r *core.Request, t *rt.Table) {
	l := note.Of(r)
	if l.ctx == nil {
		r.OnFree(ctxReleased)
	}
	l.ctx = t
}

// ctxReleased says that a table of ngx.ctx is not needed any more.
func ctxReleased(main *core.Request) { main.Log(errlog.Debug, "lua release ngx.ctx at ref 1") }

// ctxTable is ngx.ctx.
func ctxTable(th *rt.Thread) *rt.Table {
	c := ctxOf(th)
	if c.Phase == caller.PhaseInit {
		th.Errorf(caller.NoRequest)
	}
	r := c.Request
	switch {
	case r == nil && c.table == nil:
		c.table = rt.NewTable(0, 4)
		fallthrough
	case r == nil:
		return c.table
	}
	l := note.Of(r)
	if l.ctx == nil {
		t := connCtxOf(r).copyFor(c.worker)
		if t == nil {
			t = rt.NewTable(0, 4)
		}
		setCtx(r, t)
	}
	return l.ctx
}

// setCtxTable is ngx.ctx = table.
func setCtxTable(th *rt.Thread, v rt.Value) {
	if !v.IsTable() {
		th.Errorf("ctx should be a table while getting a %s", rt.TypeName(v))
	}
	c := ctxOf(th)
	switch {
	case c.Phase == caller.PhaseInit:
		th.Errorf(caller.NoRequest)
	case c.Request != nil:
		setCtx(c.Request, v.Table())
	default:
		c.table = v.Table()
	}
}

// connCtx is the ngx.ctx of a connection's handshake. Each request of the
// connection begins with a copy of it, in the same worker.
type connCtx struct {
	worker *worker
	table  *rt.Table
}

// take takes the baton of the worker that the connection belongs to, if any: a
// reload may have replaced it.
func (c *connCtx) take(cycle *core.Cycle) *worker {
	if c == nil || c.worker.cycle != cycle {
		return nil
	}
	c.worker.baton.Acquire()
	return c.worker
}

// copyFor is a copy of the table for code in a worker, nil for none.
func (c *connCtx) copyFor(w *worker) *rt.Table {
	if c == nil || c.worker != w {
		return nil
	}
	clone := rt.NewTable(0, 4)
	for k, v, _ := c.table.Next(rt.Nil); !k.IsNil(); k, v, _ = c.table.Next(k) {
		clone.Set(k, v)
	}
	return clone
}

// connCtxOf is the ngx.ctx of a request's connection; nil without a handshake that
// has one.
func connCtxOf(r *core.Request) *connCtx {
	s := ssl.ConnectionOf(r)
	if s == nil {
		return nil
	}
	ctx, _ := s.Data.(*connCtx)
	return ctx
}
