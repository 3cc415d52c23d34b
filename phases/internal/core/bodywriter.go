package core

import (
	"os"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// BodyWriter is a body that a handler makes in place of the client's. What it has
// so far can be read at once.
type BodyWriter struct {
	limit int // bytes kept in memory
	total int64
	file  *os.File // nil while the body is in memory
}

// closeWriter ends the writing, where some is going on.
func (b *RequestBody) closeWriter() {
	if b.Writer != nil && b.Writer.file != nil {
		b.Writer.file.Close()
	}
	b.Writer = nil
}

// Begin makes a new, empty body of which limit bytes stay in memory. With a limit of
// 0 this body, and any later one of the request, is in a file.
func (b *RequestBody) Begin(limit int) {
	b.DropFile()
	b.inFile = b.inFile || limit == 0
	if b.inFile {
		limit = 0
	}
	b.Data, b.Writer = []byte{}, &BodyWriter{limit: limit}
}

// Written is the length of a body that is being made, in bytes.
func (b *RequestBody) Written() int64 {
	if b.Writer.file != nil {
		return b.Writer.total
	}
	return int64(len(b.Data))
}

// DropFile forgets the body's file and removes it unless it is to be kept.
func (b *RequestBody) DropFile() {
	b.closeWriter()
	if b.File != "" && !b.KeepFile {
		os.Remove(b.File)
	}
	b.File, b.KeepFile, b.Data = "", false, nil
}

// Append adds to the body, moving it to a file when it grows too long.
func (b *RequestBody) Append(r *Request, data string) bool {
	w := b.Writer
	if w.file == nil && len(b.Data)+len(data) <= w.limit {
		b.Data = append(b.Data, data...)
		return true
	}
	if w.file == nil {
		f, err := r.createBodyFile()
		if err != nil {
			return false
		}
		r.Logf(errlog.Warn, "a client request body is buffered to a temporary file %s", f.Name())
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
