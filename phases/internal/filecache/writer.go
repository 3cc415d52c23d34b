package filecache

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Writer makes the file of a response. What it has so far can be read.
type Writer struct {
	l    *Lookup
	rec  record
	file File // nil when nothing more is kept
	name string
	at   int64
}

// MaxVary is how long a Vary header may be of a response that is kept, in bytes.
const MaxVary = 128

// maxETag is how long an entity tag may be to be kept, in bytes.
const maxETag = 1 << 15

// run names this run of the process among those that may have left files behind.
var run = strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)

// tempMark stands behind the name of a file that is not complete.
const tempMark = ".tmp-"

var tempNumber atomic.Int64

// Create begins the file of a response with what m says of it. The error has been logged;
// the response is then not kept (ngx_http_file_cache_set_header).
func (l *Lookup) Create(m Meta) (*Writer, error) {
	if len(m.ETag) > maxETag {
		m.ETag = ""
	}
	if l.node == nil { // it was not looked for
		if _, _, err := l.exists(); err != nil {
			return nil, err
		}
	}
	w := &Writer{l: l, rec: record{Meta: m, key: l.Text}}
	if m.Vary != "" {
		l.variant = l.variantOf(m.Vary)
		w.rec.variant = l.variant
	}
	if err := l.settleKey(m.Vary != ""); err != nil {
		return nil, err
	}
	if w.rec.headSize() > maxHead {
		return nil, errLong
	}
	head := w.rec.encode()
	if err := w.create(); err != nil {
		w.failed("open()", err)
		return nil, err
	}
	if _, err := w.Write(head); err != nil {
		w.Abort()
		w.Close()
		return nil, err
	}
	return w, nil
}

// settleKey goes back to the key without a variant when the response that has come is not of
// the variant that was looked for (ngx_http_file_cache_update_variant).
func (l *Lookup) settleKey(varies bool) error {
	if !l.secondary || varies && l.variant == l.key {
		return nil
	}
	l.letGo()
	l.key, l.secondary = l.main, false
	_, _, err := l.exists()
	return err
}

// create opens a file that nobody else writes.
func (w *Writer) create() error {
	c := w.l.c
	final := c.file(w.l.key)
	where := final
	if c.TempPath && w.l.TempDir != "" {
		where = w.l.TempDir + final[len(dir(final)):]
	}
	w.name = where + tempMark + run + "-" + strconv.FormatInt(tempNumber.Add(1), 36)
	var err error
	w.file, err = c.fs.Create(w.name)
	if err != nil && gone(err) {
		if err = c.fs.MkdirAll(dir(w.name)); err == nil {
			w.file, err = c.fs.Create(w.name)
		}
	}
	return err
}

// failed logs that the response is not kept.
func (w *Writer) failed(call string, err error) {
	w.l.Log(errlog.Crit, fmt.Sprintf("%s \"%s\" failed (%s), the response is not cached", call, w.name, conf.Errno(err)))
}

// Write adds to the body. After an error, which has been logged, what came before can still
// be read, and nothing is kept.
func (w *Writer) Write(p []byte) (int, error) {
	if w.file == nil {
		return 0, os.ErrClosed
	}
	n, err := w.file.WriteAt(p, w.at)
	w.at += int64(n)
	if err != nil {
		w.failed("pwrite()", err)
	}
	return n, err
}

// Written is the length of the body so far.
func (w *Writer) Written() int64 { return w.at - w.rec.BodyStart }

// ReadAt reads the body as far as it has come.
func (w *Writer) ReadAt(p []byte, at int64) (int, error) { return w.file.ReadAt(p, w.rec.BodyStart+at) }

// Name is where the response is written.
func (w *Writer) Name() string { return w.name }

// Commit puts the complete response into the cache. The file stays open for ReadAt until
// Close. An error has been logged (ngx_http_file_cache_update).
func (w *Writer) Commit() error {
	l, c := w.l, w.l.c
	w.rec.Length = w.Written()
	b := make([]byte, fixedSize)
	w.rec.encodeFixed(b, w.rec.encodedSum())
	if _, err := w.file.WriteAt(b, 0); err != nil {
		w.failed("pwrite()", err)
		w.Abort()
		return err
	}
	final := c.file(l.key)
	err := w.rename(final)
	if err != nil {
		w.failed("rename()", err)
		w.Abort()
		return err
	}
	w.name = final
	l.freed = true
	c.mu.Lock()
	defer c.mu.Unlock()
	n := l.node
	n.count--
	n.status, n.valid = 0, 0
	n.bodyStart = int(w.rec.BodyStart)
	if n.exists {
		c.blocks -= n.blocks
	}
	n.exists, n.blocks = true, c.blocksOf(w.at)
	c.blocks += n.blocks
	n.release()
	l.turn = 0
	if c.MinFree > 0 || c.tooMuch() {
		c.poke()
	}
	return nil
}

// rename moves the file to its place, by a copy where that is on another file system.
func (w *Writer) rename(final string) error {
	fs := w.l.c.fs
	err := fs.Rename(w.name, final)
	if err != nil && gone(err) {
		if err = fs.MkdirAll(dir(final)); err == nil {
			err = fs.Rename(w.name, final)
		}
	}
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	from := w.name
	beside := final + tempMark + run + "-" + strconv.FormatInt(tempNumber.Add(1), 36)
	to, err := fs.Create(beside)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }() // what counts is what Write and Rename say
	_, err = io.Copy(&offsetWriter{to, 0}, io.NewSectionReader(w.file, 0, w.at))
	if err == nil {
		err = fs.Rename(beside, final)
	}
	if err != nil {
		_ = fs.Remove(beside)
		return err
	}
	return fs.Remove(from)
}

// offsetWriter writes one piece behind the other.
type offsetWriter struct {
	to io.WriterAt
	at int64
}

func (o *offsetWriter) Write(p []byte) (int, error) {
	n, err := o.to.WriteAt(p, o.at)
	o.at += int64(n)
	return n, err
}

// Abort removes the file. What has been written can be read until Close.
func (w *Writer) Abort() { _ = w.l.c.fs.Remove(w.name) }

// Close ends the reading.
func (w *Writer) Close() {
	if w.file != nil {
		_ = w.file.Close() // what was written counts from Commit on
		w.file = nil
	}
}
