package phases

import (
	"os"

	rt "github.com/moonphase/moonphase/runtime"
)

// bodyWriter is a body that a script makes: ngx.req.init_body begins it,
// append_body adds to it and finish_body tells its length. What it has so far is
// seen at once by get_body_data and get_body_file.
type bodyWriter struct {
	limit int // bytes kept in memory
	total int64
	file  *os.File // nil while the body is in memory
}

// closeWriter ends the writing, where some is going on.
func (b *RequestBody) closeWriter() {
	if b.writer != nil && b.writer.file != nil {
		b.writer.file.Close()
	}
	b.writer = nil
}

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
	b.dropFile()
	b.inFile = b.inFile || size == 0
	if b.inFile {
		size = 0
	}
	b.Data, b.writer = []byte{}, &bodyWriter{limit: size}
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

// append adds to the body, moving it to a file when it grows too long.
func (b *RequestBody) append(r *Request, data string) bool {
	w := b.writer
	if w.file == nil && len(b.Data)+len(data) <= w.limit {
		b.Data = append(b.Data, data...)
		return true
	}
	if w.file == nil {
		f, err := r.createBodyFile()
		if err != nil {
			return false
		}
		r.Logf(LogWarn, "a client request body is buffered to a temporary file %s", f.Name())
		w.file, w.total = f, int64(len(b.Data))
		if _, err := f.Write(b.Data); err != nil {
			return false
		}
		b.Data, b.File = nil, f.Name()
	}
	_, err := w.file.WriteString(data)
	w.total += int64(len(data))
	return err == nil
}

func ngxFinishBody(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 0 {
		th.Errorf("expecting 0 argument but seen %d", len(args))
	}
	r, b := bodyBeingWritten(th)
	n := int64(len(b.Data))
	if b.writer.file != nil {
		n = b.writer.total
	}
	r.setBodyLength(n)
	return rt.Nil, 0
}
