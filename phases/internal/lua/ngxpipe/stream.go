package ngxpipe

import (
	"bytes"
	"errors"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// stream is our end of a stream of a process.
type stream struct {
	file  *os.File // nil when it is closed
	buf   []byte   // read and not yet taken
	ended bool     // nothing more comes
	busy  bool     // somebody waits for it
}

// close closes our end. Who waits for it is told "aborted".
func (s *stream) close() {
	if s.file != nil {
		_ = s.file.Close()
		s.file, s.buf = nil, nil
	}
}

// reader is a way of reading.
type reader struct {
	// take looks at what has been read: n bytes of it are the answer, if ok.
	take func(buf []byte) (n int, ok bool)
	line bool // the line feed behind the answer is dropped, and so are carriage returns
	all  bool // what is there at the end is the answer
}

var (
	readAll  = reader{all: true, take: func([]byte) (int, bool) { return 0, false }}
	readLine = reader{line: true, take: func(buf []byte) (int, bool) {
		n := bytes.IndexByte(buf, '\n')
		return n, n >= 0
	}}
)

// readBytes is read_bytes(len).
func readBytes(th *rt.Thread, args []rt.Value, which int) (rt.Value, int) {
	want := th.CheckNumber(args, 1)
	switch {
	case want < 0:
		lib.RaiseAt(th, 1, "bad len argument")
	case !(want > 0): // a NaN too
		return rt.String(""), 1
	}
	n := int(min(want, math.MaxInt32))
	return read(th, args, which, reader{take: func(buf []byte) (int, bool) { return n, len(buf) >= n }})
}

// readSome is read_any(max).
func readSome(th *rt.Thread, args []rt.Value, which int) (rt.Value, int) {
	most, ok := rt.ToNumber(rt.ArgAt(args, 1))
	if !ok || !(most > 0) {
		lib.RaiseAt(th, 1, "bad max argument")
	}
	n := int(min(max(most, 1), math.MaxInt32))
	return read(th, args, which, reader{take: func(buf []byte) (int, bool) { return min(n, len(buf)), len(buf) > 0 }})
}

// read reads until there is enough. What ends it before comes with what is left: at the
// end of the stream that is the answer of read_all.
func read(th *rt.Thread, args []rt.Value, which int, how reader) (rt.Value, int) {
	p := processOf(th, args)
	waitingCaller(th)
	if which == stderr && p.merged {
		return lib.Fail(th, "merged to stdout")
	}
	s := &p.streams[which]
	switch {
	case p.told || s.file == nil:
		return lib.Fail(th, "closed")
	case s.busy:
		return lib.Fail(th, "pipe busy reading")
	}
	s.busy = true
	defer func() { s.busy = false }() // also when the light thread is killed
	limit := p.limits[stdoutLimit]
	if which == stderr {
		limit = p.limits[stderrLimit]
	}
	for {
		if n, ok := how.take(s.buf); ok {
			data := how.text(s.buf[:n])
			if how.line {
				n++
			}
			s.buf = s.buf[n:]
			return rt.String(data), 1
		}
		failure := "closed"
		if !s.ended {
			failure = s.fill(th, p.buffer, limit)
		}
		if failure == "" {
			continue
		}
		left := how.text(s.buf)
		if s.buf = nil; s.ended && how.all {
			return rt.String(left), 1
		}
		return th.Return3(rt.Nil, rt.String(failure), rt.String(left))
	}
}

// text is what was read as the script sees it.
func (how reader) text(data []byte) string {
	if how.line {
		data = bytes.ReplaceAll(data, []byte{'\r'}, nil)
	}
	return string(data)
}

// fill reads more; failure is "timeout" or "aborted".
func (s *stream) fill(th *rt.Thread, size int, limit time.Duration) (failure string) {
	f := s.file
	_ = f.SetReadDeadline(deadline(limit))
	piece := make([]byte, size)
	var n int
	var err error
	th.Block(func() { _ = f.SetReadDeadline(time.Unix(1, 0)) }, func() { n, err = f.Read(piece) })
	switch {
	case s.file == nil:
		return "aborted"
	case n > 0:
		s.buf = append(s.buf, piece[:n]...)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	default:
		s.ended = true
	}
	return ""
}

// deadline is the end of a time limit, none for 0.
func deadline(limit time.Duration) time.Time {
	if limit == 0 {
		return time.Time{}
	}
	return time.Now().Add(limit)
}

// write is write(data): how many bytes the process has been given.
func write(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	p := processOf(th, args)
	data := dataArgument(th, args)
	waitingCaller(th)
	s := &p.streams[stdin]
	switch {
	case p.told || s.file == nil:
		return lib.Fail(th, "closed")
	case s.busy:
		return lib.Fail(th, "pipe busy writing")
	}
	s.busy = true
	defer func() { s.busy = false }() // also when the light thread is killed
	f := s.file
	_ = f.SetWriteDeadline(deadline(p.limits[writeLimit]))
	var n int
	var err error
	th.Block(func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) }, func() { n, err = f.WriteString(data) })
	switch {
	case s.file == nil:
		return lib.Fail(th, "aborted")
	case err == nil:
		return rt.Int(n), 1
	case errors.Is(err, os.ErrDeadlineExceeded):
		return lib.Fail(th, "timeout")
	case errors.Is(err, syscall.EPIPE):
		return lib.Fail(th, "closed")
	}
	return lib.Fail(th, err.Error())
}

// dataArgument is what write takes: a string, a number, or a list of them.
func dataArgument(th *rt.Thread, args []rt.Value) string {
	switch v := rt.ArgAt(args, 1); {
	case v.IsString(), v.IsNumber():
		return lib.Text(th, v)
	case v.IsTable():
		var data []byte
		t := v.Table()
		for i := 1; i <= t.Len(); i++ {
			elem := t.Int(i)
			if !elem.IsString() && !elem.IsNumber() {
				th.Errorf("invalid value (%s) at index %d in table for 'concat'", rt.TypeName(elem), i)
			}
			data = append(data, lib.Text(th, elem)...)
		}
		return string(data)
	default:
		lib.RaiseAt(th, 1, "bad data arg: string, number, or table expected, got "+rt.TypeName(v))
	}
	return ""
}
