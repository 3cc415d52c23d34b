package phases

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

var (
	staticModule = &Module{
		name:  "static",
		build: func(b *builder, _ *Location) { b.handle(stepContent, (*Request).serveStatic) },
	}
	indexModule = &Module{
		name:  "index",
		build: func(b *builder, _ *Location) { b.handle(stepContent, (*Request).serveIndex) },
	}
)

// serveIndex moves a request for a folder to its first index file that exists
// (ngx_http_index_handler).
func (r *Request) serveIndex() int {
	if !strings.HasSuffix(r.URI, "/") || !isReadMethod(r.Method) {
		return rcDeclined
	}
	folderTested := false
	for i := range r.Loc.index {
		name := r.Loc.index[i].eval(r)
		if strings.HasPrefix(name, "/") {
			return r.InternalRedirect(name, r.Args)
		}
		folder, ok := r.mapPath()
		if !ok {
			return 500
		}
		_, err := r.stat(folder + name)
		if err == nil {
			return r.InternalRedirect(r.URI+name, r.Args)
		}
		if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) {
			return 403
		}
		if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENAMETOOLONG) {
			return r.indexError(folder+name, err)
		}
		if !folderTested {
			if rc := r.testFolder(strings.TrimSuffix(folder, "/"), folder+name); rc != rcOK {
				return rc
			}
			folderTested = true
		}
	}
	return rcDeclined
}

// testFolder tells a folder without an index file from one that is missing.
func (r *Request) testFolder(path, index string) int {
	info, err := r.stat(path + "/")
	switch {
	case err != nil:
		return r.indexError(index, err)
	case !info.IsDir():
		r.Logf(LogAlert, "\"%s\" is not a directory", path)
		return 500
	}
	return rcOK
}

func (r *Request) indexError(path string, err error) int {
	if errors.Is(err, syscall.EACCES) {
		r.Logf(LogErr, "\"%s\" is forbidden (%s)", path, errText(err))
		return 403
	}
	if r.Loc.logNotFound.v {
		r.Logf(LogErr, "\"%s\" is not found (%s)", path, errText(err))
	}
	return 404
}

func isReadMethod(method string) bool {
	return method == "GET" || method == "HEAD" || method == "POST"
}

// serveStatic answers with the file that the URI names
// (ngx_http_static_handler).
func (r *Request) serveStatic() int {
	if !isReadMethod(r.Method) {
		return 405
	}
	if strings.HasSuffix(r.URI, "/") {
		return rcDeclined
	}
	path, ok := r.mapPath()
	if !ok {
		return 500
	}
	r.Logf(LogDebug, "http filename: \"%s\"", path)
	file, info, err := r.openFile(path)
	if err != nil {
		return r.openFailed(path, err)
	}
	defer file.Close()
	switch {
	case info.IsDir():
		r.Out.ClearLocation()
		r.Out.Location = escapeURI(r.URI, escapePath) + "/"
		if r.Args != "" {
			r.Out.Location += "?" + r.Args
		}
		return 301
	case !info.Mode().IsRegular():
		r.Logf(LogCrit, "\"%s\" is not a regular file", path)
		return 404
	case r.Method == "POST":
		return 405
	}
	if rc := r.DiscardBody(); rc != rcOK {
		return rc
	}
	return r.sendFile(file, info)
}

// isNotThere tells a path that leads nowhere from one that cannot be followed.
func isNotThere(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// openFailed gives the status for a file that cannot be opened.
func (r *Request) openFailed(path string, err error) int {
	level, status := LogCrit, 500
	switch {
	case isNotThere(err):
		level, status = LogErr, 404
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EMLINK), errors.Is(err, syscall.ELOOP):
		level, status = LogErr, 403
	}
	if status != 404 || r.Loc.logNotFound.v {
		r.Logf(level, "%s \"%s\" failed (%s)", openCall(err), path, errText(err))
	}
	return status
}

// fileBuffers hold pieces of files on their way to the client.
var fileBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// sendFile answers with a file.
func (r *Request) sendFile(file *os.File, info os.FileInfo) int {
	size := info.Size()
	r.Out.Status = 200
	r.Out.ContentLength = size
	r.Out.LastModified = info.ModTime().Unix()
	if r.Loc.etag.v {
		r.Out.Headers.Set("ETag", fileTag(info))
	}
	r.setContentType()
	r.action = " while sending response to client"
	r.Out.allowRanges = true
	if rc := r.SendHeader(); rc != rcOK || r.HeaderOnly {
		return rc
	}
	s := fileSender{r: r, file: file}
	if n := int(min(r.Loc.outputBuffers.v.size, max(size, 1))); n <= 32<<10 {
		buf := fileBuffers.Get().(*[32 << 10]byte)
		defer fileBuffers.Put(buf)
		s.buf = buf[:n]
	} else {
		s.buf = make([]byte, n)
	}
	switch c := r.ranged; {
	case c == nil:
		return s.send(byteRange{0, size}, nil, nil, true)
	case c.heads == nil:
		r.ranged = nil
		return s.send(c.ranges[0], nil, nil, true)
	default:
		r.ranged = nil
		return s.sendRanges(c)
	}
}

// fileSender passes a file on piece by piece: a piece has been sent before the
// next is read.
type fileSender struct {
	r    *Request
	file *os.File
	buf  []byte
}

// sendRanges sends several ranges with the text around them. They may overlap and
// go back. The text before a range goes out with the last piece of the one before,
// as the buffers of copy_filter do.
func (s *fileSender) sendRanges(c *rangeCut) int {
	for i, b := range c.ranges {
		var head, tail []byte
		if i == 0 {
			head = []byte(c.heads[0])
		}
		last := i == len(c.ranges)-1
		if last {
			tail = []byte(c.tail)
		} else {
			tail = []byte(c.heads[i+1])
		}
		if rc := s.send(b, head, tail, last); rc != rcOK {
			return rc
		}
	}
	return rcOK
}

// send sends a range of the file: head by itself, tail with the last piece. last
// ends the body.
func (s *fileSender) send(b byteRange, head, tail []byte, last bool) int {
	r := s.r
	if len(head) > 0 {
		if rc := r.Output(head, false); rc != rcOK {
			return rc
		}
	}
	if b.size() == 0 {
		if r != r.Main {
			return rcOK // copy_filter drops an empty buffer that ends only a subrequest
		}
		return r.Output(nil, last)
	}
	for at := b.start; at < b.end; {
		p := s.buf[:min(b.end-at, int64(len(s.buf)))]
		if _, err := s.file.ReadAt(p, at); err != nil {
			r.Logf(LogAlert, "read() failed while reading \"%s\": %v", s.file.Name(), err)
			return rcError
		}
		at += int64(len(p))
		end := at == b.end
		if end && len(tail) > 0 {
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

// fileTag is the entity tag of a file: its time and its size.
func fileTag(info os.FileInfo) string {
	return fmt.Sprintf("\"%s-%s\"", strconv.FormatInt(info.ModTime().Unix(), 16), strconv.FormatInt(info.Size(), 16))
}
