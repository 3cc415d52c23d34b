package lua

import (
	"os"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxInitBody is ngx.req.init_body(buffer_size). A size of 0 puts this body, and any
// later one of the request, in a file.
func ngxInitBody(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) > 1 {
		th.Errorf("expecting 0 or 1 argument but seen %d", len(args))
	}
	r, b := replaceableBody(th, caller.NoRequest)
	size := int(r.Loc.BodyBufferSize.V)
	if len(args) == 1 {
		if size = th.CheckInt(args, 0); size < 0 {
			th.Errorf("bad size argument: %d", size)
		}
	}
	b.Begin(size)
	return rt.Nil, 0
}

// bodyBeingWritten is the body that init_body began.
func bodyBeingWritten(th *rt.Thread) (*core.Request, *core.RequestBody) {
	r := caller.Request(th, caller.NoRequest)
	b := r.RequestBody()
	if b.Writer == nil {
		th.Errorf("request_body not initialized")
	}
	return r, b
}

func ngxAppendBody(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("expecting 1 arguments but seen %d", len(args))
	}
	data := th.CheckString(args, 0)
	r, b := bodyBeingWritten(th)
	if !b.Append(r, data) {
		th.Errorf("fail to write file")
	}
	return rt.Nil, 0
}

func ngxFinishBody(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("expecting 0 argument but seen %d", len(args))
	}
	r, b := bodyBeingWritten(th)
	setBodyLength(r, b.Written())
	return rt.Nil, 0
}

// ngxReqBody is the functions of ngx.req on the request's body.
var ngxReqBody = lib.Functions{
	{"read_body", ngxReadBody},
	{"discard_body", ngxDiscardBody},
	{"get_body_data", ngxGetBodyData},
	{"get_body_file", ngxGetBodyFile},
	{"set_body_data", ngxSetBodyData},
	{"set_body_file", ngxSetBodyFile},
	{"init_body", ngxInitBody},
	{"append_body", ngxAppendBody},
	{"finish_body", ngxFinishBody},
}

const noBodyRequest = "request object not found"

func ngxReadBody(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("expecting 0 arguments but seen %d", len(args))
	}
	r := gate(th, caller.Output, noBodyRequest).Request
	rc := r.ReadBody(func(wait func()) { th.Block(r.Conn.InterruptRead, wait) })
	if rc >= 300 {
		panic(exitAbort{rc})
	}
	return rt.Nil, 0
}

func ngxDiscardBody(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("expecting 0 arguments but seen %d", len(args))
	}
	r := caller.Request(th, noBodyRequest)
	if r.DiscardBody() != core.OK {
		th.Errorf("failed to discard request body")
	}
	if r.Body.Discarded && discardArrived(r) {
		r.BodyDiscarded()
	}
	return rt.Nil, 0
}

func ngxGetBodyData(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("expecting 0 arguments but seen %d", len(args))
	}
	b := caller.Request(th, noBodyRequest).RequestBody()
	if b.File != "" || len(b.Data) == 0 {
		return rt.Nil, 1
	}
	return rt.String(string(b.Data)), 1
}

func ngxGetBodyFile(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("expecting 0 arguments but seen %d", len(args))
	}
	if b := caller.Request(th, noBodyRequest).RequestBody(); b.File != "" {
		return rt.String(b.File), 1
	}
	return rt.Nil, 1
}

// replaceableBody is the body, which must have been read, for the functions that
// set another one.
func replaceableBody(th *rt.Thread, missing string) (*core.Request, *core.RequestBody) {
	r := caller.Request(th, missing)
	b := r.RequestBody()
	switch {
	case b.Discarded:
		th.Errorf("request body already discarded asynchronously")
	case !b.Exists():
		th.Errorf("request body not read yet")
	}
	return r, b
}

// setBodyLength makes the headers tell the length of a new body.
func setBodyLength(r *core.Request, n int64) {
	r.ContentLength = n
	r.Chunked = false
	setRequestHeader(r, "Content-Length", []string{ngxtext.Itoa(n)})
}

func ngxSetBodyData(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("expecting 1 arguments but seen %d", len(args))
	}
	data := th.CheckString(args, 0)
	r, b := replaceableBody(th, noBodyRequest)
	b.DropFile()
	if data != "" {
		b.Data = []byte(data)
	}
	setBodyLength(r, int64(len(data)))
	return rt.Nil, 0
}

// ngxSetBodyFile is ngx.req.set_body_file(name, auto_clean).
func ngxSetBodyFile(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 && len(args) != 2 {
		th.Errorf("expecting 1 or 2 arguments but seen %d", len(args))
	}
	name := th.CheckString(args, 0)
	r, b := replaceableBody(th, caller.NoRequest)
	info, err := os.Stat(name)
	if err != nil {
		th.Errorf("stat() \"%s\" failed", name)
	}
	b.DropFile()
	b.File = name
	b.KeepFile = !rt.ArgAt(args, 1).Truthy()
	setBodyLength(r, info.Size())
	return rt.Nil, 0
}
