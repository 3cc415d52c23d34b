package core

import (
	"io"
	"sync"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// FilePart is a part of a file in a body, and the text that goes before it.
type FilePart struct {
	Head       string
	Start, End int64 // in the file; end is exclusive
}

// Size is the number of bytes of the part.
func (p *FilePart) Size() int64 { return p.End - p.Start }

// FileParts are what is sent of a file, with the text behind the last. They may
// overlap and go back.
type FileParts struct {
	Parts []FilePart
	Tail  string
}

// FileFilter tells which parts of a file the body consists of, nil for the whole.
// It sees the file before anything of it is read, as body filters before
// copy_filter do with the buffers of a file.
type FileFilter func(r *Request) *FileParts

// FilterFile puts in the filter of files; there is one at most.
func (b *Builder) FilterFile(f FileFilter) { b.loc.fileFilter = f }

// fileBuffers hold pieces of files on their way to the client.
var fileBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// OutputFile sends a file of size bytes as the body, in pieces of output_buffers'
// size: one has been sent before the next is read. Its result is Output's
// (ngx_http_copy_filter).
func (r *Request) OutputFile(file NamedReader, size int64) int {
	s := fileSender{r: r, file: file}
	if n := int(min(r.Loc.outputBuffers.V.Size, max(size, 1))); n <= 32<<10 {
		buf := fileBuffers.Get().(*[32 << 10]byte)
		defer fileBuffers.Put(buf)
		s.buf = buf[:n]
	} else {
		s.buf = make([]byte, n)
	}
	if filter := r.Loc.fileFilter; filter != nil {
		if f := filter(r); f != nil {
			return s.sendParts(f)
		}
	}
	return s.send(FilePart{End: size}, "", true)
}

// NamedReader is a file, or a part of one, on its way to the client.
type NamedReader interface {
	io.ReaderAt
	Name() string
}

// fileSender passes a file on piece by piece.
type fileSender struct {
	r    *Request
	file NamedReader
	buf  []byte
}

// sendParts sends several parts with the text around them. The text before a part
// goes out with the last piece of the one before, as nginx's buffers do.
func (s *fileSender) sendParts(f *FileParts) int {
	for i, p := range f.Parts {
		tail, last := f.Tail, i == len(f.Parts)-1
		if !last {
			tail = f.Parts[i+1].Head
		}
		if i > 0 {
			p.Head = ""
		}
		if rc := s.send(p, tail, last); rc != OK {
			return rc
		}
	}
	return OK
}

// send sends a part: its head by itself, tail with the last piece. last ends the
// body.
func (s *fileSender) send(part FilePart, tail string, last bool) int {
	r := s.r
	if part.Head != "" {
		if rc := r.Output([]byte(part.Head), false); rc != OK {
			return rc
		}
	}
	if part.Size() == 0 {
		if r != r.Main {
			return OK // copy_filter drops an empty buffer that ends only a subrequest
		}
		return r.Output(nil, last)
	}
	for at := part.Start; at < part.End; {
		p := s.buf[:min(part.End-at, int64(len(s.buf)))]
		if _, err := s.file.ReadAt(p, at); err != nil {
			r.Logf(errlog.Alert, "read() failed while reading \"%s\": %v", s.file.Name(), err)
			return Error
		}
		at += int64(len(p))
		end := at == part.End
		if end && tail != "" {
			p = append(p[:len(p):len(p)], tail...)
		}
		if rc := r.Output(p, end && last); rc != OK {
			return rc
		}
		if !end && !s.drain() {
			return Error
		}
	}
	return OK
}

// drain waits until the client has taken what was sent.
func (s *fileSender) drain() bool {
	r := s.r
	if r.InMemory {
		return true
	}
	var err error
	r.Wait(func() { err = r.Main.Conn.Flush() })
	if err != nil {
		r.Main.SendFailed(err)
	}
	return err == nil
}

// RangeCut is what a body is to be cut to: one range, or several with the text
// around them.
type RangeCut struct {
	FileParts
	At     int64 // bytes of the body seen so far
	OfFile bool  // the file has been cut: its bytes are the answer's
}
