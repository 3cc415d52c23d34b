package phases

import rt "github.com/moonphase/moonphase/runtime"

// ngxInitBody is ngx.req.init_body(buffer_size). A size of 0 puts this body, and any
// later one of the request, in a file.
func ngxInitBody(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) > 1 {
		th.Errorf("expecting 0 or 1 argument but seen %d", len(args))
	}
	r, b := replaceableBody(th, noRequest)
	size := int(r.Loc.bodyBufferSize.v)
	if len(args) == 1 {
		if size = th.CheckInt(args, 0); size < 0 {
			th.Errorf("bad size argument: %d", size)
		}
	}
	b.begin(size)
	return rt.Nil, 0
}

// bodyBeingWritten is the body that init_body began.
func bodyBeingWritten(th *rt.Thread) (*Request, *RequestBody) {
	r := realRequest(th, noRequest)
	b := r.bodyRead()
	if b.writer == nil {
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
	if !b.append(r, data) {
		th.Errorf("fail to write file")
	}
	return rt.Nil, 0
}

func ngxFinishBody(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("expecting 0 argument but seen %d", len(args))
	}
	r, b := bodyBeingWritten(th)
	setBodyLength(r, b.written())
	return rt.Nil, 0
}
