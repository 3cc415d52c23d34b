package lua

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	rt "github.com/moonphase/moonphase/runtime"
)

// requestNote is what the Lua handlers of a request share.
type requestNote struct {
	ctx    *rt.Table // ngx.ctx
	worker *worker   // where the request's Lua runs; chosen by its first handler

	depth int // Lua handlers of this request on the stack, filters included

	sockets  *socketHost   // nil until the script makes its first socket
	open     []*socketHost // of a main request: its own and its subrequests'
	bodyConn *bodyConn     // of ngx.req.socket()

	capture *capture // of a captured subrequest

	bodyEnded  bool // body_filter_by_lua has seen or made the end of the body
	headersSet bool // the script changed response headers
	headTried  bool // the head went out, or a filter would not let it
	filterExit bool // header_filter_by_lua has ended the response it saw
	buffering  bool // output for an HTTP/1.0 client is kept back in out
	out        []byte
}

var note = core.NewNote(func(l *requestNote) {
	out := l.out[:0]
	if cap(out) > maxOutBuf {
		out = nil
	}
	clear(l.open)
	*l = requestNote{open: l.open[:0], out: out}
})

// forget forgets what the Lua handlers so far left behind, as a jump to another
// location does: ngx.ctx, output that was kept back.
func forget(r *core.Request) {
	if l := note.Get(r); l != nil {
		l.ctx, l.headersSet, l.headTried, l.filterExit, l.buffering, l.out = nil, false, false, false, false, l.out[:0]
	}
}
