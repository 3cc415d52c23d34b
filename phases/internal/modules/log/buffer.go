package log

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/guard"
)

// buffer holds lines of an access log back (access_log's buffer, flush, gzip).
type buffer struct {
	file  *errlog.File
	size  int           // bytes that are held back at most
	every time.Duration // and for how long; 0: without limit
	gzip  int           // level, 0: none

	forget func() // ends that the file knows of it

	mu    sync.Mutex
	lines []byte
	timer *time.Timer
}

// add appends a line; lines longer than the buffer are written at once.
func (b *buffer) add(line []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(line) > b.size-len(b.lines) {
		b.write(b.lines)
		b.lines = b.lines[:0]
		if len(line) > b.size {
			b.write(line)
			return
		}
	}
	if b.every > 0 && len(b.lines) == 0 {
		if b.timer == nil {
			b.timer = time.AfterFunc(b.every, func() {
				defer guard.Stop()
				b.flush()
			})
		} else {
			b.timer.Reset(b.every)
		}
	}
	b.lines = append(b.lines, line...)
}

// flush writes what is held back.
func (b *buffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
	b.write(b.lines)
	b.lines = b.lines[:0]
}

// close is Flush for a buffer that is not used any more: should there be another
// line, it is written at once.
func (b *buffer) close() {
	if b.forget != nil {
		b.forget()
	}
	b.flush()
	b.mu.Lock()
	b.size = 0
	b.mu.Unlock()
}

// write writes lines, compressed as a stream of their own: a file of several such
// is one gzip file.
func (b *buffer) write(lines []byte) {
	if len(lines) == 0 {
		return
	}
	if b.gzip == 0 {
		b.file.Write(lines)
		return
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, b.gzip)
	if err == nil {
		_, _ = z.Write(lines)
		_ = z.Close()
		b.file.Write(out.Bytes())
	}
}

// bufferOptions reads the parameters of access_log that hold lines back.
type bufferOptions struct {
	size  int64
	flush time.Duration
	gzip  int64
}

// read takes a parameter; ok is false when it is none of these.
func (o *bufferOptions) read(arg string) (ok bool, err error) {
	key, value, given := strings.Cut(arg, "=")
	switch {
	case key == "buffer" && given:
		var good bool
		if o.size, good = ngxtext.ParseSize(value, false); !good || o.size == 0 {
			return true, fmt.Errorf("invalid buffer size \"%s\"", value)
		}
	case key == "flush" && given:
		var good bool
		if o.flush, good = ngxtext.ParseTime(value); !good || o.flush == 0 {
			return true, fmt.Errorf("invalid flush time \"%s\"", value)
		}
	case arg == "gzip", key == "gzip" && given:
		if o.size == 0 {
			o.size = 64 << 10
		}
		if o.gzip = 1; given {
			var good bool
			if o.gzip, good = ngxtext.ParseDecimal(value); !good || o.gzip < 1 || o.gzip > 9 {
				return true, fmt.Errorf("invalid compression level \"%s\"", value)
			}
		}
	default:
		return false, nil
	}
	return true, nil
}

// giveBuffer gives log its buffer, which all access_log directives for a file share.
func giveBuffer(c *core.Compiler, log *accessLog, name string, o bufferOptions) error {
	switch {
	case o.size == 0 && o.flush > 0:
		return fmt.Errorf("no buffer is defined for access_log \"%s\"", name)
	case o.size == 0:
		return nil
	case log.file == nil:
		return fmt.Errorf("buffered logs cannot have variables in name")
	case log.file.Syslog() != nil:
		return fmt.Errorf("logs to syslog cannot be buffered")
	}
	want := &buffer{file: log.file, size: int(o.size), every: o.flush, gzip: int(o.gzip)}
	m := main.At(c)
	for _, b := range m.buffers {
		if b.file != log.file {
			continue
		}
		if b.size != want.size || b.every != want.every || b.gzip != want.gzip {
			return fmt.Errorf("access_log \"%s\" already defined with conflicting parameters", name)
		}
		log.buffer = b
		return nil
	}
	log.buffer = want
	m.buffers = append(m.buffers, want)
	return nil
}

// ready has the buffers written when their files are.
func ready(c *core.Cycle) {
	for _, b := range main.Of(c).buffers {
		b.forget = b.file.OnFlush(b.flush)
	}
}

// stop writes what is held back; from now on nothing is.
func stop(c *core.Cycle) {
	for _, b := range main.Of(c).buffers {
		b.close()
	}
}
