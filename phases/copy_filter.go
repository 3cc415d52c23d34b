package phases

import (
	"os"
	"sync"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// filePart is a part of a file in a body, and the text that goes before it.
type filePart struct {
	head       string
	start, end int64 // in the file; end is exclusive
}

// size is the number of bytes of the part.
func (p *filePart) size() int64 { return p.end - p.start }

// fileParts are what is sent of a file, with the text behind the last. They may
// overlap and go back.
type fileParts struct {
	parts []filePart
	tail  string
}

// fileFilter tells which parts of a file the body consists of, nil for the whole.
// It sees the file before anything of it is read, as body filters before
// copy_filter do with the buffers of a file.
type fileFilter func(r *Request) *fileParts

// filterFile puts in the filter of files; there is one at most.
func (b *builder) filterFile(f fileFilter) { b.loc.fileFilter = f }

// fileBuffers hold pieces of files on their way to the client.
var fileBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// outputFile sends a file of size bytes as the body, in pieces of output_buffers'
// size: one has been sent before the next is read. Its result is Output's
// (ngx_http_copy_filter).
func (r *Request) outputFile(file *os.File, size int64) int {
	s := fileSender{r: r, file: file}
	if n := int(min(r.Loc.outputBuffers.v.size, max(size, 1))); n <= 32<<10 {
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
	return s.send(filePart{end: size}, "", true)
}

// fileSender passes a file on piece by piece.
type fileSender struct {
	r    *Request
	file *os.File
	buf  []byte
}

// sendParts sends several parts with the text around them. The text before a part
// goes out with the last piece of the one before, as nginx's buffers do.
func (s *fileSender) sendParts(f *fileParts) int {
	for i, p := range f.parts {
		tail, last := f.tail, i == len(f.parts)-1
		if !last {
			tail = f.parts[i+1].head
		}
		if i > 0 {
			p.head = ""
		}
		if rc := s.send(p, tail, last); rc != rcOK {
			return rc
		}
	}
	return rcOK
}

// send sends a part: its head by itself, tail with the last piece. last ends the
// body.
func (s *fileSender) send(part filePart, tail string, last bool) int {
	r := s.r
	if part.head != "" {
		if rc := r.Output([]byte(part.head), false); rc != rcOK {
			return rc
		}
	}
	if part.size() == 0 {
		if r != r.Main {
			return rcOK // copy_filter drops an empty buffer that ends only a subrequest
		}
		return r.Output(nil, last)
	}
	for at := part.start; at < part.end; {
		p := s.buf[:min(part.end-at, int64(len(s.buf)))]
		if _, err := s.file.ReadAt(p, at); err != nil {
			r.Logf(errlog.Alert, "read() failed while reading \"%s\": %v", s.file.Name(), err)
			return rcError
		}
		at += int64(len(p))
		end := at == part.end
		if end && tail != "" {
			p = append(p[:len(p):len(p)], tail...)
		}
		if rc := r.Output(p, end && last); rc != rcOK {
			return rc
		}
		if !end && !s.drain() {
			return rcError
		}
	}
	return rcOK
}

// drain waits until the client has taken what was sent.
func (s *fileSender) drain() bool {
	r := s.r
	if r.inMemory {
		return true
	}
	var err error
	r.wait(func() { err = r.Main.Conn.Flush() })
	if err != nil {
		r.Main.sendFailed(err)
	}
	return err == nil
}
