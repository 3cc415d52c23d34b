package phases

import (
	"sync"

	rt "github.com/moonphase/moonphase/runtime"
)

// luaRequest is what the Lua handlers of a request share.
type luaRequest struct {
	ctx    *rt.Table // ngx.ctx
	worker *Worker   // where the request's Lua runs; chosen by its first handler

	depth int // Lua handlers of this request on the stack, filters included

	sockets  *socketHost // nil until the script makes its first socket
	bodyConn *bodyConn   // of ngx.req.socket()

	mu         sync.Mutex // for subSockets
	subSockets []*socketHost

	bodyEnded  bool // body_filter_by_lua has seen or made the end of the body
	headersSet bool // the script changed response headers
	filterExit bool // header_filter_by_lua has ended the response it saw
	buffering  bool // output for an HTTP/1.0 client is kept back in out
	out        []byte
}

// releaseCtx forgets ngx.ctx.
func (r *Request) releaseCtx() {
	if r.lua.ctx != nil {
		r.lua.ctx = nil
		r.Log(LogDebug, "lua release ngx.ctx at ref 1")
	}
}

// releaseLua forgets what the Lua handlers so far left behind, as a jump to another
// location does: ngx.ctx, output that was kept back.
func (r *Request) releaseLua() {
	r.releaseCtx()
	r.lua.headersSet, r.lua.filterExit, r.lua.buffering, r.lua.out = false, false, false, nil
}

// closeLua lets go of what the Lua code of a request that has ended left.
func (r *Request) closeLua() {
	if r.lua.ctx != nil {
		r.Log(LogDebug, "lua release ngx.ctx at ref 1")
	}
	if w := r.lua.worker; w != nil && w.users > 0 && r == r.Main {
		w.baton.Acquire()
		w.drop(r.Log)
		w.baton.Release()
	}
}

// holdsBaton reports whether the goroutine that runs r may touch Lua values.
func (r *Request) holdsBaton() bool { return r.lua.depth > 0 || r.baton != nil }

// enterLua gets the baton of the request's worker, choosing the worker first
// when this is its first Lua handler.
func (r *Request) enterLua() *Worker {
	r.lua.depth++
	w := r.lua.worker
	if r.lua.depth > 1 || r.baton != nil {
		return w
	}
	if w != nil {
		w.baton.Acquire()
		return w
	}
	if !r.Loc.codeCache.v {
		w = r.privateWorker()
	}
	if w == nil {
		w = connCtxOf(r).take(r.Cycle)
	}
	if w == nil {
		w = r.Cycle.takeWorker(int(r.Conn.Number()))
	}
	r.lua.worker = w
	return w
}

// leaveLua undoes enterLua.
func (r *Request) leaveLua() {
	r.lua.depth--
	if r.lua.depth == 0 && r.baton == nil {
		r.lua.worker.baton.Release()
	}
}
